import logging
import time

import numpy as np
import pandas as pd
import pytest

from tests.unit.training.validation.conftest import Run
from training.columns import Kind
from training.errors import DataError
from training.metrics import Task
from training.validation.leakage import telling

ROWS = 300


def classified() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    kind = rng.choice(["a", "b", "c"], ROWS)
    table = pd.DataFrame({"noise": rng.normal(size=ROWS), "kind": kind})
    table["code"] = pd.Series(kind).map({"a": "x", "b": "y", "c": "z"})
    table["weak"] = rng.normal(size=ROWS) + (kind == "a")
    return table


def test_a_column_that_alone_tells_the_target_is_warned_of(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = run(classified(), leakage={})
    assert caplog.messages == [
        "column 'code' alone tells the target, with balanced accuracy 1.000 on rows not seen; list it under leakage.columns if it is known only afterwards"
    ]
    assert found.report["alone"] == {"code": 1.0}
    assert "code" in found.X


def test_it_is_refused_where_that_is_asked_for(run: Run) -> None:
    with pytest.raises(DataError, match=r"column 'code' alone tells .* afterwards, or set leakage.alone to ignore"):
        run(classified(), leakage={"alone": "refuse"})


def test_it_is_not_looked_for_where_that_is_not_wanted(run: Run) -> None:
    assert run(classified(), leakage={"alone": "ignore"}).report["alone"] == {}


def test_a_column_that_is_known_afterwards_is_no_longer_there_to_tell(run: Run) -> None:
    assert run(classified(), leakage={"columns": ["code"], "alone": "refuse"}).report["alone"] == {}


def test_the_target_of_a_regression_is_told_as_well(run: Run) -> None:
    rng = np.random.default_rng(0)
    price = rng.gamma(2.0, 100.0, ROWS)
    table = pd.DataFrame({"noise": rng.normal(size=ROWS), "tax": price * 0.19 + 3, "kind": price})
    with pytest.raises(DataError, match=r"column 'tax' alone tells the target, with R² 0\.99\d on rows not seen"):
        run(table, task="regression", leakage={"alone": "refuse"})


def test_columns_of_every_kind_can_tell() -> None:
    rng = np.random.default_rng(0)
    y = pd.Series(rng.integers(0, 2, ROWS))
    X = pd.DataFrame(
        {
            "number": y + rng.normal(scale=0.01, size=ROWS),
            "boolean": y.astype(bool).astype(object),
            "date": pd.Timestamp("2024-01-01") + pd.to_timedelta(y * 30, unit="D"),
            "text": y.map({0: "no", 1: "yes"}),
            "name": [f"name {i}" for i in range(ROWS)],
        }
    )
    X.loc[0, ["number", "date"]] = None
    kinds = {"number": Kind.NUMBER, "boolean": Kind.BOOLEAN, "date": Kind.DATE, "text": Kind.TEXT, "name": Kind.TEXT}
    scores = telling(X, y, kinds, Task.CLASSIFICATION)
    assert list(scores) == ["number", "boolean", "date", "text"]  # names that never repeat tell nothing of others
    assert min(scores.values()) > 0.98


def test_few_rows_or_rows_of_a_class_tell_nothing() -> None:
    X, kinds = pd.DataFrame({"n": [0.0] * 20 + [1.0] * 20}), {"n": Kind.NUMBER}
    assert telling(X, pd.Series([0] * 20 + [1] * 20), kinds, Task.CLASSIFICATION) == {"n": 1.0}
    assert telling(X, pd.Series([0] * 38 + [1] * 2), kinds, Task.CLASSIFICATION) == {}
    assert telling(X[10:30], pd.Series([0] * 20 + [1] * 20)[10:30], kinds, Task.CLASSIFICATION) == {}


def test_a_large_table_takes_no_longer() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(200_000, 5)), columns=list("abcde"))
    began = time.process_time()
    telling(X, pd.Series(rng.normal(size=200_000)), dict.fromkeys("abcde", Kind.NUMBER), Task.REGRESSION)
    assert time.process_time() - began < 5
