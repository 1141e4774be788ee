"""Counts of several processes: what is added up, what is not, and what outlives a process."""

from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from model.metrics import Metrics, ModelStatistics
from model.workers.snapshot import EMPTY, Snapshot, label_key, merge, pruned, retained

MODELS = ("penguins", "flowers")
KINDS = {
    "inference_requests": "counter",
    "inference_batch_rows": "histogram",
    "inference_requests_in_flight": "gauge",
    "process_start_time_seconds": "gauge",
    "model_last_load_timestamp_seconds": "gauge",
    "model": "info",
}
SUMMED = ("inference_requests", "inference_batch_rows", "inference_requests_in_flight")

counts = st.integers(min_value=0, max_value=2**40)
keys = st.builds(lambda model: label_key("sample", {"model": model, "version": "1"}), st.sampled_from(MODELS))
durations = st.fixed_dictionaries({"count": counts, "ns": counts})
statistics = st.builds(
    lambda name, latest, rows, success: {
        "name": name,
        "version": "1",
        "last_inference_ms": latest,
        "inference_count": rows,
        "success": success,
    },
    st.sampled_from(MODELS),
    counts,
    counts,
    durations,
).map(lambda counted: {label_key(counted["name"], "1"): counted})
snapshots = st.builds(
    lambda families, counted: {
        "families": {name: {"type": KINDS[name], "help": name, "samples": values} for name, values in families.items()},
        "statistics": counted,
    },
    st.dictionaries(st.sampled_from(sorted(KINDS)), st.dictionaries(keys, counts)),
    statistics | st.just({}),
)


def value(snapshot: Snapshot, family: str, key: str) -> Any:
    return snapshot["families"].get(family, {"samples": {}})["samples"].get(key)


@given(st.lists(snapshots, max_size=4), st.integers(min_value=0, max_value=4))
def test_the_order_of_adding_up_is_no_matter(many: list[Snapshot], middle: int) -> None:
    whole = merge(many)
    assert merge([merge(many[:middle]), merge(many[middle:])]) == whole
    assert merge(reversed(many)) == whole
    assert reduce(lambda one, other: merge([one, other]), many, merge([EMPTY])) == whole


@given(st.lists(snapshots, min_size=1, max_size=4))
def test_counts_are_sums_and_times_are_the_first_or_the_last(many: list[Snapshot]) -> None:
    whole = merge(many)
    for family in KINDS:
        rule = {"process_start_time_seconds": min}.get(family, sum if family in SUMMED else max)
        for model in MODELS:
            key = label_key("sample", {"model": model, "version": "1"})
            values = [found for one in many if (found := value(one, family, key)) is not None]
            assert value(whole, family, key) == (rule(values) if values else None)
    for model in MODELS:
        key = label_key(model, "1")
        found = [one["statistics"][key] for one in many if key in one["statistics"]]
        if found:
            total = whole["statistics"][key]
            assert total["last_inference_ms"] == max(counted["last_inference_ms"] for counted in found)
            assert total["inference_count"] == sum(counted["inference_count"] for counted in found)
            assert total["success"]["ns"] == sum(counted["success"]["ns"] for counted in found)


@given(snapshots)
def test_counts_outlive_their_process_and_gauges_do_not(snapshot: Snapshot) -> None:
    left = retained(snapshot)
    assert left["statistics"] == snapshot["statistics"]
    assert set(left["families"]) == set(snapshot["families"]) & {"inference_requests", "inference_batch_rows"}


@given(st.lists(snapshots, min_size=1, max_size=3))
def test_adding_up_changes_none_of_its_parts(many: list[Snapshot]) -> None:
    before = repr(many)
    merge(many)
    assert repr(many) == before


def counted(*models: str) -> Metrics:
    metrics = Metrics()
    for model in models:
        with metrics.loading(model):
            metrics.loaded(model, "3", sha256="ab12", sklearn="1.9.0", verified=True, engine="sklearn", created=1.7e9)
        for code in (200, 200, 500):
            metrics.of(model, "3", "rest").observe(
                code, 0.5, rows=4, queue_seconds=0.25, decode_seconds=0.25, predict_seconds=0.25, encode_seconds=0.25
            )
    metrics.unrouted("grpc", 404)
    return metrics


def test_a_version_that_is_served_no_longer_takes_its_series_with_it() -> None:
    left = pruned(retained(counted(*MODELS).snapshot()), [label_key("penguins", "3")])
    text = str(left)
    loads = left["families"]["model_loads"]["samples"]
    assert set(left["statistics"]) == {label_key("penguins", "3")}
    assert "flowers" not in text.replace(str(loads), "")
    assert any("flowers" in key for key in loads)
    requests = left["families"]["inference_requests"]["samples"]
    assert sum(requests.values()) == 4, "those for no model at all stay"
    assert any("penguins" in key for key in left["families"]["request_predict_seconds"]["samples"])


def samples(page: bytes) -> dict[Any, float]:
    families = text_string_to_metric_families(page.decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        if not family.name.startswith(("process_", "python_"))
        for sample in family.samples
    }


@pytest.mark.parametrize("accept", [None, "application/openmetrics-text"])
def test_a_snapshots_page_is_that_of_the_metrics_it_was_taken_of(accept: str | None) -> None:
    metrics = counted(*MODELS)
    own, total = metrics.page(accept), metrics.page(accept, merge([metrics.snapshot()]))
    assert own[1] == total[1]
    assert samples(own[0].replace(b"# EOF\n", b"")) == samples(total[0].replace(b"# EOF\n", b""))


def test_the_page_and_the_statistics_of_two_are_twice_those_of_one() -> None:
    metrics = counted("penguins")
    total = merge([metrics.snapshot(), metrics.snapshot()])
    own, twice = samples(metrics.page()[0]), samples(metrics.page(total=total)[0])
    for (name, labels), number in own.items():
        same = name == "model_info" or name.endswith("_timestamp_seconds")
        assert twice[name, labels] == number * (1 if same else 2), name
    one, both = metrics.statistics("penguins", "3"), metrics.statistics("penguins", "3", total)
    assert isinstance(both, ModelStatistics)
    assert both.last_inference_ms == one.last_inference_ms
    assert both.inference_count == 2 * one.inference_count
    assert both.success.ns == 2 * one.success.ns
    assert metrics.statistics("flowers", "1", total).inference_count == 0
