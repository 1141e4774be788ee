"""What the fitted attributes of an estimator tell where nobody kept a sample."""

from typing import Any, Self

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.cluster import DBSCAN
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from model.datatypes import Datatype
from model.errors import ArtifactError
from model.signature import Column, Layout, Output, Signature
from model.signature.guess import guess_signature
from tests.families import ARRAY, COLOURS, MARKS, NUMBERS, PENGUINS, SCORE, SPECIES, TARGET, TEXTS, fitted

UNKNOWN = {"datatype": None, "dtype": "object", "missing": True}


def columns(estimator: Any) -> dict[str, Column]:
    return {column.name: column for column in guess_signature(estimator).inputs}


def strings(*categories: str, missing_as: str = "nan") -> dict[str, Any]:
    return {
        "datatype": Datatype.BYTES,
        "dtype": "object",
        "missing": True,
        "missing_as": missing_as,
        "categories": categories,
    }


class Refusing(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Refuses whatever row one makes up."""

    def __init__(self, inner: Any = None) -> None:
        self.inner = inner

    def fit(self, X: Any, y: Any) -> Self:
        self.inner_ = self.inner.fit(X, y)
        self.n_features_in_ = X.shape[1]
        if hasattr(self.inner_, "classes_"):
            self.classes_ = self.inner_.classes_
        return self

    def _refuse(self, X: Any) -> Any:
        msg = "not a real row"
        raise ValueError(msg)

    predict = predict_proba = decision_function = transform = score_samples = _refuse


class TestInputs:
    def test_named_columns_are_of_any_datatype(self) -> None:
        signature = guess_signature(fitted("logistic_regression"))
        assert (signature.layout, signature.named) == (Layout.FRAME, True)
        assert signature.inputs == tuple(Column(name=name, **UNKNOWN) for name in ("length", "depth", "mass"))

    def test_unnamed_columns_are_numbers(self) -> None:
        signature = guess_signature(fitted("svc"))
        assert (signature.layout, signature.named) == (Layout.ARRAY, False)
        assert signature.inputs == tuple(Column(name=name, missing=True) for name in "012")

    def test_a_vectorizer_takes_texts(self) -> None:
        for family_id in ("text_pipeline", "tfidf_vectorizer"):
            signature = guess_signature(fitted(family_id))
            assert (signature.layout, signature.named) == (Layout.TEXT, False)
            assert signature.inputs == (Column(name="text", datatype=Datatype.BYTES, dtype="object"),)

    def test_an_encoder_remembers_its_categories(self) -> None:
        found = columns(fitted("mixed_columns"))
        assert found["island"] == Column(name="island", **strings("Biscoe", "Dream", "Torgersen"))
        assert found["sex"] == Column(name="sex", **strings("female", "male", missing_as="none"))
        for name in ("length", "tagged", "mass", "eggs", "ringed"):
            assert found[name] == Column(name=name, **UNKNOWN)

    def test_a_vectorizer_among_columns_takes_a_text(self) -> None:
        found = columns(fitted("text_column"))
        assert found["note"] == Column(name="note", datatype=Datatype.BYTES, dtype="object")
        assert found["length"] == Column(name="length", **UNKNOWN)

    def test_unnamed_columns_of_several_types_come_by_position_as_name(self) -> None:
        signature = guess_signature(fitted("unnamed_mixed_columns"))
        assert (signature.layout, signature.named) == (Layout.OBJECTS, True)
        assert [column.datatype for column in signature.inputs] == [Datatype.BYTES, None, None]

    def test_unnamed_columns_of_strings_come_in_one_tensor(self) -> None:
        signature = guess_signature(fitted("unnamed_strings"))
        assert (signature.layout, signature.named) == (Layout.OBJECTS, False)
        assert signature.inputs[1] == Column(name="1", **strings("female", "male"))

    def test_categories_that_are_numbers_make_no_strings(self) -> None:
        estimator = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(np.array([[1, 2], [3, 4]]), [0, 1])
        assert guess_signature(estimator).layout is Layout.ARRAY

    @pytest.mark.parametrize(
        "selected",
        [["island", "sex"], [0, 4], slice(0, 5, 4), np.array([True, False, False, False, True, False, False])],
    )
    def test_columns_are_found_however_they_were_selected(self, selected: Any) -> None:
        encoder = OneHotEncoder(handle_unknown="ignore")
        estimator = ColumnTransformer([("strings", encoder, selected), ("rest", "drop", ["mass"])]).fit(PENGUINS)
        found = columns(estimator)
        assert found["island"].categories == ("Biscoe", "Dream", "Torgersen")
        assert found["sex"].categories == ("female", "male")
        assert found["length"].datatype is None

    def test_columns_are_found_by_a_slice_of_names(self) -> None:
        strings_first = PENGUINS[["island", "sex", "length"]]
        selected = slice("island", "sex")
        estimator = ColumnTransformer([("strings", OneHotEncoder(), selected)]).fit(strings_first)
        assert columns(estimator)["sex"].categories == ("female", "male")

    def test_a_search_is_looked_into(self) -> None:
        texts = Pipeline([("words", TfidfVectorizer()), ("nb", MultinomialNB())])
        search = GridSearchCV(texts, {"nb__alpha": [0.1, 1.0]}, cv=2).fit(TEXTS, TARGET)
        assert guess_signature(search).layout is Layout.TEXT

    def test_a_wrapped_regressor_is_looked_into(self) -> None:
        encoded = make_pipeline(OneHotEncoder(), Ridge())
        wrapped = TransformedTargetRegressor(encoded, func=np.cbrt, inverse_func=np.sinh, check_inverse=False)
        estimator = wrapped.fit(PENGUINS[["island"]].fillna("Dream"), SCORE)
        assert columns(estimator)["island"].categories == ("Biscoe", "Dream", "Torgersen")

    def test_names_that_a_library_invented_are_none(self) -> None:
        estimator = LogisticRegression().fit(NUMBERS.set_axis(["Column_0", "Column_1", "Column_2"], axis=1), TARGET)
        signature = guess_signature(estimator)
        assert (signature.layout, signature.named, signature.names) == (Layout.ARRAY, False, ("0", "1", "2"))


class TestGivenColumns:
    GIVEN = (
        Column(name="island", datatype=Datatype.BYTES, dtype="object", missing=True),
        Column(name="length"),
    )

    def test_are_kept_and_completed_by_what_an_encoder_remembers(self) -> None:
        encoder = ("islands", OneHotEncoder(), ["island"])
        estimator = ColumnTransformer([encoder, ("rest", "passthrough", ["length"])]).fit(
            PENGUINS[["island", "length"]]
        )
        signature = guess_signature(estimator, self.GIVEN)
        assert (signature.layout, signature.named) == (Layout.FRAME, True)
        assert signature.inputs == (Column(name="island", **strings("Biscoe", "Dream", "Torgersen")), self.GIVEN[1])

    def test_name_the_columns_of_an_estimator_fitted_on_an_array(self) -> None:
        given = tuple(Column(name=name) for name in "abc")
        signature = guess_signature(fitted("svc"), given)
        assert (signature.layout, signature.named, signature.names) == (Layout.ARRAY, True, ("a", "b", "c"))

    def test_of_dates_are_tried_with_a_date(self) -> None:
        given = (Column(name="day", datatype=Datatype.BYTES, dtype="datetime64[ns]"),)
        days = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=4)})
        whole = FunctionTransformer(pd.DataFrame.astype, kw_args={"dtype": "int64"})
        estimator = make_pipeline(whole, OneHotEncoder(handle_unknown="ignore")).fit(days)
        assert guess_signature(estimator, given).outputs[0].shape == (-1, 4)


class TestOutputsThatRowsDoNotTell:
    def outputs(self, inner: Any, y: Any) -> dict[str, Output]:
        signature: Signature = guess_signature(Refusing(inner).fit(ARRAY, y))
        return {output.name: output for output in signature.outputs}

    def test_are_read_from_two_classes(self) -> None:
        found = self.outputs(LogisticRegression(), TARGET)
        assert found["predict"] == Output(name="predict", method="predict", datatype=Datatype.INT64, labels=(0, 1))
        proba = Output(name="predict_proba", method="predict_proba", shape=(-1, 2), labels=(0, 1))
        assert found["predict_proba"] == proba
        assert found["decision_function"].shape == (-1,)
        assert found["score_samples"].shape == (-1,)
        assert found["transform"].shape == (-1, -1)

    def test_are_read_from_many_classes(self) -> None:
        found = self.outputs(LogisticRegression(max_iter=2000), SPECIES)
        assert (found["predict"].datatype, found["predict"].shape) == (Datatype.BYTES, (-1,))
        assert found["predict_proba"].labels == ("Adelie", "Chinstrap", "Gentoo")
        assert found["decision_function"].shape == (-1, 3)

    def test_of_boolean_labels_are_boolean(self) -> None:
        assert self.outputs(LogisticRegression(), TARGET == 1)["predict"].datatype is Datatype.BOOL

    def test_are_read_from_the_classes_of_each_target(self) -> None:
        found = self.outputs(RandomForestClassifier(2, random_state=0), COLOURS)
        assert (found["predict"].datatype, found["predict"].shape) == (Datatype.BYTES, (-1, 2))
        second = Output(
            name="predict_proba_1",
            method="predict_proba",
            index=1,
            shape=(-1, 3),
            labels=("Adelie", "Chinstrap", "Gentoo"),
        )
        assert found["predict_proba_1"] == second
        assert "predict_proba" not in found
        assert self.outputs(RandomForestClassifier(2, random_state=0), MARKS)["predict"].datatype is Datatype.INT64

    def test_of_a_regressor_are_numbers(self) -> None:
        found = self.outputs(Ridge(), SCORE)
        assert found["predict"] == Output(name="predict", method="predict")
        assert found["predict_proba"].shape == (-1, -1)


class TestRefusal:
    def test_of_what_has_no_method_to_serve(self) -> None:
        with pytest.raises(ArtifactError, match="there is nothing to serve"):
            guess_signature(DBSCAN())

    def test_of_what_tells_no_features(self) -> None:
        with pytest.raises(ArtifactError, match="Pipeline tells neither feature_names_in_ nor n_features_in_"):
            guess_signature(make_pipeline(FunctionTransformer(), CountVectorizer()).fit(TEXTS))
