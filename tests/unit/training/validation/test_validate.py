import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.unit.training.validation.conftest import Run, table
from training.columns import Kind
from training.config import Config
from training.errors import DataError
from training.validation import validate

MakeConfig = Callable[..., Config]
ReadFailures = Callable[[], list[tuple[object, ...]]]


def test_rows_are_dropped_and_counted(run: Run) -> None:
    found = run("weight,kind\n1,a\n1,a\n2,\n3,b\n")
    assert found.X["weight"].tolist() == [1.0, 3.0]
    assert found.y.tolist() == ["a", "b"]
    assert str(found.counts) == "4 rows read, 1 duplicates and 1 rows without a target dropped, 2 kept"


def test_every_outcome_is_said(run: Run) -> None:
    columns = {"weight": {"kind": "number", "min": 0}, "size": {"kind": "number", "missing": "drop"}}
    found = run("weight,size,kind\n1,1,a\n-1,1,a\n2,,b\n3,1,b\n", columns=columns)
    assert str(found.counts) == (
        "4 rows read, 0 duplicates and 0 rows without a target dropped, 1 without a value that is needed, "
        "1 quarantined, 2 kept"
    )
    assert found.report["rows"] == {
        "read": 4,
        "duplicates": 0,
        "without_target": 0,
        "without_value": 1,
        "quarantined": 1,
        "kept": 2,
    }


def test_duplicates_stay_where_they_are_wanted(run: Run) -> None:
    assert len(run("weight,kind\n1,a\n1,a\n3,b\n", duplicates="keep").X) == 3


def test_rows_that_differ_in_a_dropped_column_are_no_duplicates(run: Run) -> None:
    found = run("id,weight,kind\n1,5,a\n2,5,a\n3,6,b\n", drop=["id"])
    assert len(found.X) == 3
    assert list(found.X.columns) == ["weight"]


def test_a_duplicate_is_found_in_another_chunk(run: Run) -> None:
    found = run("weight,kind\n1,a\n3,b\n", "weight,kind\n2,b\n1,a\n")
    assert found.counts.duplicates == 1
    assert found.X.index.tolist() == [0, 1, 2]


def test_a_column_that_a_chunk_lacks_is_missing_there(run: Run) -> None:
    found = run("weight,kind\n1,a\n2,b\n", "weight,colour,kind\n3,red,a\n4,blue,b\n")
    assert found.X["colour"].isna().tolist() == [True, True, False, False]
    assert found.kinds == {"weight": Kind.NUMBER, "colour": Kind.CATEGORY}


def test_declared_kinds_come_before_inferred_ones(run: Run) -> None:
    found = run("zip,weight,kind\n01,1,a\n02,2,b\n", columns={"zip": "category"})
    assert found.kinds == {"zip": Kind.CATEGORY, "weight": Kind.NUMBER}
    assert found.X["zip"].tolist() == ["01", "02"]


def test_the_target_of_a_regression_is_a_number(run: Run, failures: ReadFailures) -> None:
    assert run("weight,kind\n1,2\n2,3.5\n", task="regression").y.tolist() == [2.0, 3.5]
    run("weight,kind\n1,2\n2,x\n3,4\n", task="regression")
    assert failures() == [(2, "kind", "kind", "x", "a finite number")]


def test_a_fraction_is_no_label(run: Run, failures: ReadFailures) -> None:
    found = run("weight,kind\n1,1\n2,1.5\n3,2\n", columns={"kind": "number"})
    assert found.y.tolist() == [1, 2]
    assert found.y.dtype == np.int64
    assert failures() == [(2, "kind", "kind", "1.5", "a whole number, for it is a class label")]


