"""What a fitted estimator and a sample tell: container, columns and outputs."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.cluster import DBSCAN
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from model.datatypes import Datatype
from model.errors import ArtifactError
from model.signature import Column, Layout
from model.signature.infer import infer_signature
from model.signature.outputs import METHODS
from tests.families import ARRAY, CATEGORICAL, MARKS, NUMBERS, PENGUINS, ROWS, SPECIES, TARGET, TEXTS, by_id, fitted


class Picky(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Sums rows of a frame; knows nothing of arrays, features or missing values."""

    def fit(self, X: pd.DataFrame, y: object = None) -> Self:
        return self

    def predict(self, X: pd.DataFrame) -> npt.NDArray[Any]:
        if X.isna().to_numpy().any():
            msg = "holes"
            raise ValueError(msg)
        return np.asarray(X["a"] + X["b"])


def column(family_id: str, name: str) -> Column:
    signature = infer_signature(fitted(family_id), by_id(family_id).X)
    return next(column for column in signature.inputs if column.name == name)


class TestLayout:
    @pytest.mark.parametrize(
        ("family_id", "layout", "named"),
        [
            ("svc", Layout.ARRAY, False),
            ("logistic_regression", Layout.ARRAY, True),
            ("hist_gradient_boosting_category", Layout.FRAME, True),
            ("mixed_columns", Layout.FRAME, True),
            ("dates", Layout.FRAME, True),
            ("tfidf_vectorizer", Layout.TEXT, False),
            ("unnamed_strings", Layout.OBJECTS, False),
            ("unnamed_mixed_columns", Layout.OBJECTS, True),
            ("isotonic_regression", Layout.ARRAY, False),
        ],
    )
    def test_is_what_the_estimator_takes(self, family_id: str, layout: Layout, *, named: bool) -> None:
        signature = infer_signature(fitted(family_id), by_id(family_id).X)
        assert (signature.layout, signature.named) == (layout, named)

    def test_is_a_frame_where_the_estimator_refuses_arrays(self) -> None:
        signature = infer_signature(Picky(), pd.DataFrame({"a": [1.0], "b": [2.0]}))
        assert (signature.layout, signature.named) == (Layout.FRAME, True)

    def test_is_a_frame_where_an_array_is_answered_otherwise(self) -> None:
        def first(X: Any) -> Any:
            return np.asarray(X)[:, ::-1] if isinstance(X, np.ndarray) else X

        estimator = FunctionTransformer(first).fit(NUMBERS)
        assert infer_signature(estimator, NUMBERS).layout is Layout.FRAME

    def test_has_no_names_where_the_sample_has_none(self) -> None:
        signature = infer_signature(fitted("logistic_regression"), ARRAY)
        assert (signature.named, signature.names) == (False, ("0", "1", "2"))

    def test_of_booleans_without_names_has_positions_for_names(self) -> None:
        sample = MARKS.astype(bool)
        signature = infer_signature(LogisticRegression().fit(sample, TARGET), sample)
        assert (signature.named, signature.names) == (True, ("0", "1", "2"))
        assert {column.datatype for column in signature.inputs} == {Datatype.BOOL}

    def test_has_columns_in_the_order_of_the_estimator(self) -> None:
        signature = infer_signature(fitted("logistic_regression"), NUMBERS[["mass", "length", "depth"]])
        assert signature.names == ("length", "depth", "mass")

    def test_leaves_out_columns_that_the_estimator_was_not_fitted_on(self) -> None:
        signature = infer_signature(fitted("logistic_regression"), NUMBERS.assign(species=SPECIES))
        assert signature.names == ("length", "depth", "mass")

    def test_survives_an_index_of_any_kind(self) -> None:
        renumbered = PENGUINS.set_axis(range(100, 100 + ROWS))
        assert infer_signature(fitted("mixed_columns"), renumbered) == infer_signature(
            fitted("mixed_columns"), PENGUINS
        )

    def test_takes_names_that_a_library_invented_for_none(self) -> None:
        estimator = LogisticRegression().fit(NUMBERS.set_axis(["Column_0", "Column_1", "Column_2"], axis=1), TARGET)
        signature = infer_signature(estimator, NUMBERS)
        assert (signature.named, signature.names) == (False, ("length", "depth", "mass"))


