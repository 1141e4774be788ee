"""From what is counted to the families of metrics that Prometheus reads."""

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from model.drift import MIN_ROWS, Drift, Ranges, ks, missing_ratio, out_of_range_ratio, psi
from model.metrics.series import Histogram, Load, ModelSeries, VersionSeries

_Labels = tuple[str, ...]
_Histograms = dict[_Labels, Histogram]
Counts = Mapping[_Labels, int]
"""By the values of the labels."""
Versions = Mapping[tuple[str, str], VersionSeries]
"""By model and version."""


def request_families(versions: Versions, unrouted: Counts) -> Iterator[Metric]:
    """Yield what is counted of requests; those that reached no model are without its labels."""
    requests = {("", "", *key): count for key, count in unrouted.items()}
    durations: _Histograms = {}
    waits: _Histograms = {}
    rows: _Histograms = {}
    for key, series in versions.items():
        waits[key], rows[key] = series.queue_wait, series.batch_rows
        for protocol, servable in series.protocols.items():
            durations[*key, protocol] = servable.duration
            requests.update({(*key, protocol, str(int(code))): count for code, count in servable.codes.items()})
    labels = ("model", "version", "protocol", "code")
    yield _counter("inference_requests", "Inference requests answered", labels, requests)
    yield _histogram("inference_request_duration_seconds", "Receiving to answering", labels[:3], durations)
    yield _histogram("inference_queue_wait_seconds", "Waiting for the model's turn", labels[:2], waits)
    yield _histogram("inference_batch_rows", "Rows in one run of the model", labels[:2], rows)


def lookup_families(versions: Versions) -> Iterator[Metric]:
    """Yield what is counted of look-ups; of models without any, nothing."""
    counted = {(*key, name): lookup for key, series in versions.items() for name, lookup in series.lookups.items()}
    labels = ("model", "version", "lookup", "result")
    keys: Counts = {(*key, result): count for key, lookup in counted.items() for result, count in lookup.keys.items()}
    queries: Counts = {
        (*key, result): count for key, lookup in counted.items() for result, count in lookup.queries.items()
    }
    durations: _Histograms = {key: lookup.duration for key, lookup in counted.items()}
    yield _counter("inference_lookup_keys", "Keys looked up, by where their rows came from", labels, keys)
    yield _counter("inference_lookup_queries", "Queries of the source of a look-up", labels, queries)
    yield _histogram("inference_lookup_query_duration_seconds", "Asking to knowing", labels[:3], durations)


def model_families(
    models: Mapping[str, ModelSeries], versions: Versions, loads: Counts, swaps: Counts
) -> Iterator[Metric]:
    """Yield what is counted of models and their versions."""
    for stage in ("preprocess", "predict", "postprocess"):
        timings: _Histograms = {(name,): getattr(series, stage) for name, series in models.items()}
        yield _histogram(f"request_{stage}_seconds", f"KServe's {stage} stage", ("model_name",), timings)
    info = InfoMetricFamily("model", "Model versions being served", labels=("model", "version"))
    loaded_at = GaugeMetricFamily(
        "model_last_load_timestamp_seconds", "When it was last loaded", labels=("model", "version")
    )
    created = GaugeMetricFamily("model_created_timestamp_seconds", "When it was published", labels=("model", "version"))
    for key, series in versions.items():
        if series.info:
            info.add_metric(key, series.info)
            loaded_at.add_metric(key, series.loaded_at)
            if series.created is not None:
                created.add_metric(key, series.created)
    yield from (info, loaded_at, created)
    yield _counter("model_loads", "Attempts to load a version", ("model", "result"), loads)
    yield _counter("model_swaps", "New versions in place of others", ("model", "result"), swaps)


def server_families(load: Load, versions: Versions, rejected: Counts) -> Iterator[Metric]:
    """Yield how busy the server is; of versions that are served no longer, nothing."""
    yield GaugeMetricFamily("inference_requests_in_flight", "Requests being answered", value=load.in_flight)
    yield GaugeMetricFamily("inference_in_flight_limit", "Requests in flight allowed", value=load.in_flight_limit)
    depth = GaugeMetricFamily(
        "inference_queue_depth", "Requests waiting for the model's turn", labels=("model", "version")
    )
    for key, waiting in load.waiting.items():
        if key in versions:
            depth.add_metric(key, waiting)
    yield depth
    yield GaugeMetricFamily("inference_queue_limit", "Requests that may wait for one model", value=load.queue_limit)
    yield _counter("inference_rejected", "Requests turned away", ("reason",), rejected)


def drift_families(drift: Drift, counted: Mapping[tuple[str, str], Any]) -> Iterator[Metric]:
    """Yield how far each version's input and answers are from its profile; nothing but the rows where those are few."""
    labels = ("model", "version", "feature")
    seen = GaugeMetricFamily("inference_drift_rows", "Rows that drift is told from", labels=labels[:2])
    stability = GaugeMetricFamily("inference_drift_psi", "Population stability index", labels=labels)
    distance = GaugeMetricFamily("inference_drift_ks", "Kolmogorov-Smirnov statistic", labels=labels)
    missing = GaugeMetricFamily("inference_missing_ratio", "Share of rows without a value", labels=labels)
    beyond = GaugeMetricFamily("inference_out_of_range_ratio", "Share of values unlike any published", labels=labels)
    answers = GaugeMetricFamily("inference_prediction_drift_psi", "The same of predictions", labels=labels[:2])
    for key, monitor in drift:
        if key not in counted:
            continue
        rows, features, predictions = monitor.split(counted[key])
        seen.add_metric(key, rows)
        if rows >= MIN_ROWS:
            for feature, counts in zip(monitor.profile.features, features, strict=True):
                values = (*key, feature.name)
                stability.add_metric(values, psi(feature.bins.counts, counts))
                missing.add_metric(values, missing_ratio(counts))
                if (share := out_of_range_ratio(feature.bins, counts)) is not None:
                    beyond.add_metric(values, share)
                if isinstance(feature.bins, Ranges) and (furthest := ks(feature.bins, counts)) is not None:
                    distance.add_metric(values, furthest)
        if monitor.profile.predictions is not None and predictions is not None and predictions.sum() >= MIN_ROWS:
            answers.add_metric(key, psi(monitor.profile.predictions.counts, predictions))
    yield from (seen, stability, distance, missing, beyond, answers)


def _counter(name: str, text: str, labels: _Labels, counts: Counts) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, count in counts.items():
        family.add_metric(values, count)
    return family


def _histogram(name: str, text: str, labels: _Labels, histograms: _Histograms) -> Metric:
    family = HistogramMetricFamily(name, text, labels=labels)
    for values, histogram in histograms.items():
        family.add_metric(values, histogram.buckets(), histogram.total)
    return family
