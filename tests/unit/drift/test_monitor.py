"""What a served version is asked: kept within bounds, counted, faded, and told once there is enough of it."""

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from model.datatypes import Datatype
from model.drift import Categories, Drift, Monitor, Profile, Ranges, monitor
from model.drift.profile import Feature
from model.metrics import Metrics
from model.tensors import Tensor
from model.workers.snapshot import merge

LENGTHS = Ranges(edges=(0.0, 1.0, 2.0), counts=(0, 100, 100, 0, 0))
ISLANDS = Categories(values=("Biscoe", "Dream"), counts=(100, 100, 0, 0))
PROFILE = Profile(
    width=2,
    features=(Feature(name="length", position=0, bins=LENGTHS), Feature(name="island", position=1, bins=ISLANDS)),
    predictions=Categories(values=("Adelie", "Gentoo"), counts=(100, 100, 0, 0)),
)
MATRIX = Profile(width=2, features=(Feature(name="1", position=1, bins=LENGTHS),))


def objects(*values: Any) -> np.ndarray[Any, Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def asked(rows: int, length: float = 0.5, island: Any = "Dream") -> list[Tensor]:
    return [
        Tensor("island", Datatype.BYTES, objects(*[island] * rows)),
        Tensor("length", Datatype.FP64, np.full((rows, 1), length)),
    ]


def answered(rows: int, name: str = "predict") -> list[Tensor]:
    return [Tensor(name, Datatype.BYTES, objects(*["Adelie"] * rows))]


def folded(watched: Monitor) -> Any:
    watched.fold(watched.take())
    return watched.split(watched.counts())


@pytest.fixture
def watched() -> Monitor:
    return Monitor(PROFILE, 3600.0)


def test_columns_are_counted_by_name_in_whatever_order_they_come(watched: Monitor) -> None:
    watched.offer(asked(3), answered(3), 100)
    watched.offer(asked(1, np.nan, None), answered(1, "predict_proba"), 100)
    rows, (length, island), predictions = folded(watched)
    assert rows == pytest.approx(4)
    assert length == pytest.approx([0, 3, 0, 0, 1])
    assert island == pytest.approx([0, 3, 0, 1])
    assert predictions == pytest.approx([3, 0, 0, 0])


def test_columns_of_a_matrix_are_counted_by_position() -> None:
    watched = Monitor(MATRIX, 3600.0)
    watched.offer([Tensor("any", Datatype.FP32, np.array([[9, 0.5], [9, 5]], dtype=np.float32))], [], 8)
    rows, (second,), predictions = folded(watched)
    assert (rows, predictions) == (pytest.approx(2), None)
    assert second == pytest.approx([0, 1, 0, 1, 0])


def test_of_many_requests_as_many_are_kept_as_of_few_and_all_alike(watched: Monitor) -> None:
    for number in range(2000):
        watched.offer(asked(1, float(number)), answered(1), 100)
    kept = [inputs[1].data[0, 0] for inputs, _ in watched.take()]
    assert len(kept) == monitor.MOST_REQUESTS
    assert 400 < np.mean(kept) < 1600
    assert not watched.take()


def test_of_a_large_request_some_rows_are_kept_and_nothing_of_its_body(watched: Monitor) -> None:
    inputs = asked(10_000)
    inputs[1].data[:] = np.linspace(0.1, 1.9, 10_000).reshape(-1, 1)
    watched.offer(inputs, answered(10_000), 400_000)
    ((kept, _),) = watched.take()
    assert [len(tensor.data) for tensor in kept] == [monitor.MOST_ROWS] * 2
    assert not np.shares_memory(kept[1].data, inputs[1].data)
    watched.offer(inputs, answered(10_000), 100 * monitor.MOST_BYTES)
    rows, (length, _), _ = folded(watched)
    assert rows == pytest.approx(100)
    assert length == pytest.approx([0, 50, 50, 0, 0])


def test_a_row_that_is_very_large_is_not_kept(watched: Monitor) -> None:
    watched.offer(asked(1), answered(1), 2 * monitor.MOST_BYTES)
    assert not watched.take()


def test_what_was_counted_weighs_half_after_the_half_life(watched: Monitor) -> None:
    watched.offer(asked(8), answered(8), 100)
    folded(watched)
    then, counts = watched._state
    assert watched.counts(then + 3600) == pytest.approx(counts / 2)
    assert watched.counts(then + 2 * 3600) == pytest.approx(counts / 4)


def test_what_can_not_be_counted_is_told_without_its_values_and_the_rest_goes_on(
    watched: Monitor, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    drift = Drift(3600.0)
    drift.watch("bad", "1", PROFILE)
    drift.watch("penguins", "1", PROFILE)
    for (model, _), each in drift:
        island = "secret" if model == "bad" else "Dream"
        inputs = asked(1, island=island)
        if model == "bad":
            inputs[1] = Tensor("length", Datatype.BYTES, objects("secret"))
        each.offer(inputs, answered(1), 10)
    asyncio.run(drift.fold())
    assert [float(each.counts().round()[0]) for _, each in drift] == [0.0, 1.0]
    assert "secret" not in caplog.text + "".join(capsys.readouterr())


def test_a_version_is_watched_by_its_own_profile_from_nothing_and_no_longer_than_it_is_served() -> None:
    drift = Drift(3600.0)
    drift.watch("penguins", "1", PROFILE)
    first = drift.of("penguins", "1", PROFILE)
    assert first is not None
    other = PROFILE.model_copy()
    drift.watch("penguins", "1", other)
    assert drift.of("penguins", "1", PROFILE) is None
    assert drift.of("penguins", "1", other) is not first
    drift.watch("penguins", "1", None)
    assert not list(drift)
    drift.watch("penguins", "2", PROFILE)
    drift.forget("penguins", "2")
    assert drift.of("penguins", "2", PROFILE) is None


def test_nothing_is_watched_where_it_is_turned_off() -> None:
    drift = Drift(0)
    drift.watch("penguins", "1", PROFILE)
    assert not list(drift)
    asyncio.run(drift.run())


def metrics_of(*requests: list[Tensor]) -> Metrics:
    metrics = Metrics(3600.0)
    metrics.loaded(
        "penguins", "1", sha256="", sklearn="", engine="sklearn", verified=True, profile=PROFILE.model_copy()
    )
    ((_, watched),) = metrics.drift
    for inputs in requests:
        watched.offer(inputs, answered(len(inputs[0].data)), 100)
    watched.fold(watched.take())
    return metrics


def told(page: bytes) -> Iterator[tuple[str, str, float]]:
    for family in text_string_to_metric_families(page.decode()):
        for sample in family.samples:
            if "drift" in sample.name or sample.name.endswith(("missing_ratio", "range_ratio")):
                yield sample.name, sample.labels.get("feature", ""), sample.value


def test_of_few_rows_their_number_alone_is_told() -> None:
    page, _ = metrics_of(asked(250)).page()
    assert {(name, round(value)) for name, _, value in told(page)} == {("inference_drift_rows", 250)}


def test_of_enough_rows_every_feature_and_the_predictions_are_told() -> None:
    found = {
        (name, feature): value
        for name, feature, value in told(metrics_of(asked(200), asked(200), asked(200, 7.0)).page()[0])
    }
    assert found["inference_drift_psi", "length"] > 0.2
    assert found["inference_drift_ks", "length"] == pytest.approx(1 / 3)
    assert found["inference_out_of_range_ratio", "length"] == pytest.approx(1 / 3)
    assert found["inference_out_of_range_ratio", "island"] == found["inference_missing_ratio", "length"] == 0
    assert found["inference_prediction_drift_psi", ""] > 0.2
    assert ("inference_drift_ks", "island") not in found


def test_several_workers_are_told_of_as_one_even_by_one_that_nobody_has_asked() -> None:
    halves = [metrics_of(asked(100, 0.5), asked(200, 1.5)), metrics_of(asked(250, 0.5), asked(250, 1.5)), metrics_of()]
    total = merge([metrics.snapshot() for metrics in halves])
    whole = metrics_of(asked(100, 0.5), asked(200, 1.5), asked(250, 0.5), asked(250, 1.5))
    alone = {(name, feature): value for name, feature, value in told(whole.page()[0])}
    for accept in (None, "application/openmetrics-text"):
        page = halves[2].page(accept, total)[0]
        assert page.count(b"# TYPE inference_drift_psi gauge") == 1
    together = {(name, feature): value for name, feature, value in told(halves[2].page(None, total)[0])}
    assert together == pytest.approx(alone, rel=1e-2, abs=1e-3)


def test_counts_of_another_profile_are_not_added() -> None:
    one, other = metrics_of(asked(250)), Metrics(3600.0)
    other.loaded("penguins", "1", sha256="", sklearn="", engine="sklearn", verified=True, profile=MATRIX)
    total = merge([one.snapshot(), other.snapshot()])
    assert [round(value) for _, _, value in told(one.page(None, total)[0])] == [250]
    assert [round(value) for _, _, value in told(other.page(None, total)[0])] == [0]
