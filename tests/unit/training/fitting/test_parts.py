import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from tests.unit.training.fitting.samples import classes, configured, numbers
from training.errors import DataError
from training.fitting import TEST, TRAIN, VALIDATION, Sample, split


def sample(*labels: Any, **aside: Any) -> Sample:
    X = pd.DataFrame({"x": np.arange(len(labels), dtype=float)})
    return Sample(X, pd.Series(list(labels), name="kind"), **{name: pd.Series(aside[name]) for name in aside})


def sizes(parts: "pd.Series[str]") -> dict[str, int]:
    return {str(part): int(count) for part, count in parts.value_counts().items()}


def rows(parts: "pd.Series[str]", part: str) -> list[int]:
    return [int(row) for row in parts.index[parts == part]]


def test_every_row_is_in_one_part() -> None:
    parts = split(sample(*"ab" * 20), configured(split={"test_size": 0.3, "validation_size": 0.1}))
    assert sizes(parts) == {TRAIN: 24, VALIDATION: 4, TEST: 12}
    assert sorted(parts.index) == list(range(40))


def test_rows_are_drawn_as_scikit_learn_draws_them() -> None:
    drawn = sample(*"ab" * 20)
    parts = split(drawn, configured(split={"seed": 3}))
    train, test = train_test_split(drawn.y.index, test_size=0.25, random_state=3, stratify=drawn.y)
    assert (rows(parts, TRAIN), rows(parts, TEST)) == (train.tolist(), test.tolist())


@pytest.mark.parametrize("way", [{}, {"group": "g"}])
def test_the_seed_alone_decides(way: dict[str, str]) -> None:
    groups = {"groups": [i // 2 for i in range(40)]} if way else {}
    first, again, other = (
        rows(split(sample(*"ab" * 20, **groups), configured(split={"seed": seed, **way})), TEST) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_a_stratified_split_keeps_proportions() -> None:
    drawn = sample(*"aaab" * 10)
    parts = split(drawn, configured(split={"test_size": 0.2, "validation_size": 0.2}))
    for part in (VALIDATION, TEST):
        assert drawn.y.loc[rows(parts, part)].value_counts().to_dict() == {"a": 6, "b": 2}


def test_groups_keep_proportions_as_well_as_they_can() -> None:
    X = numbers(600)
    drawn = Sample(X, classes(X), groups=pd.Series(np.arange(600) // 6))
    parts = split(drawn, configured(split={"group": "g", "test_size": 0.3}))
    shares = (
        drawn.y.groupby(parts)
        .value_counts(normalize=True)
        .rename("share")
        .reset_index()
        .pivot_table("share", "part", "kind")
    )
    assert sizes(parts)[TEST] == 180
    np.testing.assert_allclose(shares.loc[TEST], shares.loc[TRAIN], atol=0.05)


@settings(max_examples=60, deadline=None)
@given(
    groups=st.lists(st.integers(0, 12), min_size=8, max_size=60),
    stratify=st.booleans(),
    validation_size=st.sampled_from([0.0, 0.2]),
    seed=st.integers(0, 5),
)
def test_no_group_is_on_two_sides(groups: list[int], *, stratify: bool, validation_size: float, seed: int) -> None:
    config = configured(
        split={"group": "g", "stratify": stratify, "validation_size": validation_size, "test_size": 0.3, "seed": seed}
    )
    drawn = sample(*["ab"[i % 2] for i in range(len(groups))], groups=groups)
    try:
        parts = split(drawn, config)
    except DataError:
        return  # too few groups, or groups of one class
    assert sorted(parts.index) == list(range(len(groups)))
    assert TEST in set(parts)
    assert pd.Series(groups).groupby(parts).unique().explode().is_unique


@settings(max_examples=60, deadline=None)
@given(
    times=st.lists(st.integers(0, 15), min_size=4, max_size=60),
    share=st.floats(0.05, 0.6),
    validation_size=st.sampled_from([0.0, 0.2]),
)
def test_what_is_older_is_fitted_on(times: list[int], share: float, validation_size: float) -> None:
    config = configured(task="regression", split={"time": "t", "test_size": share, "validation_size": validation_size})
    try:
        parts = split(sample(*range(len(times)), times=times), config)
    except DataError:
        assert validation_size or len(set(times)) == 1  # with a part more there may be too few
        return
    order = [TRAIN, VALIDATION, TEST] if validation_size else [TRAIN, TEST]
    assert set(parts) == set(order)
    moments = {part: [times[row] for row in rows(parts, part)] for part in order}
    assert all(max(moments[older]) < min(moments[newer]) for older, newer in itertools.pairwise(order))


def test_a_split_by_time_is_as_near_to_its_share_as_moments_allow() -> None:
    parts = split(sample(*"ab" * 10, times=[i // 4 for i in range(20)]), configured(split={"time": "t"}))
    assert rows(parts, TEST) == [16, 17, 18, 19]


def test_rows_fitted_on_come_in_the_order_of_time() -> None:
    parts = split(sample(*"ab" * 4, times=[7, 6, 5, 4, 3, 2, 1, 0]), configured(split={"time": "t"}))
    assert rows(parts, TRAIN) == [7, 6, 5, 4, 3, 2]


@pytest.mark.parametrize(
    ("labels", "aside", "changes", "sentence"),
    [
        ([*"ababab", "c"], {}, {}, "class 'c' has one row, and a stratified split needs two; add rows, or set split."),
        ([*"abab"], {}, {}, "4 rows cannot be split by test_size 0.25: The test_size = 1 should be"),
        (
            [*"aaaab"],
            {},
            {"stratify": False, "test_size": 0.8},
            "the rows to fit on hold class 'b' alone; set split.stratify to true",
        ),
        (
            [*"ab" * 6],
            {"groups": ["only"] * 12},
            {"group": "g"},
            "split.group 'g' is 'only' in all 12 rows left to divide; expected groups for each part",
        ),
        (
            [*"ab" * 6],
            {"times": [3] * 12},
            {"time": "t"},
            "split.time 't' is 3 in all 12 rows left to divide; expected different ones",
        ),
        (
            [*"ab" * 6],
            {"times": [3] * 9 + [4] * 3},
            {"time": "t", "validation_size": 0.1},
            "split.time 't' is 3 in all 9 rows left to divide; expected different ones",
        ),
        (
            [*"aaaaaaaabb"],
            {"times": list(range(10))},
            {"time": "t"},
            "the rows to fit on hold class 'a' alone; add older rows of another class",
        ),
    ],
)
def test_what_cannot_be_divided_is_told(
    labels: list[str], aside: dict[str, Any], changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(DataError) as caught:
        split(sample(*labels, **aside), configured(split=changes))
    assert str(caught.value).startswith(sentence)


def test_a_regression_is_split_by_chance_alone() -> None:
    parts = split(sample(1.0, 2.0, 3.0, 4.0), configured(task="regression"))
    assert sizes(parts) == {TRAIN: 3, TEST: 1}
