import io
from collections.abc import Callable

import pandas as pd
import pytest

from training.cleaning import clean
from training.columns import Kind
from training.config import Config
from training.errors import DataError
from training.ingest.table import TEXT

MakeConfig = Callable[..., Config]


def table(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text), dtype=TEXT, keep_default_na=False, na_values=[""])


def test_rows_are_dropped_and_counted(config: MakeConfig) -> None:
    cleaned = clean(table("weight,kind\n1,a\n1,a\n2,\n3,b\n"), config())
    assert cleaned.X["weight"].tolist() == [1.0, 3.0]
    assert cleaned.y.tolist() == ["a", "b"]
    assert str(cleaned.counts) == ("4 rows read, 1 duplicates and 1 rows without a target dropped, 2 kept")


def test_duplicates_stay_where_they_are_wanted(config: MakeConfig) -> None:
    cleaned = clean(table("weight,kind\n1,a\n1,a\n3,b\n"), config(duplicates="keep"))
    assert cleaned.counts.as_json() == {"read": 3, "duplicates": 0, "without_target": 0, "kept": 3}


def test_rows_that_differ_in_a_dropped_column_are_no_duplicates(config: MakeConfig) -> None:
    cleaned = clean(table("id,weight,kind\n1,5,a\n2,5,a\n3,6,b\n"), config(drop=["id"]))
    assert len(cleaned.X) == 3
    assert list(cleaned.X.columns) == ["weight"]


def test_declared_kinds_come_before_inferred_ones(config: MakeConfig) -> None:
    cleaned = clean(table("zip,weight,kind\n01,1,a\n02,2,b\n"), config(columns={"zip": "category"}))
    assert cleaned.kinds == {"zip": Kind.CATEGORY, "weight": Kind.NUMBER}
    assert cleaned.X["zip"].tolist() == ["01", "02"]


def test_the_target_of_a_regression_is_a_number(config: MakeConfig) -> None:
    assert clean(table("weight,kind\n1,2\n2,3.5\n"), config(task="regression")).y.tolist() == [2.0, 3.5]
    with pytest.raises(DataError, match="column 'kind' has 'x' in row 2; expected a finite number"):
        clean(table("weight,kind\n1,2\n2,x\n"), config(task="regression"))


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
        ("weight,kind\n1,\n2,\n", {}, "target 'kind' is missing in all 2 rows; expected a value in some"),
        ("weight,kind\n1,a\n2,a\n", {}, "target 'kind' is 'a' in every row; expected at least two classes"),
        ("weight,kind\n,a\n,b\n", {}, "column 'weight' has no value in any row; list it under drop"),
        (
            "weight,kind\n1,a\n2,b\n",
            {"drop": ["weight"]},
            "no column is left beside target 'kind'; expected at least one",
        ),
    ],
)
def test_data_that_do_not_fit_are_refused(
    config: MakeConfig, text: str, changes: dict[str, object], sentence: str
) -> None:
    with pytest.raises(DataError) as caught:
        clean(table(text), config(**changes))
    assert str(caught.value) == sentence
