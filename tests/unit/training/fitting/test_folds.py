from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.training.fitting.samples import classes, configured, numbers
from training.errors import DataError
from training.fitting import Sample
from training.fitting.folds import folds

X = numbers(60)


def test_folds_keep_proportions_and_score_each_row_once() -> None:
    sample = Sample(X, classes(X, ("a", "b")))
    found = folds(sample, configured(), 3)
    assert sorted(np.concatenate([test for _, test in found])) == list(range(60))
    shares = [float((sample.y.iloc[test] == "a").mean()) for _, test in found]
    assert max(shares) - min(shares) < 0.06


def test_folds_of_a_regression_are_drawn_by_the_seed() -> None:
    sample = Sample(X, X["a"])
    first, again, other = (
        folds(sample, configured(task="regression", split={"seed": seed}), 3)[0][1].tolist() for seed in (1, 1, 2)
    )
    assert first == again != other


@pytest.mark.parametrize("stratify", [True, False])
def test_no_group_is_on_both_sides_of_a_fold(*, stratify: bool) -> None:
    groups = pd.Series(np.arange(60) // 4)
    sample = Sample(X, classes(X, ("a", "b")), groups=groups)
    for train, test in folds(sample, configured(split={"group": "g", "stratify": stratify}), 3):
        assert not set(groups.iloc[train]) & set(groups.iloc[test])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=8, max_size=40))
def test_a_fold_by_time_is_fitted_on_what_is_older(times: list[int]) -> None:
    sample = Sample(X.iloc[: len(times)], X["a"].iloc[: len(times)], times=pd.Series(times))
    try:
        found = folds(sample, configured(task="regression", split={"time": "t"}), 3)
    except DataError:
        assert len(set(times)) <= 3
        return
    assert len(found) == 3
    for train, test in found:
        assert max(np.array(times)[train]) < min(np.array(times)[test])


@pytest.mark.parametrize(
    ("aside", "way", "sentence"),
    [
        ({}, {}, "class 'b' has 2 rows to fit on, fewer than the 3 folds; add rows, take fewer folds, or set split."),
        ({"groups": [1] * 30 + [2] * 30}, {"group": "g", "stratify": False}, "2 groups to fit on are fewer than the 3"),
        ({"times": [1, 2] * 30}, {"time": "t"}, "2 moments to fit on are too few for 3 folds; expected 4 or more"),
    ],
)
def test_too_few_rows_are_told(aside: dict[str, Any], way: dict[str, Any], sentence: str) -> None:
    sample = Sample(X, pd.Series(["a"] * 58 + ["b"] * 2), **{name: pd.Series(aside[name]) for name in aside})
    with pytest.raises(DataError) as caught:
        folds(sample, configured(split=way), 3)
    assert str(caught.value).startswith(sentence)


def test_fewer_rows_than_folds_are_told() -> None:
    with pytest.raises(DataError, match="2 rows to fit on are fewer than the 3 folds"):
        folds(Sample(X.head(2), X["a"].head(2)), configured(task="regression"), 3)
