"""Metrics: what one request changes, names and buckets that are promised, what ends with a version."""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from model.datatypes import Datatype
from model.drift import Profile, Ranges
from model.drift.profile import Feature
from model.errors import (
    InvalidInput,
    MethodNotAllowed,
    NotReady,
    Overloaded,
    ServingError,
    SourceUnavailable,
    TooLarge,
)
from model.metrics import REASONS, SECONDS, Duration, Load, Metrics, ModelStatistics, ServableMetrics
from model.tensors import Tensor
from model.workers.roster import Roster
from model.workers.snapshot import Snapshot, merge

ROOT = Path(__file__).resolve().parents[2]
OPENMETRICS = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;q=0.3,*/*;q=0.2"
VERSION = {"model": "penguins", "version": "3"}

MASS = Ranges(edges=(0.0, 1.0, 2.0), counts=(0, 100, 100, 0, 0))
PROFILE = Profile(width=1, features=(Feature(name="mass", position=0, bins=MASS),), predictions=MASS)

Sample = tuple[str, frozenset[tuple[str, str]]]


@pytest.fixture
def metrics() -> Metrics:
    """Metrics in which every family has a sample."""
    metrics = Metrics(drift_half_life_seconds=float("inf"))  # so that nothing changes by itself
    about = {"sha256": "ab12", "sklearn": "1.9.0", "engine": "onnx", "verified": True, "created": 1.7e9}
    with metrics.loading("penguins"):
        metrics.loaded("penguins", "3", **about, profile=PROFILE)  # type: ignore[arg-type]  # of several types
    ((_, monitor),) = metrics.drift
    mass = Tensor("mass", Datatype.FP64, np.full(256, 0.5))
    monitor.fold([([mass], [Tensor("predict", Datatype.FP64, mass.data)])] * 3)
    metrics.swapped("penguins", success=1)
    observe(metrics.of("penguins", "3", "rest"))
    metrics.runs("penguins", "3")(4)
    metrics.lookups("penguins", "3", "customers").queried("success", 0.002)
    metrics.watch(lambda: Load(1, 256, {("penguins", "3"): 1}, 128))
    return metrics


def observe(servable: ServableMetrics, code: int = 200) -> None:
    servable.observe(
        code, 0.25, rows=4, queue_seconds=0.0005, decode_seconds=0.01, predict_seconds=0.125, encode_seconds=0.002
    )


def families(metrics: Metrics, total: Snapshot | None = None) -> list[Metric]:
    return [
        family
        for family in parse_text(metrics.page(total=total)[0].decode())
        if not family.name.startswith(("process_", "python_"))
    ]


def samples(metrics: Metrics) -> dict[Sample, float]:
    found = (sample for family in families(metrics) for sample in family.samples)
    return {(sample.name, frozenset(sample.labels.items())): sample.value for sample in found}


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return samples(metrics).get((name, frozenset(labels.items())))


@pytest.mark.parametrize(
    ("name", "labels", "wanted"),
    [
        ("inference_requests_total", VERSION | {"protocol": "rest", "code": "200"}, 1),
        ("inference_request_duration_seconds_count", VERSION | {"protocol": "rest"}, 1),
        ("inference_request_duration_seconds_sum", VERSION | {"protocol": "rest"}, 0.25),
        ("inference_request_duration_seconds_bucket", VERSION | {"protocol": "rest", "le": "0.1"}, 0),
        ("inference_request_duration_seconds_bucket", VERSION | {"protocol": "rest", "le": "0.25"}, 1),
        ("inference_request_duration_seconds_bucket", VERSION | {"protocol": "rest", "le": "+Inf"}, 1),
        ("inference_queue_wait_seconds_sum", VERSION, 0.0005),
        ("inference_batch_rows_count", VERSION, 1),
        ("inference_batch_rows_sum", VERSION, 4),
        ("inference_batch_rows_bucket", VERSION | {"le": "2.0"}, 0),
        ("inference_batch_rows_bucket", VERSION | {"le": "5.0"}, 1),
        ("request_preprocess_seconds_sum", {"model_name": "penguins"}, 0.01),
        ("request_predict_seconds_sum", {"model_name": "penguins"}, 0.125),
        ("request_postprocess_seconds_sum", {"model_name": "penguins"}, 0.002),
        ("model_info", VERSION | {"sha256": "ab12", "sklearn": "1.9.0", "engine": "onnx", "verified": "true"}, 1),
        ("model_loads_total", {"model": "penguins", "result": "success"}, 1),
        ("model_loads_total", {"model": "penguins", "result": "failure"}, 0),
        ("model_swaps_total", {"model": "penguins", "result": "success"}, 1),
        ("model_swaps_total", {"model": "penguins", "result": "failure"}, 0),
        ("inference_requests_in_flight", {}, 1),
        ("inference_in_flight_limit", {}, 256),
        ("inference_queue_depth", VERSION, 1),
        ("inference_queue_limit", {}, 128),
        ("inference_rejected_total", {"reason": "overloaded"}, 0),
    ],
)
def test_a_version_loaded_and_asked_once(name: str, labels: dict[str, str], wanted: float, metrics: Metrics) -> None:
    assert value(metrics, name, **labels) == wanted


def test_a_version_without_requests_shows_zeros() -> None:
    metrics = Metrics()
    metrics.of("penguins", "", "grpc")
    count = value(metrics, "inference_request_duration_seconds_count", model="penguins", version="", protocol="grpc")
    assert count == 0


def test_a_failure_counts_by_its_code_and_in_the_duration_alone(metrics: Metrics) -> None:
    before = samples(metrics)
    observe(metrics.of("penguins", "3", "rest"), code=400)
    after = samples(metrics)
    changed = {name for name, _ in after if not name.endswith("_bucket")} & {
        name for (name, labels), now in after.items() if before.get((name, labels)) != now
    }
    assert changed == {
        "inference_requests_total",
        "inference_request_duration_seconds_count",
        "inference_request_duration_seconds_sum",
    }
    assert value(metrics, "inference_requests_total", **VERSION, protocol="rest", code="400") == 1


def test_a_status_of_the_standard_library_is_written_as_its_number(metrics: Metrics) -> None:
    metrics.of("penguins", "3", "rest").observe(InvalidInput.http_status, 0.1)
    metrics.of("penguins", "3", "rest").observe(400, 0.1)
    metrics.unrouted("rest", InvalidInput.http_status)
    assert value(metrics, "inference_requests_total", **VERSION, protocol="rest", code="400") == 2
    assert value(metrics, "inference_requests_total", model="", version="", protocol="rest", code="400") == 1


def test_a_value_on_a_bound_lies_below_it(metrics: Metrics) -> None:
    servable = metrics.of("penguins", "3", "grpc")
    for seconds in (0.1, 0.1000001, 11.0):
        servable.observe(200, seconds)
    buckets = {
        bound: value(metrics, "inference_request_duration_seconds_bucket", **VERSION, protocol="grpc", le=bound)
        for bound in ("0.05", "0.1", "0.25", "10.0", "+Inf")
    }
    assert buckets == {"0.05": 0, "0.1": 1, "0.25": 2, "10.0": 2, "+Inf": 3}


def test_the_buckets_run_from_a_tenth_of_a_millisecond_to_ten_seconds() -> None:
    assert (SECONDS[0], SECONDS[-1]) == (0.0001, 10.0)
    assert 0.1 in SECONDS
    assert list(SECONDS) == sorted(set(SECONDS))


def test_the_same_counters_are_given_for_the_same_version(metrics: Metrics) -> None:
    assert metrics.of("penguins", "3", "rest") is metrics.of("penguins", "3", "rest")
    assert metrics.of("penguins", "3", "rest") is not metrics.of("penguins", "3", "grpc")


def test_statistics_cover_both_protocols(metrics: Metrics) -> None:
    before = time.time()
    grpc = metrics.of("penguins", "3", "grpc")
    observe(grpc)
    observe(grpc, code=500)
    for _ in range(2):
        metrics.runs("penguins", "3")(4)
    statistics = metrics.statistics("penguins", "3")
    assert before * 1000 - 1 <= statistics.last_inference_ms <= time.time() * 1000
    assert statistics == ModelStatistics(
        name="penguins",
        version="3",
        last_inference_ms=statistics.last_inference_ms,
        inference_count=8,
        execution_count=3,
        success=Duration(2, 500_000_000),
        fail=Duration(1, 250_000_000),
        queue=Duration(2, 1_000_000),
        compute_input=Duration(2, 20_000_000),
        compute_infer=Duration(2, 250_000_000),
        compute_output=Duration(2, 4_000_000),
    )


def test_statistics_before_the_first_request_are_zero() -> None:
    statistics = Metrics().statistics("penguins", "3")
    assert (statistics.last_inference_ms, statistics.execution_count, statistics.success) == (0, 0, Duration(0, 0))


def test_an_unloaded_version_takes_its_series_along(metrics: Metrics) -> None:
    late = metrics.of("penguins", "3", "rest")
    observe(metrics.of("penguins", "4", "rest"))
    metrics.remove("penguins", "3")
    observe(late)
    labels = [dict(pairs) for _, pairs in samples(metrics)]
    assert {found["version"] for found in labels if "version" in found} == {"4"}
    assert value(metrics, "request_predict_seconds_count", model_name="penguins") == 3


def test_a_model_without_versions_left_takes_kserves_series_along(metrics: Metrics) -> None:
    metrics.remove("penguins", "3")
    metrics.remove("penguins", "3")
    assert not [pairs for _, pairs in samples(metrics) if ("model_name", "penguins") in pairs]
    assert value(metrics, "model_loads_total", model="penguins", result="success") == 1


def test_a_version_loaded_again_has_one_info(metrics: Metrics) -> None:
    metrics.loaded("penguins", "3", sha256="cd34", sklearn="1.9.1", engine="sklearn", verified=False)
    infos = [dict(pairs) for name, pairs in samples(metrics) if name == "model_info"]
    assert infos == [VERSION | {"sha256": "cd34", "sklearn": "1.9.1", "engine": "sklearn", "verified": "false"}]


def test_the_time_of_loading_is_in_seconds_since_the_epoch(metrics: Metrics) -> None:
    loaded = value(metrics, "model_last_load_timestamp_seconds", **VERSION)
    assert loaded is not None
    assert time.time() - 60 < loaded <= time.time()


def test_the_time_of_publishing_is_told_where_a_manifest_tells_it(metrics: Metrics) -> None:
    assert value(metrics, "model_created_timestamp_seconds", **VERSION) == 1.7e9
    metrics.loaded("penguins", "3", sha256="ef", sklearn="", engine="sklearn", verified=False)
    assert value(metrics, "model_created_timestamp_seconds", **VERSION) is None


def test_a_failed_load_is_counted_and_passes_on(metrics: Metrics) -> None:
    with pytest.raises(OSError, match="gone"), metrics.loading("penguins"):
        raise OSError("gone")
    assert value(metrics, "model_loads_total", model="penguins", result="failure") == 1
    assert value(metrics, "model_loads_total", model="penguins", result="success") == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Overloaded("256 requests are in flight"), "overloaded"),
        (TooLarge("too many rows"), "too_large"),
        (NotReady("draining"), "not_ready"),
        (SourceUnavailable("no features"), "lookup"),
        (InvalidInput("no column 'age'"), None),
        (MethodNotAllowed("expected POST", "POST"), None),
    ],
)
def test_what_is_turned_away_is_counted_by_reason(error: ServingError, reason: str | None, metrics: Metrics) -> None:
    metrics.rejected(error)
    counts = {name: value(metrics, "inference_rejected_total", reason=name) for name in REASONS.values()}
    assert counts == {name: float(name == reason) for name in REASONS.values()}


def test_look_ups_are_counted_by_what_became_of_them(metrics: Metrics) -> None:
    lookup = metrics.lookups("penguins", "3", "customers")
    lookup.answered("stale", 3)
    lookup.queried("skipped", 0.0)
    labels = {"model": "penguins", "version": "3", "lookup": "customers"}
    assert value(metrics, "inference_lookup_keys_total", result="stale", **labels) == 3
    assert value(metrics, "inference_lookup_keys_total", result="failed", **labels) == 0
    assert value(metrics, "inference_lookup_queries_total", result="skipped", **labels) == 1
    assert value(metrics, "inference_lookup_query_duration_seconds_count", **labels) == 1
    metrics.remove("penguins", "3")
    assert value(metrics, "inference_lookup_queries_total", result="skipped", **labels) is None


def test_the_admissions_numbers_are_read_when_asked_for(metrics: Metrics) -> None:
    loads = [Load(), Load(3, 256, {("penguins", "3"): 2}, 128)]
    metrics.watch(lambda: loads[-1])
    assert value(metrics, "inference_requests_in_flight") == 3
    assert value(metrics, "inference_in_flight_limit") == 256
    assert value(metrics, "inference_queue_depth", model="penguins", version="3") == 2
    assert value(metrics, "inference_queue_limit") == 128


def test_no_count_is_lost_between_threads() -> None:
    added, overtaken = threading.Event(), threading.Event()

    class Rows(int):
        """A number whose addition leaves time for another thread to add in between, if it can."""

        def __radd__(self, other: int) -> int:
            added.set()
            overtaken.wait(0.2)
            return other + int(self)

    metrics = Metrics()
    servable = metrics.of("penguins", "3", "rest")
    thread = threading.Thread(target=lambda: servable.observe(200, 0.1, rows=Rows(2)))
    thread.start()
    added.wait()
    servable.observe(200, 0.1, rows=3)
    overtaken.set()
    thread.join()
    assert metrics.statistics("penguins", "3").inference_count == 5


@pytest.mark.parametrize("accept", [None, "", "*/*", "text/plain;version=0.0.4", "application/json"])
def test_the_page_is_text_for_most(accept: str | None, metrics: Metrics) -> None:
    body, content_type = metrics.page(accept)
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert names(parse_text(body.decode())) >= names(families(metrics))
    assert not body.endswith(b"# EOF\n")


