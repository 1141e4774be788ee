import copy

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from tests.unit.training.fitting.samples import classes, configured, numbers
from training.errors import DataError
from training.fitting import Sample

X = numbers(4)
Y = classes(X)


def of(column: list[object], **changes: object) -> Sample:
    return Sample.of(X, Y, {"c": pd.Series(column, name="c")}, configured(**changes))


@pytest.mark.parametrize(
    "column",
    [
        ["10", "9", "9", "8"],
        ["2026-02-01", "2026-01-31", "2026-01-31T00:00:00Z", "2025-12-31"],
        list(pd.to_datetime(["2026-02-01", "2026-01-31", "2026-01-31", "2025-01-01"])),
        [4.5, 3.5, 3.5, 2.5],
    ],
)
def test_dates_and_numbers_have_an_order(column: list[object]) -> None:
    times = of(column, split={"time": "c"}).times
    assert times is not None
    assert times.rank(method="dense").tolist() == [3, 2, 2, 1]


def test_a_date_is_compared_by_its_moment() -> None:
    times = of(
        ["2026-01-01T01:00:00Z", "2025-12-31T23:30:00-02:00", "2026-01-01", "2026-01-02"], split={"time": "c"}
    ).times
    assert times is not None
    assert times.argsort().tolist() == [2, 0, 1, 3]


@pytest.mark.parametrize(
    ("column", "changes", "sentence"),
    [
        (
            ["x", None, "y", None],
            {"split": {"group": "c"}},
            "split.group names column 'c', which is missing in 2 of 4 rows; expected a value in each",
        ),
        (
            ["2026-01-01", "yesterday", "2026-01-02", "2026-01-03"],
            {"split": {"time": "c"}},
            "split.time names column 'c', which has 'yesterday' in row 2; expected numbers or ISO 8601 dates",
        ),
        (
            ["1", "1", "-1", "2"],
            {"sample_weight": "c"},
            "sample_weight names column 'c', which has '-1' in row 3; expected numbers of 0 or more",
        ),
        (
            ["1", "1", "inf", "2"],
            {"sample_weight": "c"},
            "sample_weight names column 'c', which has 'inf' in row 3; expected numbers of 0 or more",
        ),
    ],
)
def test_a_value_that_tells_nothing_is_named(column: list[object], changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(DataError) as caught:
        of(column, **changes)
    assert str(caught.value).startswith(sentence)


def test_rows_are_taken_in_the_order_asked_for() -> None:
    taken = of([1, 2, 3, 4], sample_weight="c").take(pd.Index([2, 0]))
    assert taken.X.index.tolist() == taken.y.index.tolist() == [2, 0]
    assert taken.weights is not None
    assert taken.weights.tolist() == [3, 1]
    assert taken.groups is None


def test_rows_are_joined() -> None:
    sample = of([1, 2, 3, 4], split={"group": "c"})
    joined = sample.take(pd.Index([3])).joined(sample.take(pd.Index([1, 2])))
    assert joined.groups is not None
    assert joined.groups.tolist() == [4, 2, 3]
    assert joined.times is None
    assert len(joined) == 3


def test_scikit_learn_does_not_copy_rows() -> None:
    sample = of([1, 2, 3, 4])
    assert clone(sample) is sample
    assert copy.deepcopy(sample) is not sample
    np.testing.assert_array_equal(sample.X, X)
