import copy
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.impute import MissingIndicator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

from model.artifact.golden import alike, check_golden
from model.artifact.manifest import Golden
from model.artifact.sampling import record_golden, to_tensors
from model.codec.json_tensor import tensor_from_json
from model.datatypes import Datatype
from model.errors import ArtifactError
from model.signature import Column, Layout, Output, Signature
from model.signature.infer import infer_signature
from model.tensors import Tensor

X = np.random.default_rng(0).normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(int)


def recorded(estimator: Any, sample: Any) -> Golden:
    return record_golden(estimator, infer_signature(estimator, sample), sample)


def output(golden: Golden, name: str) -> Any:
    return tensor_from_json(next(item for item in golden.outputs if item["name"] == name)).data


def test_rows_are_spread_over_the_sample() -> None:
    rows = np.arange(71.0).reshape(-1, 1)
    golden = recorded(LinearRegression().fit(rows, rows[:, 0]), rows)
    assert golden.inputs[0]["data"] == [0, 10, 20, 30, 40, 50, 60, 70]
    assert golden.inputs[0]["shape"] == [8, 1]


def test_a_row_with_a_missing_value_is_among_them(pipeline: Pipeline, sample: pd.DataFrame) -> None:
    golden = recorded(pipeline, sample)
    length, count, island = (item["data"] for item in golden.inputs)
    assert len(length) == 9
    assert length[1] is None
    assert count[1] == sample["count"][3]
    assert None not in island


def test_a_short_sample_is_taken_whole(pipeline: Pipeline, sample: pd.DataFrame) -> None:
    assert recorded(pipeline, sample.head(2)).inputs[0]["shape"] == [2, 1]


def test_rows_that_json_can_not_carry_are_passed_over() -> None:
    rows = X.copy()
    rows[0, 0] = np.inf
    estimator = FunctionTransformer(np.tanh).fit(rows)
    estimator.n_features_in_ = 3
    golden = recorded(estimator, rows)
    assert golden.inputs[0]["data"][:3] == X[1].tolist()


def test_a_sample_of_infinities_alone_is_refused() -> None:
    estimator = FunctionTransformer(np.tanh).fit(X)
    estimator.n_features_in_ = 3
    with pytest.raises(ArtifactError, match="Every row of the sample holds an infinity"):
        recorded(estimator, np.full((2, 3), np.inf))


def test_answers_are_those_of_the_estimator(pipeline: Pipeline, sample: pd.DataFrame) -> None:
    golden = recorded(pipeline, sample)
    rows = pd.DataFrame({item["name"]: tensor_from_json(item).data[:, 0] for item in golden.inputs})
    assert output(golden, "predict").tolist() == pipeline.predict(rows).tolist()
    assert np.allclose(output(golden, "predict_proba"), pipeline.predict_proba(rows), rtol=1e-12)
    assert {item["name"] for item in golden.outputs} >= {"predict", "predict_proba", "decision_function"}


def test_an_output_with_infinities_is_left_out() -> None:
    golden = recorded(DecisionTreeClassifier(random_state=0).fit(X, Y), X)
    assert [item["name"] for item in golden.outputs] == ["predict", "predict_proba"]


def test_an_output_that_differs_from_call_to_call_is_left_out() -> None:
    class Noisy(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
        n_features_in_ = 3

        def predict(self, rows: Any) -> Any:
            return rows[:, 0]

        def score_samples(self, rows: Any) -> Any:
            return np.random.default_rng().normal(size=len(rows))

    assert [item["name"] for item in recorded(Noisy(), X).outputs] == ["predict"]


def test_a_very_large_output_is_left_out() -> None:
    texts = ["one two", "two three"] * 4
    golden = recorded(HashingVectorizer(n_features=2**13), texts)
    assert golden.outputs == ()
    assert golden.inputs[0]["datatype"] == "BYTES"
    (kept,) = recorded(HashingVectorizer(n_features=2**5), texts).outputs
    assert kept["shape"] == [8, 32]


def test_an_output_without_columns_is_left_out() -> None:
    assert recorded(MissingIndicator().fit(X), X).outputs == ()


def test_texts_are_sent_as_one_tensor() -> None:
    texts = ["one two", "two three"] * 4
    golden = recorded(make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, ["a", "b"] * 4), texts)
    assert [(item["datatype"], item["data"]) for item in golden.inputs] == [("BYTES", texts)]
    assert set(output(golden, "predict")) == {"a", "b"}


def test_columns_of_strings_without_names_are_sent_as_one_tensor() -> None:
    rows = np.array([["a", "x"], ["b", "y"]] * 5, dtype=object)
    golden = recorded(make_pipeline(OneHotEncoder(), LogisticRegression()).fit(rows, [0, 1] * 5), rows)
    assert [item["shape"] for item in golden.inputs] == [[8, 2]]
    assert golden.inputs[0]["datatype"] == "BYTES"


def test_columns_of_several_types_without_names_are_sent_by_position() -> None:
    rows = np.array([["a", 1.5], ["b", 2.5]] * 5, dtype=object)
    golden = recorded(make_pipeline(OneHotEncoder(), LogisticRegression()).fit(rows, [0, 1] * 5), rows)
    assert [(item["name"], item["datatype"]) for item in golden.inputs] == [("0", "BYTES"), ("1", "FP64")]


def test_integers_and_floats_without_names_are_sent_as_one_tensor_of_floats() -> None:
    rows = pd.DataFrame({"a": [1, 2, 3], "b": [0.5, 1.5, 2.5]})
    golden = recorded(LinearRegression().fit(rows.to_numpy(), [1, 2, 3]), rows)
    assert [(item["datatype"], item["data"]) for item in golden.inputs] == [("FP64", [1.0, 0.5, 2.0, 1.5, 3.0, 2.5])]