@pytest.mark.parametrize("accept", [OPENMETRICS, "application/openmetrics-text; version=no-number"])
def test_the_page_is_openmetrics_for_those_who_accept_it(accept: str, metrics: Metrics) -> None:
    body, content_type = metrics.page(accept)
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert "inference_requests" in names(parse_openmetrics(body.decode()))  # type: ignore[no-untyped-call]
    assert body.endswith(b"# EOF\n")


def names(found: Iterable[Metric]) -> set[str]:
    return {family.name for family in found}


def test_names_and_help_follow_the_conventions(metrics: Metrics) -> None:
    for family in families(metrics):
        assert re.fullmatch(r"[a-z]+(_[a-z]+)+", family.name)
        assert family.documentation
        assert not family.documentation.endswith(".")
        assert not re.search(r"_(ms|milliseconds|microseconds|minutes|kb|mb|percent)\b", family.name)
        assert {sample.name.endswith("_total") for sample in family.samples} == {family.type == "counter"}
        assert not {"le", "quantile"} & {key for sample in family.samples for key in sample.labels} or (
            family.type == "histogram"
        )
        assert not [sample.name for sample in family.samples if sample.name.endswith("_created")]


def test_the_reference_lists_each_metric_with_type_and_labels(metrics: Metrics) -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \|", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE)
    listed = {name: (kind, frozenset(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    total = merge([metrics.snapshot(), Roster(2, lambda: None).total()])
    exported = {
        family.name + "_total" * (family.type == "counter"): (
            family.type,
            frozenset(key for sample in family.samples for key in sample.labels if key != "le"),
        )
        for family in families(metrics, total)
    }
    assert listed == exported


def test_every_reason_is_in_the_reference() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text()
    assert not [reason for reason in REASONS.values() if f"`{reason}`" not in text]


def test_two_servers_in_one_process_count_apart(metrics: Metrics) -> None:
    other = Metrics()
    assert value(other, "inference_requests_total", **VERSION, protocol="rest", code="200") is None
    assert value(metrics, "inference_requests_total", **VERSION, protocol="rest", code="200") == 1


def test_kserves_metrics_in_the_same_process_are_no_conflict() -> None:
    program = (
        "import kserve.metrics as theirs, prometheus_client as client\n"
        "from model.metrics import Metrics\n"
        "ours = Metrics(); ours.of('a', '1', 'rest').observe(200, 0.1)\n"
        "theirs.PREDICT_HIST_TIME.labels(model_name='b').observe(0.1)\n"
        "line = 'request_predict_seconds_count{model_name=\"%s\"} 1.0'\n"
        "pages = client.generate_latest().decode(), ours.page()[0].decode()\n"
        "print([line % name in page for page in pages for name in 'ab'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "[False, True, True, False]"
