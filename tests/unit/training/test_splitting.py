from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from training.config import Config
from training.errors import DataError
from training.splitting import split

MakeConfig = Callable[..., Config]


def rows(*classes: str) -> tuple[pd.DataFrame, "pd.Series[str]"]:
    return pd.DataFrame({"x": np.arange(len(classes), dtype=float)}), pd.Series(list(classes), name="kind")


def test_no_row_is_in_both_parts(config: MakeConfig) -> None:
    parts = split(*rows(*"ab" * 20), config(split={"test_size": 0.3}))
    assert (len(parts.X_train), len(parts.X_test)) == (28, 12)
    assert sorted([*parts.X_train["x"], *parts.X_test["x"]]) == list(range(40))
    assert parts.y_train.index.equals(parts.X_train.index)


def test_the_seed_alone_decides(config: MakeConfig) -> None:
    X, y = rows(*"ab" * 20)
    first, again, other = (split(X, y, config(split={"seed": seed})).X_test["x"].tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_stratified_split_keeps_proportions(config: MakeConfig) -> None:
    parts = split(*rows(*"aaab" * 10), config(split={"test_size": 0.2}))
    assert parts.y_test.value_counts().to_dict() == {"a": 6, "b": 2}


def test_a_class_of_one_row_cannot_be_stratified(config: MakeConfig) -> None:
    with pytest.raises(DataError, match=r"class 'c' has one row, .* set split\.stratify to false"):
        split(*rows(*"ababab", "c"), config())


def test_too_few_rows_are_refused(config: MakeConfig) -> None:
    with pytest.raises(DataError, match=r"4 rows cannot be split by test_size 0\.25: The test_size = 1 should be"):
        split(*rows(*"abab"), config())


def test_one_class_to_fit_on_is_refused(config: MakeConfig) -> None:
    with pytest.raises(DataError, match=r"the rows to fit on hold class '[ab]' alone"):
        split(*rows(*"aaaab"), config(split={"stratify": False, "test_size": 0.8}))


def test_a_regression_is_split_by_chance_alone(config: MakeConfig) -> None:
    X, _ = rows(*"abcd")
    parts = split(X, pd.Series([1.0, 2.0, 3.0, 4.0]), config(task="regression"))
    assert len(parts.y_test) == 1