def test_every_type_of_column_comes_back_as_it_was() -> None:
    rows = pd.DataFrame(
        {
            "b": [True, False, True],
            "b_missing": [True, None, False],
            "i": [1, 2, 3],
            "f": [0.5, np.nan, 1.5],
            "s": ["x", None, "z"],
            "d": pd.to_datetime(["2024-01-01T00:00:00", "NaT", "2024-01-03T04:05:06.789"], format="ISO8601"),
            "c": pd.Categorical(["u", None, "v"]),
            "n": pd.Categorical([3, None, 5]),
        }
    )

    class Describing(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
        def predict(self, table: pd.DataFrame) -> Any:
            kinds = "|".join(map(str, table.dtypes))
            return np.array([f"{kinds}|{list(row)}" for row in table.itertuples(index=False)], dtype=object)

    golden = recorded(Describing(), rows)
    datatypes = {item["name"]: item["datatype"] for item in golden.inputs}
    assert datatypes == {
        "b": "BOOL",
        "b_missing": "BOOL",
        "i": "INT64",
        "f": "FP64",
        "s": "BYTES",
        "d": "BYTES",
        "c": "BYTES",
        "n": "INT64",
    }
    assert output(golden, "predict").tolist() == Describing().predict(rows).tolist()


def test_an_estimator_that_answers_a_request_otherwise_than_the_sample_is_refused() -> None:
    rows = pd.DataFrame({"s": ["x", None, np.nan, "x"]})

    class Telling(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
        def predict(self, table: pd.DataFrame) -> Any:
            return np.array([repr(value) for value in table["s"]])

    with pytest.raises(ArtifactError, match="otherwise in 'predict' when they come as a V2 request; write missing"):
        recorded(Telling(), rows)


def test_an_estimator_that_fails_on_the_chosen_rows_is_refused() -> None:
    class Fragile(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
        n_features_in_ = 3

        def predict(self, rows: Any) -> Any:
            if len(rows) == 8:
                msg = "eight is too few"
                raise RuntimeError(msg)
            return rows[:, 0]

    with pytest.raises(ArtifactError, match=r"Fragile\.predict fails on the golden rows: eight is too few"):
        recorded(Fragile(), X)


def test_a_row_that_the_signature_refuses_is_named() -> None:
    signature = Signature(
        layout=Layout.ARRAY,
        named=True,
        inputs=(Column(name="a"),),
        outputs=(Output(name="predict", method="predict"),),
    )
    with pytest.raises(ArtifactError, match=r"A row of the sample can't be sent in a request: .*'a'"):
        record_golden(LinearRegression(), signature, pd.DataFrame({"a": [1.0, np.nan]}))


@pytest.mark.parametrize(("change", "passes"), [(1e-9, True), (1e-3, False)])
def test_replaying_bears_the_last_bits_alone(change: float, *, passes: bool) -> None:
    estimator = LinearRegression().fit(X, Y)
    signature = infer_signature(estimator, X)
    golden = record_golden(estimator, signature, X)
    changed = copy.deepcopy(estimator)
    changed.coef_ = changed.coef_ * (1 + change)
    changed.intercept_ *= 1 + change
    if passes:
        check_golden(changed, signature, golden)
        return
    with pytest.raises(ArtifactError, match="'predict' of the golden rows differs"):
        check_golden(changed, signature, golden)


def test_a_forest_on_several_cores_is_recorded() -> None:
    golden = recorded(RandomForestClassifier(20, n_jobs=2, random_state=0).fit(X, Y), X)
    assert {item["name"] for item in golden.outputs} >= {"predict", "predict_proba"}


def _tensor(datatype: Datatype, values: Any) -> Tensor:
    return Tensor("t", datatype, np.array(values))


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (_tensor(Datatype.FP64, [1.0, np.nan]), _tensor(Datatype.FP64, [1.0 + 1e-8, np.nan]), True),
        (_tensor(Datatype.FP64, [1.0]), _tensor(Datatype.FP64, [1.00001]), False),
        (_tensor(Datatype.FP64, [1.0]), _tensor(Datatype.FP64, [np.nan]), False),
        (_tensor(Datatype.FP64, [1.0]), _tensor(Datatype.FP64, [[1.0]]), False),
        (_tensor(Datatype.INT64, [1]), _tensor(Datatype.INT64, [1]), True),
        (_tensor(Datatype.INT64, [10**9]), _tensor(Datatype.INT64, [10**9 + 1]), False),
        (_tensor(Datatype.INT64, [1]), _tensor(Datatype.FP64, [1.0]), False),
        (_tensor(Datatype.BYTES, ["a"]), _tensor(Datatype.BYTES, ["b"]), False),
    ],
)
def test_labels_are_equal_and_values_close(left: Tensor, right: Tensor, *, equal: bool) -> None:
    assert alike(left, right) is equal


def test_columns_that_the_signature_knows_nothing_of_are_sent_as_what_they_are() -> None:
    names = ("b", "i", "f", "s")
    signature = Signature(
        layout=Layout.FRAME,
        named=True,
        inputs=tuple(Column(name=name, datatype=None, dtype="object") for name in names),
        outputs=(Output(name="predict", method="predict"),),
    )
    rows = pd.DataFrame({"b": [True], "i": [1], "f": [0.5], "s": ["x"]})
    tensors = to_tensors(signature, rows)
    assert [tensor.datatype for tensor in tensors] == [Datatype.BOOL, Datatype.INT64, Datatype.FP64, Datatype.BYTES]
