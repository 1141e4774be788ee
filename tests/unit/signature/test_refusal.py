"""What an estimator refuses is explained by the rows where they are to blame, and by nothing where they are not."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from model.signature import Column, Layout, Output, Signature
from model.signature.guess import guess_signature
from model.signature.infer import infer_signature
from model.signature.inputs import X
from model.signature.refusal import explain
from tests.families import PENGUINS, TARGET, by_id, fitted


def explained(estimator: Any, signature: Signature, table: X) -> str | None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 -- whatever it raises, it refuses
        getattr(estimator, signature.outputs[0].method)(table)
    refusal = explain(caught.value, table, signature)
    return None if refusal is None else str(refusal)


def penguin(**changed: Any) -> pd.DataFrame:
    return PENGUINS.iloc[[0, 4]].reset_index(drop=True).assign(**changed)


def frames(*names: str) -> Signature:
    columns = tuple(Column(name=name, datatype=None, dtype="object", missing=True) for name in names)
    return Signature(
        layout=Layout.FRAME, named=True, inputs=columns, outputs=(Output(name="predict", method="predict"),)
    )


class TestUnknownCategory:
    def test_is_named_with_its_column_and_what_was_expected(self) -> None:
        estimator = fitted("mixed_columns")
        signature = infer_signature(estimator, PENGUINS)
        assert explained(estimator, signature, penguin(sex=["female", "Mars"])) == (
            "Column 'sex' has 'Mars' in row 1, which this model's encoder refuses; expected one of female, male."
        )

    def test_is_not_blamed_on_a_column_that_knows_it(self) -> None:
        estimator = fitted("mixed_columns")
        signature = infer_signature(estimator, PENGUINS)
        table = penguin(sex=["Dream", "male"], island=["Dream", "Dream"])
        assert (explained(estimator, signature, table) or "").startswith("Column 'sex' has 'Dream' in row 0")

    def test_is_found_without_a_manifest(self) -> None:
        estimator = fitted("mixed_columns")
        assert (explained(estimator, guess_signature(estimator), penguin(sex=["it's", "male"])) or "").startswith(
            "Column 'sex' has \"it's\" in row 0"
        )

    def test_may_be_a_missing_value(self) -> None:
        sample = pd.DataFrame({"sex": ["f", "m"] * 4})
        estimator = OneHotEncoder().fit(sample)
        table = pd.DataFrame({"sex": np.array(["f", np.nan], dtype=object)})
        assert explained(estimator, infer_signature(estimator, sample), table) == (
            "Column 'sex' has a missing value in row 1, which this model's encoder refuses; expected one of f, m."
        )

    def test_may_be_a_number(self) -> None:
        sample = np.array([[10, 1], [20, 2]] * 4)
        estimator = OrdinalEncoder().fit(sample)
        assert explained(estimator, infer_signature(estimator, sample), np.array([[10.0, 1.0], [20.0, 10.0]])) == (
            "Column '1' has 10.0 in row 1, which this model's encoder refuses; expected a category seen in training."
        )

    def test_of_many_lists_only_some(self) -> None:
        sample = pd.DataFrame({"code": [f"code-{i:02}" for i in range(30)]})
        estimator = OneHotEncoder().fit(sample)
        sentence = explained(estimator, infer_signature(estimator, sample), pd.DataFrame({"code": ["x"]})) or ""
        assert sentence.endswith("code-18, code-19 and 10 more.")


class TestMissingValue:
    def test_is_named_by_column_and_row(self) -> None:
        estimator = fitted("logistic_regression")
        signature = guess_signature(estimator)
        table = pd.DataFrame({"length": [1.0, 2.0], "depth": [1.0, np.nan], "mass": [1.0, 2.0]})
        assert explained(estimator, signature, table) == (
            "Column 'depth' has a missing value in row 1, which this model refuses; expected a value."
        )

    def test_is_named_by_position_where_columns_have_no_names(self) -> None:
        estimator = fitted("svc")
        sentence = explained(estimator, guess_signature(estimator), np.array([[1.0, 2.0, np.nan]]))
        assert sentence == "Column '2' has a missing value in row 0, which this model refuses; expected a value."

    def test_is_named_in_texts(self) -> None:
        estimator = TfidfVectorizer().fit(["one word", "two words"])
        table = np.array(["one", np.nan], dtype=object)
        assert (explained(estimator, guess_signature(estimator), table) or "").startswith(
            "Column 'text' has a missing value in row 1"
        )

    @pytest.mark.parametrize("message", ["The tenant is dominant.", "mother of finance"])
    def test_is_not_read_into_other_words(self, message: str) -> None:
        assert explain(ValueError(message), np.array([[np.nan, 1.0, 1.0]]), guess_signature(fitted("svc"))) is None


class TestText:
    def test_in_place_of_a_number_is_named(self) -> None:
        estimator = fitted("logistic_regression")
        table = pd.DataFrame({"length": [1.0, 2.0], "depth": [1.0, "x"], "mass": ["y", "x"]})
        sentence = explained(estimator, guess_signature(estimator), table)
        assert sentence in (
            "Column 'depth' has 'x' in row 1; expected a number.",
            "Column 'mass' has 'y' in row 0; expected a number.",
        )

    def test_with_quotes_is_named(self) -> None:
        estimator = fitted("svc")
        table = np.array([[1.0, 2.0, "3'5\""]], dtype=object)
        sentence = explained(estimator, guess_signature(estimator), table) or ""
        assert sentence.startswith("Column '2' has ")
        assert sentence.endswith(" in row 0; expected a number.")

    @pytest.mark.parametrize("family_id", ["xgboost_regressor"])
    def test_that_a_boosting_library_refuses_is_named(self, family_id: str) -> None:
        estimator = fitted(family_id)
        table = pd.DataFrame({"length": [1.0], "depth": ["x"], "mass": [1.0]})
        sentence = explained(estimator, guess_signature(estimator), table)
        assert sentence == "Column 'depth' has 'x' in row 0; expected a number."

    def test_that_no_column_holds_is_the_models_own_fault(self) -> None:
        error = ValueError("could not convert string to float: 'made up'")
        assert explain(error, pd.DataFrame({"a": ["x"]}), frames("a")) is None
        assert explain(ValueError("dtypes must be int"), pd.DataFrame({"a": [1.0]}), frames("a")) is None


class TestTooLarge:
    @pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
    def test_is_named(self) -> None:
        estimator = fitted("extra_trees")
        signature = infer_signature(estimator, by_id("extra_trees").X)
        assert explained(estimator, signature, np.array([[1.0, 2.0, 3.0], [1.0, -1e300, 3.0]])) == (
            "Column '1' has -1e+300 in row 1; expected a value that fits FP32."
        )

    def test_that_no_column_holds_is_the_models_own_fault(self) -> None:
        error = ValueError("Input X contains infinity or a value too large for dtype('float64').")
        assert explain(error, np.ones((1, 3)), guess_signature(fitted("svc"))) is None


class TestOwnFault:
    @pytest.mark.parametrize(
        "error",
        [
            KeyError("sex"),
            RuntimeError("could not convert string to float: 'female'"),
            ZeroDivisionError("missing"),
            ValueError("operands could not be broadcast together"),
            TypeError("unsupported operand"),
            ValueError("Found unknown categories ['Saturn'] in column 0 during transform"),
        ],
    )
    def test_is_not_explained_by_good_rows(self, error: Exception) -> None:
        signature = infer_signature(fitted("mixed_columns"), PENGUINS)
        assert explain(error, penguin(), signature) is None

    def test_of_an_inner_encoder_is_not_blamed_on_rows_that_hold_no_such_value(self) -> None:
        columns = ColumnTransformer([("lengths", OneHotEncoder(), ["length"])])
        estimator = make_pipeline(columns, LogisticRegression()).fit(PENGUINS, TARGET)
        error = ValueError("Found unknown categories [np.float64(4.5)] in column 0 during transform")
        assert explain(error, penguin(), infer_signature(estimator, PENGUINS)) is None
