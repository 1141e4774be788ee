from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from tests.unit.training.validation.conftest import Run

ReadFailures = Callable[[], list[tuple[object, ...]]]
NUMBERS = [*range(1, 100), 1000]


def rows(numbers: list[int]) -> str:
    return "n,kind\n" + "".join(f"{number},{i}\n" for i, number in enumerate(numbers))


def far(run: Run, **outliers: object) -> list[float]:
    columns = {"n": {"kind": "number", "outliers": outliers}}
    found = run(rows(NUMBERS), task="regression", columns=columns)
    bounds = found.report["columns"]["n"]["outliers"]
    assert bounds["rows"] == 1
    return [bounds["low"], bounds["high"]]


def test_a_range_is_given(run: Run) -> None:
    assert far(run, method="range", high=500) == [None, 500]
    assert far(run, method="range", low=1.5) == [1.5, None]


def test_interquartile_ranges_are_those_of_numpy(run: Run) -> None:
    first, third = np.quantile(NUMBERS, [0.25, 0.75])
    assert far(run, method="iqr") == pytest.approx([first - 1.5 * (third - first), third + 1.5 * (third - first)])
    assert far(run, method="iqr", reach=3) == pytest.approx([first - 3 * (third - first), third + 3 * (third - first)])


def test_standard_deviations_are_those_of_numpy(run: Run) -> None:
    mean, deviation = np.mean(NUMBERS), np.std(NUMBERS)
    assert far(run, method="zscore") == pytest.approx([mean - 3 * deviation, mean + 3 * deviation])


def test_an_outlier_is_quarantined(run: Run, failures: ReadFailures) -> None:
    columns = {"n": {"kind": "number", "outliers": {"method": "iqr"}}}
    found = run(rows(NUMBERS), task="regression", columns=columns)
    assert failures() == [(100, "n", "outlier", "1000", "a value from -48.5 to 149.5")]
    assert found.X["n"].max() == 99


def test_an_outlier_is_clipped(run: Run) -> None:
    columns = {"n": {"kind": "number", "outliers": {"method": "iqr", "action": "clip"}}}
    found = run(rows(NUMBERS), task="regression", columns=columns)
    assert found.X["n"].iloc[-1] == 149.5
    assert found.counts.kept == 100


def test_an_outlier_is_only_counted(run: Run) -> None:
    columns = {"n": {"kind": "number", "outliers": {"method": "iqr", "action": "keep"}}}
    found = run(rows(NUMBERS), task="regression", columns=columns)
    assert found.X["n"].iloc[-1] == 1000
    assert found.report["columns"]["n"]["outliers"]["rows"] == 1


def test_a_column_without_a_word_of_its_own_is_held_to_the_default(run: Run, failures: ReadFailures) -> None:
    table = pd.DataFrame({"n": NUMBERS, "m": NUMBERS[::-1], "t": ["x", "y"] * 50, "kind": NUMBERS})
    columns = {"m": {"kind": "number", "outliers": {"method": "range", "high": 2000}}}
    run(table, task="regression", columns=columns, cleaning={"outliers": {"method": "zscore"}})
    assert [(row, column) for row, column, *_ in failures()] == [(100, "n")]  # neither the target nor m


def test_what_is_impossible_does_not_decide_what_is_far(run: Run, failures: ReadFailures) -> None:
    columns = {"n": {"kind": "number", "max": 500, "outliers": {"method": "zscore"}}}
    found = run(rows(NUMBERS), task="regression", columns=columns)
    assert [check for _, _, check, *_ in failures()] == ["max", "outlier"]
    assert found.report["columns"]["n"]["outliers"]["rows"] == 0


def test_where_half_of_the_numbers_are_the_same_none_is_far(run: Run) -> None:
    columns = {"n": {"kind": "number", "outliers": {"method": "iqr"}}}
    found = run(rows([5] * 90 + [1, 9]), task="regression", columns=columns)
    assert found.counts.quarantined == 0
    assert found.report["columns"]["n"]["outliers"] == {
        "method": "iqr",
        "action": "quarantine",
        "low": None,
        "high": None,
        "rows": 0,
    }