class TestColumn:
    @pytest.mark.parametrize(
        ("family_id", "name", "datatype", "dtype"),
        [
            ("mixed_columns", "length", "FP64", "float64"),
            ("mixed_columns", "eggs", "INT64", "int64"),
            ("mixed_columns", "tagged", "BOOL", "bool"),
            ("mixed_columns", "ringed", "BOOL", "object"),
            ("mixed_columns", "island", "BYTES", "object"),
            ("xgboost_classifier", "island", "BYTES", "category"),
            ("xgboost_classifier", "rank", "INT64", "category"),
            ("dates", "hatched", "BYTES", "datetime64[ns]"),
            ("text_column", "note", "BYTES", "object"),
            ("unnamed_mixed_columns", "0", "BYTES", "object"),
            ("unnamed_mixed_columns", "1", "FP64", "float64"),
        ],
    )
    def test_has_the_datatype_of_the_sample(self, family_id: str, name: str, datatype: str, dtype: str) -> None:
        found = column(family_id, name)
        assert (found.datatype, found.dtype) == (datatype, dtype)

    @pytest.mark.parametrize(
        ("family_id", "name", "missing", "missing_as"),
        [
            ("mixed_columns", "island", True, "nan"),  # as the sample has it
            ("mixed_columns", "sex", True, "none"),
            ("mixed_columns", "ringed", True, "nan"),
            ("mixed_columns", "mass", True, "nan"),
            ("mixed_columns", "eggs", True, "nan"),  # the sample has none, but an imputer is there
            ("mixed_columns", "tagged", False, "nan"),
            ("logistic_regression", "length", False, "nan"),
            ("hist_gradient_boosting", "length", True, "nan"),
            ("lightgbm_regressor", "0", True, "nan"),
            ("one_hot_encoder", "sex", False, "nan"),
            ("dates", "hatched", True, "nan"),
            ("text_column", "note", False, "nan"),
            ("tfidf_vectorizer", "text", False, "nan"),
        ],
    )
    def test_may_be_missing_where_the_estimator_bears_it(
        self, family_id: str, name: str, *, missing: bool, missing_as: str
    ) -> None:
        found = column(family_id, name)
        assert (found.missing, found.missing_as) == (missing, missing_as)

    def test_may_be_missing_as_none_alone(self) -> None:
        sample = pd.DataFrame({"sex": ["f", "m"] * 4})
        strict = SimpleImputer(missing_values=None, strategy="constant", fill_value="f")
        estimator = make_pipeline(strict, OneHotEncoder()).fit(sample)
        (found,) = infer_signature(estimator, sample).inputs
        assert (found.missing, found.missing_as) == (True, "none")

    def test_of_few_strings_lists_them(self) -> None:
        assert column("mixed_columns", "island").categories == ("Biscoe", "Dream", "Torgersen")

    def test_of_many_strings_lists_none(self) -> None:
        sample = pd.DataFrame({"code": [str(i) for i in range(101)]})
        (found,) = infer_signature(OneHotEncoder().fit(sample), sample).inputs
        assert found.categories is None

    def test_of_categories_lists_those_of_its_dtype(self) -> None:
        assert column("xgboost_classifier", "rank").categories == (1, 2, 3)
        assert CATEGORICAL["rank"].cat.categories.tolist() == [1, 2, 3]

    def test_of_unsigned_categories_holds_numbers(self) -> None:
        sample = pd.DataFrame({"rank": pd.Categorical(np.array([1, 2, 1, 2], dtype=np.uint8))})
        (found,) = infer_signature(OneHotEncoder().fit(sample), sample).inputs
        assert (found.datatype, found.categories) == (Datatype.INT64, (1, 2))

    def test_of_numbers_tells_the_range_seen(self) -> None:
        found = column("hist_gradient_boosting", "mass")
        values = by_id("hist_gradient_boosting").X["mass"]  # type: ignore[call-overload]
        assert (found.minimum, found.maximum) == (values.min(), values.max())
        assert column("mixed_columns", "eggs").maximum == 3.0

    def test_tells_no_range_of_infinities(self) -> None:
        sample = np.array([[np.inf], [1.0], [2.0], [-np.inf]])
        (found,) = infer_signature(FunctionTransformer(np.tanh).fit(sample), sample).inputs
        assert (found.minimum, found.maximum) == (1.0, 2.0)

    def test_tells_no_range_of_dates_strings_and_flags(self) -> None:
        for family_id, name in [("dates", "hatched"), ("mixed_columns", "island"), ("mixed_columns", "tagged")]:
            found = column(family_id, name)
            assert (found.minimum, found.maximum) == (None, None)

    def test_that_never_has_a_value_is_a_number(self) -> None:
        sample = NUMBERS.assign(empty=np.nan)
        estimator = make_pipeline(SimpleImputer(keep_empty_features=True), LogisticRegression()).fit(sample, TARGET)
        found = infer_signature(estimator, sample).inputs[-1]
        assert (found.name, found.datatype, found.minimum, found.missing) == ("empty", Datatype.FP64, None, True)


class TestOutputs:
    def test_of_marks_have_no_labels(self) -> None:
        estimator = MLPClassifier((4,), tol=1.0, n_iter_no_change=2, random_state=0).fit(ARRAY, MARKS)
        outputs = {output.name: output for output in infer_signature(estimator, ARRAY).outputs}
        assert outputs["predict"].shape == (-1, 3)
        assert outputs["predict"].labels is None
        assert outputs["predict_proba"].labels == (0, 1, 2)

    def test_begin_with_the_default(self) -> None:
        assert infer_signature(fitted("linear_discriminant_analysis"), NUMBERS).outputs[0].name == "predict"
        assert infer_signature(fitted("pca"), NUMBERS).outputs[0].name == "transform"
        assert infer_signature(fitted("kernel_density"), ARRAY).outputs[0].name == "score_samples"

    def test_leave_out_a_method_that_refuses(self) -> None:
        class Half(Picky):
            def transform(self, X: object) -> None:
                raise NotImplementedError

        outputs = infer_signature(Half(), pd.DataFrame({"a": [1.0], "b": [2.0]})).outputs
        assert [output.name for output in outputs] == ["predict"]

    def test_leave_out_a_method_that_does_not_answer_row_by_row(self) -> None:
        class Summing(Picky):
            def transform(self, X: pd.DataFrame) -> npt.NDArray[Any]:
                return np.asarray(X.sum(axis=0))

        outputs = infer_signature(Summing(), pd.DataFrame({"a": [1.0, 1.0, 1.0], "b": [2.0, 2.0, 2.0]})).outputs
        assert [output.name for output in outputs] == ["predict"]


