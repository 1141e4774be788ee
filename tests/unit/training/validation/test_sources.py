"""Rows as other sources than CSV give them: typed, of pandas' own dtypes, and mixed."""

import datetime as dt
import io
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.unit.training.validation.conftest import Run
from training.columns import Kind

ReadFailures = Callable[[], list[tuple[object, ...]]]


def typed() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "number": [1.5, None, 3.0],
            "whole": [1, 2, 3],
            "truth": [True, False, True],
            "maybe": [True, None, False],
            "date": pd.to_datetime(["2024-01-01", "NaT", "2024-01-03"]),
            "text": ["x", None, "y"],
            "kind": ["a", "b", "a"],
        }
    )


def as_parquet(backend: str) -> pd.DataFrame:
    file = io.BytesIO()
    typed().to_parquet(file)
    if backend == "numpy":
        return pd.read_parquet(file)
    return pd.read_parquet(file, dtype_backend="pyarrow" if backend == "pyarrow" else "numpy_nullable")


def plain(column: "pd.Series[Any]") -> list[Any]:
    return [None if missing else cell for cell, missing in zip(column.astype(object), column.isna(), strict=True)]


@pytest.mark.parametrize("backend", ["numpy", "nullable", "pyarrow"])
def test_typed_columns_come_as_their_texts_would(run: Run, backend: str) -> None:
    written = io.StringIO()
    typed().to_csv(written, index=False)
    one, other = run(as_parquet(backend)), run(written.getvalue())
    kinds = [Kind.NUMBER, Kind.NUMBER, Kind.BOOLEAN, Kind.BOOLEAN, Kind.DATE, Kind.CATEGORY]
    assert list(one.kinds.values()) == kinds
    pd.testing.assert_frame_equal(one.X, other.X)
    pd.testing.assert_series_equal(one.y, other.y)
    assert one.X.dtypes.astype(str).to_list() == ["float64", "float64", "bool", "object", "datetime64[ns]", "object"]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([1, 2, 2**60], ["1", "2", str(2**60)]),
        ([1.0, 2.5, None], ["1", "2.5", None]),
        ([True, False, None], ["true", "false", None]),
        (["007", 7, None], ["007", "7", None]),
        ([dt.date(2024, 1, 31), Decimal("1.50"), "x"], ["2024-01-31", "1.50", "x"]),
    ],
)
def test_a_declared_category_is_a_text(run: Run, cells: list[object], expected: list[str | None]) -> None:
    table = pd.DataFrame({"c": pd.Series(cells, dtype=object), "kind": [1, 2, 3]})
    found = run(table, task="regression", columns={"c": "category"})
    assert plain(found.X["c"]) == expected


@pytest.mark.parametrize(
    ("kind", "cells", "good"),
    [
        ("number", [1, True, "x", "2", [3], None, dt.date(2024, 1, 1)], [1.0, 2.0, None]),
        ("boolean", [True, "no", 1, 2, [True], None], [True, False, True, None]),
        ("category", ["a", ["b"], {"c": 1}, None], ["a", None]),
        ("text", ["a", ["b"]], ["a"]),
        ("date", ["2024-01-01", dt.date(2024, 1, 2), dt.datetime(2024, 1, 3, 1, tzinfo=dt.UTC), 5, [1]], None),
    ],
)
def test_mixed_cells_of_a_declared_column_are_sorted_out(
    run: Run, failures: ReadFailures, kind: str, cells: list[object], good: list[object] | None
) -> None:
    table = pd.DataFrame({"c": pd.Series(cells, dtype=object), "kind": range(len(cells))})
    found = run(table, task="regression", columns={"c": kind})
    if good is None:
        good = [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-02"), pd.Timestamp("2024-01-03T01")]
    assert plain(found.X["c"]) == good
    assert len(failures()) == found.counts.quarantined == len(cells) - len(good)


def test_dates_are_in_utc(run: Run) -> None:
    texts = "d,kind\n2024-06-01T00:00:00+02:00,1\n2024-06-01,2\n"
    zoned = pd.DataFrame(
        {"d": pd.to_datetime(["2024-06-01", "2024-06-02"]).tz_localize("Europe/Berlin"), "kind": [1, 2]}
    )
    assert run(texts, task="regression").X["d"].to_list() == [pd.Timestamp("2024-05-31T22"), pd.Timestamp("2024-06-01")]
    assert run(zoned, task="regression").X["d"].iloc[0] == pd.Timestamp("2024-05-31T22")


def test_a_date_that_pandas_cannot_hold_is_put_aside(run: Run, failures: ReadFailures) -> None:
    run("d,kind\n2024-06-01,1\n9999-12-31,2\n", task="regression", columns={"d": "date"})
    assert [(row, value) for row, _, _, value, _ in failures()] == [(2, "9999-12-31")]


def test_booleans_are_bool_where_none_is_missing(run: Run) -> None:
    found = run("b,c,kind\ntrue,True,1\nfalse,,2\n", task="regression")
    assert found.X["b"].dtype == bool
    assert found.X["c"].to_list()[0] is True
    assert np.isnan(found.X["c"].to_list()[1])


@pytest.mark.parametrize(
    ("target", "labels", "dtype"),
    [
        (["true", "false"], [True, False], "bool"),
        ([True, False], [True, False], "bool"),
        ([1, 0], [1, 0], "int64"),
        ([1.5, 0.5], ["1.5", "0.5"], "object"),
        (["1", "x"], ["1", "x"], "object"),
    ],
)
def test_labels_keep_their_sort(run: Run, target: list[object], labels: list[object], dtype: str) -> None:
    found = run(pd.DataFrame({"n": [1.0, 2.0], "kind": target}))
    assert found.y.to_list() == labels
    assert found.y.dtype == dtype


def test_rows_of_lists_can_be_duplicates(run: Run) -> None:
    table = pd.DataFrame({"extra": [[1, 2], [1, 2], [1]], "n": [1, 1, 2], "kind": [1, 1, 2]})
    assert run(table, task="regression", drop=["extra"]).counts.duplicates == 1


def test_whole_numbers_are_equal_to_those_of_a_chunk_that_lacks_some(run: Run) -> None:
    one, other = pd.DataFrame({"n": [1, 2], "kind": [1, 2]}), pd.DataFrame({"n": [1, None], "kind": [1, 3]})
    assert run(one, other, task="regression").counts.duplicates == 1


def test_what_is_missing_is_equal_to_what_is_missing_in_a_chunk_that_lacks_all(run: Run) -> None:
    one = pd.DataFrame({"n": [1.5, None], "m": [1, 2], "kind": [1, 2]})
    other = pd.DataFrame({"n": pd.Series([None], dtype=object), "m": [2], "kind": [2]})
    assert run(one, other, task="regression").counts.duplicates == 1


def test_the_text_nan_is_no_duplicate_of_what_is_missing(run: Run) -> None:
    table = pd.DataFrame({"note": ["nan", None], "n": [1, 1], "kind": [1, 1]})
    assert run(table, task="regression", drop=["note"], missing=[""]).counts.duplicates == 0


def test_large_whole_numbers_that_floats_confuse_are_no_duplicates(run: Run) -> None:
    table = pd.DataFrame({"id": [2**60, 2**60 + 1], "n": [1, 1], "kind": [1, 1]})
    assert run(table, task="regression", drop=["id"]).counts.duplicates == 0