def test_a_target_that_is_not_a_number_is_missing(run: Run) -> None:
    target = pd.DataFrame({"weight": [1.0, 2.0, 3.0], "kind": [0.0, np.nan, 1.0]})
    found = run(target)
    assert found.counts.without_target == 1
    assert found.y.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("text", "changes", "sentence"),
    [
        ("weight,sort\n1,a\n", {}, "target names column 'kind', which the data lack; they have weight, sort"),
        ("weight,kind\n1,a\n", {"drop": ["x"]}, "drop names column 'x', which the data lack; they have weight, kind"),
        (
            "weight,kind\n1,a\n",
            {"columns": {"x": "text"}},
            "columns names column 'x', which the data lack; they have weight, kind",
        ),
        (
            "weight,kind\n1,a\n",
            {"leakage": {"columns": ["x"]}},
            "leakage.columns names column 'x', which the data lack; they have weight, kind",
        ),
        (
            "weight,kind\n1,a\n",
            {"cleaning": {"checks": [{"left": "weight", "is": "<", "right": "x"}]}},
            "cleaning.checks names column 'x', which the data lack; they have weight, kind",
        ),
        (
            "weight,kind\n1,a\n",
            {"aside": ("x",)},
            "the configuration names column 'x', which the data lack; they have weight, kind",
        ),
        ("weight,kind\n1,\n2,NaN\n", {}, "target 'kind' is missing in all 2 rows; expected a value in some"),
        (
            "weight,kind\n1,x\n2,y\n",
            {"task": "regression"},
            "2 of 2 rows fail a check, and none is left; most often column 'kind' has 'x' in row 1; expected a finite number (2 of them)",
        ),
        ("weight,kind\n1,a\n2,a\n", {}, "target 'kind' is 'a' in every row; expected at least two classes"),
        ("weight,kind\n,a\n,b\n", {}, "column 'weight' has no value in any row; list it under drop"),
        (
            "weight,kind\n1,\n,a\n,b\n",
            {},
            "column 'weight' has no value in any row that is kept; list it under drop",
        ),
        (
            "weight,kind\n1,a\n2,b\n",
            {"drop": ["weight"]},
            "no column is left beside target 'kind'; expected at least one",
        ),
    ],
)
def test_data_that_do_not_fit_are_refused(
    run: Run, tmp_path: Path, text: str, changes: dict[str, object], sentence: str
) -> None:
    with pytest.raises(DataError) as caught:
        run(text, **changes)
    assert str(caught.value).replace(f"; {tmp_path}/failures.csv names each", "") == sentence


def test_nothing_is_left_where_every_row_lacks_a_needed_value(run: Run) -> None:
    with pytest.raises(DataError) as caught:
        run("a,b,kind\n1,,x\n,1,y\n", columns={n: {"kind": "number", "missing": "drop"} for n in "ab"})
    assert str(caught.value) == (
        "no row is left: 2 rows read, 0 duplicates and 0 rows without a target dropped, "
        "2 without a value that is needed, 0 kept"
    )


def test_a_column_that_never_changes_is_said(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = run("weight,planet,kind\n1,earth,a\n2,earth,b\n")
    assert caplog.messages == ["column 'planet' is 'earth' in every row, which tells nothing; list it under drop"]
    assert found.report["constant"] == ["planet"]
    assert list(found.X.columns) == ["weight", "planet"]


def test_columns_are_kept_aside_though_they_be_dropped(run: Run) -> None:
    found = run("id,weight,kind\nx1,1,a\nx2,2,b\n", drop=["id"], aside=("id", "weight"))
    assert found.aside.to_dict("list") == {"id": ["x1", "x2"], "weight": [1.0, 2.0]}
    assert list(found.X.columns) == ["weight"]


def test_a_column_aside_may_hold_any_number_of_texts(run: Run) -> None:
    text = "id,weight,kind\n" + "".join(f"x{i},{i},{'ab'[i % 2]}\n" for i in range(200))
    assert run(text, drop=["id"], aside=("id",)).aside["id"].nunique() == 200


def test_a_column_aside_may_be_empty(run: Run) -> None:
    found = run("id,weight,kind\n,1,a\n,2,b\n", drop=["id"], aside=("id",))
    assert found.aside["id"].isna().all()


def test_what_is_known_only_afterwards_is_left_out_and_recorded(run: Run) -> None:
    found = run("paid,weight,kind\n1,1,a\n2,2,b\n", leakage={"columns": ["paid"]})
    assert list(found.X.columns) == ["weight"]
    assert found.report["left_out"] == {"drop": [], "known_afterwards": ["paid"]}


def test_the_share_that_may_fail_is_limited(config: MakeConfig, tmp_path: Path) -> None:
    text = "weight,kind\n" + "".join(f"{f'?{i}' if i < 6 else i},{'ab'[i % 2]}\n" for i in range(100))
    settings = config(columns={"weight": "number"})
    with pytest.raises(DataError) as caught:
        validate(lambda: [table(text)], settings, tmp_path)
    assert str(caught.value) == (
        "6 of 100 rows fail a check, more than the share of 0.05 that quarantine.limit allows; "
        "most often column 'weight' has '?0' in row 1; expected a finite number (6 of them); "
        f"{tmp_path}/failures.csv names each"
    )
    assert len(pd.read_parquet(tmp_path / "quarantine.parquet")) == 6  # though the run is refused
    allowed = validate(
        lambda: [table(text)], config(columns={"weight": "number"}, quarantine={"limit": 0.06}), tmp_path
    )
    assert allowed.counts.quarantined == 6