class TestRefusal:
    @pytest.mark.parametrize(
        ("estimator", "sample", "sentence"),
        [
            (
                fitted("logistic_regression"),
                NUMBERS[["length", "mass"]],
                "The sample lacks column 'depth', which the estimator was fitted on; it has length, mass.",
            ),
            (
                fitted("svc"),
                ARRAY[:, :2],
                "The sample has 2 columns where the estimator was fitted on 3; name the target column if it is among them.",
            ),
            (
                DBSCAN(),
                ARRAY,
                f"DBSCAN has none of {', '.join(METHODS)}; there is nothing to serve.",
            ),
            (fitted("svc"), ARRAY[:0], "The sample has no rows; expected at least one row of the model's input."),
            (fitted("svc"), ARRAY[0], "The sample has shape [3]; expected (n_samples, n_features)."),
            (
                fitted("svc"),
                NUMBERS.set_axis(["a", "b", "a"], axis=1),
                "The sample has two columns called 'a'; expected names to be unique.",
            ),
            (
                fitted("svc"),
                NUMBERS.assign(mass=1j),
                "Column 'mass' has dtype complex128; expected numbers, booleans, strings or dates without a time zone.",
            ),
            (
                fitted("svc"),
                NUMBERS.assign(mass=pd.date_range("2024-01-01", periods=ROWS, tz="UTC")),
                "Column 'mass' has dtype datetime64[ns, UTC]; expected numbers, booleans, strings or dates without a time zone.",
            ),
            (
                fitted("svc"),
                NUMBERS.assign(mass=["a", 1.5] * (ROWS // 2)),
                "Column 'mass' holds float, str; expected strings alone, or booleans alone.",
            ),
            (
                fitted("svc"),
                NUMBERS.assign(mass=pd.Categorical(pd.date_range("2024-01-01", periods=ROWS))),
                "Column 'mass' has categories of datetime64[ns]; expected numbers, booleans or strings.",
            ),
        ],
    )
    def test_says_what_to_mend(self, estimator: Any, sample: Any, sentence: str) -> None:
        with pytest.raises(ArtifactError) as caught:
            infer_signature(estimator, sample)
        assert str(caught.value) == sentence

    def test_repeats_why_the_estimator_refuses_the_sample(self) -> None:
        with pytest.raises(
            ArtifactError, match=r"^LogisticRegression\.predict refuses the sample: Input X contains NaN"
        ):
            infer_signature(fitted("logistic_regression"), NUMBERS.assign(mass=np.nan))

    def test_of_an_answer_that_is_not_row_by_row(self) -> None:
        class Mean(BaseEstimator):  # type: ignore[misc]
            def predict(self, X: object) -> float:
                return 1.0

        with pytest.raises(ArtifactError, match=r"^Mean\.predict refuses the sample: predict answers 40 rows with"):
            infer_signature(Mean(), ARRAY)


class TestSample:
    @pytest.mark.parametrize(
        ("values", "dtype"),
        [
            (pd.array([1, 2, None], dtype="Int64"), "float64"),
            (pd.array([1, 2, 3], dtype="UInt8"), "int64"),
            (pd.array([1.0, None, 2.0], dtype="Float32"), "float64"),
            (pd.array([True, False, True], dtype="boolean"), "bool"),
            (pd.array([True, None, False], dtype="boolean"), "object"),
            (pd.array(["a", None, "b"], dtype="string"), "object"),
            (np.array([1, 2.5, None], dtype=object), "float64"),
            (np.array([True, None, False], dtype=object), "object"),
            (pd.date_range("2024-01-01", periods=3).astype("datetime64[s]"), "datetime64[ns]"),
        ],
    )
    def test_is_brought_to_plain_dtypes(self, values: Any, dtype: str) -> None:
        class Length(BaseEstimator):  # type: ignore[misc]
            def predict(self, X: Any) -> npt.NDArray[Any]:
                return np.zeros(len(X))

        (found,) = infer_signature(Length(), pd.DataFrame({"a": values})).inputs
        assert found.dtype == dtype

    def test_of_texts_may_be_an_array(self) -> None:
        as_list = infer_signature(fitted("tfidf_vectorizer"), TEXTS)
        assert infer_signature(fitted("tfidf_vectorizer"), np.array(TEXTS)) == as_list
        assert infer_signature(fitted("tfidf_vectorizer"), np.array(TEXTS, dtype=object)) == as_list
