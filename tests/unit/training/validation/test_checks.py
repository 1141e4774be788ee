from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.unit.training.validation.conftest import Run
from training.errors import DataError

ReadFailures = Callable[[], list[tuple[object, ...]]]


NUMBER, CATEGORY, TEXT, DATE = ({"kind": kind} for kind in ("number", "category", "text", "date"))
UNIQUE = "a value that no other row has"
ISO = "an ISO-8601 date such as 2024-01-31 or 2024-01-31T23:59:59Z"


@pytest.mark.parametrize(
    ("column", "cells", "expected"),
    [
        (NUMBER | {"min": 0}, ["1", "-1", "2"], [(2, "c", "min", "-1", "at least 0")]),
        (NUMBER | {"max": 5}, ["1", "9", "2"], [(2, "c", "max", "9", "at most 5")]),
        (NUMBER | {"min": 0}, ["1", "", "2"], []),
        (
            DATE | {"min": "2000-01-01"},
            ["2024-01-01", "1999-12-31", "2000-01-01", ""],
            [(2, "c", "min", "1999-12-31T00:00:00", "at least 2000-01-01T00:00:00")],
        ),
        (NUMBER | {"unique": True}, ["1", "1", "2", "3"], [(r, "c", "unique", "1", UNIQUE) for r in (1, 2)]),
        (NUMBER | {"unique": True}, ["1", "", "", "2"], []),
        (TEXT | {"pattern": "[a-z]+"}, ["ab", "x1", "cd"], [(2, "c", "pattern", "x1", "what [a-z]+ fits")]),
        (CATEGORY | {"allowed": ["a", "b"]}, ["a", "b", "c"], [(3, "c", "allowed", "c", "one of a, b")]),
        (CATEGORY | {"missing": "quarantine"}, ["a", "b", ""], [(3, "c", "missing", "", "a value")]),
        (NUMBER | {"missing": "quarantine"}, ["1", "2", "x"], [(3, "c", "kind", "x", "a finite number")]),
        (NUMBER, ["1", "2", "inf"], [(3, "c", "kind", "inf", "a finite number")]),
        ({"kind": "boolean"}, ["yes", "0", "2"], [(3, "c", "kind", "2", "true or false")]),
        (DATE, ["2024-01-31", "2024-02-01T10:00:00Z", "31.1.2024"], [(3, "c", "kind", "31.1.2024", ISO)]),
        (DATE, ["2024-01-31", "2024-02-01", "now"], [(3, "c", "kind", "now", ISO)]),
    ],
)
def test_a_value_that_fails_a_check_is_named(
    run: Run, failures: ReadFailures, column: dict[str, object], cells: list[str], expected: list[tuple[object, ...]]
) -> None:
    text = "c,n,kind\n" + "".join(f"{cell},{i},{i}\n" for i, cell in enumerate(cells))
    found = run(text, columns={"c": column}, task="regression")
    assert failures() == expected
    assert found.counts.quarantined == len(expected)
    assert found.counts.kept == len(cells) - len(expected)


def test_every_reason_of_a_row_is_named(run: Run, failures: ReadFailures) -> None:
    columns = {"n": {"kind": "number", "min": 0}, "c": {"kind": "category", "allowed": ["x"], "pattern": "x"}}
    found = run("n,c,kind\n1,x,a\n-1,y,a\n2,x,b\n", columns=columns)
    assert [(row, column, check) for row, column, check, *_ in failures()] == [
        (2, "n", "min"),
        (2, "c", "allowed"),
        (2, "c", "pattern"),
    ]
    assert found.report["checks"] == [
        {"column": "n", "check": "min", "rows": 1},
        {"column": "c", "check": "allowed", "rows": 1},
        {"column": "c", "check": "pattern", "rows": 1},
    ]


@pytest.mark.parametrize(("comparison", "row"), [("<", 2), ("<=", 3), ("==", 2), ("!=", 1), (">=", 1), (">", 1)])
def test_columns_are_compared_with_each_other(run: Run, failures: ReadFailures, comparison: str, row: int) -> None:
    rows = {
        "<": "1,2 2,2 1,3",
        "<=": "1,2 2,2 3,2",
        "==": "2,2 1,2 3,3",
        "!=": "2,2 1,2 3,2",
        ">=": "1,2 2,2 3,2",
        ">": "2,2 3,2 4,2",
    }
    lines = rows[comparison].split()
    text = "l,r,kind\n" + "".join(f"{line},{i}\n" for i, line in enumerate(lines)) + ",1,7\n1,,8\n"
    run(text, cleaning={"checks": [{"left": "l", "is": comparison, "right": "r"}]})
    value = lines[row - 1].replace(",", ", ")
    assert failures() == [(row, "l", f"l {comparison} r", value, f"l {comparison} r")]


def test_what_is_declared_of_a_dropped_column_is_checked(run: Run, failures: ReadFailures) -> None:
    columns = {"id": {"kind": "text", "unique": True}, "old": {"missing": "quarantine"}}
    checks = [{"left": "n", "is": "<=", "right": "limit"}]
    text = "id,n,limit,old,kind\nx,1,5,1,1\nx,2,5,1,2\ny,9,5,1,3\nz,3,5,,4\nw,4,5,1,5\n"
    found = run(text, task="regression", drop=["id", "limit", "old"], columns=columns, cleaning={"checks": checks})
    assert [(row, column, check) for row, column, check, *_ in failures()] == [
        (1, "id", "unique"),
        (2, "id", "unique"),
        (3, "n", "n <= limit"),
        (4, "old", "missing"),
    ]
    assert list(found.X.columns) == ["n"]


def test_dates_are_compared_with_each_other(run: Run, failures: ReadFailures) -> None:
    text = "sent,paid,kind\n2024-01-01,2024-01-02,a\n2024-01-03,2024-01-02,a\n2024-01-01,,b\n"
    run(text, cleaning={"checks": [{"left": "sent", "is": "<=", "right": "paid"}]})
    assert failures() == [(2, "sent", "sent <= paid", "2024-01-03T00:00:00, 2024-01-02T00:00:00", "sent <= paid")]


def test_columns_of_two_kinds_are_not_compared(run: Run) -> None:
    with pytest.raises(DataError) as caught:
        run("l,r,kind\n1,x,a\n2,y,b\n", cleaning={"checks": [{"left": "l", "is": "<", "right": "r"}]})
    assert str(caught.value) == (
        "cleaning.checks compares column 'l' (number) with 'r' (category); expected two of numbers or two of dates"
    )


def test_quarantined_rows_are_as_they_were_in_the_source(run: Run, tmp_path: Path) -> None:
    run("n,row,kind\n1,x,a\n1e0?,NA,a\n2,y,b\n", columns={"n": "number"}, missing=["", "NA"])
    written = pd.read_parquet(tmp_path / "quarantine.parquet")
    assert written.to_dict("list") == {"row_": [2], "n": ["1e0?"], "row": ["NA"], "kind": ["a"]}


def test_an_empty_quarantine_has_the_columns_of_the_source(run: Run, tmp_path: Path) -> None:
    run("n,kind\n1,a\n2,b\n")
    assert list(pd.read_parquet(tmp_path / "quarantine.parquet").columns) == ["row", "n", "kind"]
    assert (tmp_path / "failures.csv").read_text() == "row,column,check,value,expected\n"


def test_spellings_are_mended_and_counted(run: Run, failures: ReadFailures) -> None:
    column = {"kind": "category", "allowed": ["north", "south"], "spellings": {"N": "north", "nrth": "north"}}
    found = run("r,n,kind\nN,1,a\nnorth,2,b\nnrth,3,a\nS,4,a\n", columns={"r": column})
    assert found.X["r"].tolist() == ["north", "north", "north"]
    assert found.report["columns"]["r"] == {"kind": "category", "missing": 0, "respelled": 2}
    assert failures() == [(4, "r", "allowed", "S", "one of north, south")]


def test_missing_cells_are_counted_by_column(run: Run) -> None:
    assert run("n,c,kind\n1,,a\nNA,x,b\n2,,b\n").report["columns"]["c"] == {"kind": "category", "missing": 2}
