"""What clients are told of a model's inputs and outputs."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from model.artifact import LoadPolicy, publish
from model.datatypes import Datatype
from model.metadata import TensorMetadata, model_metadata
from model.servable import load_servable

FRAME = pd.DataFrame({"eggs": [1, 2], "mass": [0.5, 1.5], "island": ["Dream", "Biscoe"], "tagged": [True, False]})
COLUMNS = make_column_transformer((OneHotEncoder(), ["island"]), remainder="passthrough")
TEXTS = ["good fish", "bad fish"]


@pytest.mark.parametrize(
    ("estimator", "X", "expected"),
    [
        (
            make_pipeline(COLUMNS, LinearRegression()),
            FRAME,
            [
                TensorMetadata("eggs", Datatype.INT64, (-1, 1)),
                TensorMetadata("mass", Datatype.FP64, (-1, 1)),
                TensorMetadata("island", Datatype.BYTES, (-1, 1)),
                TensorMetadata("tagged", Datatype.BOOL, (-1, 1)),
            ],
        ),
        (LinearRegression(), np.eye(2), [TensorMetadata("input-0", Datatype.FP64, (-1, 2))]),
        (
            make_pipeline(CountVectorizer(), LinearRegression()),
            TEXTS,
            [TensorMetadata("input-0", Datatype.BYTES, (-1,))],
        ),
    ],
    ids=["named", "numbers", "text"],
)
def test_inputs_are_columns_where_they_have_names_and_a_single_tensor_otherwise(
    tmp_path: Path, estimator: Any, X: Any, expected: list[TensorMetadata]
) -> None:
    directory = publish(estimator.fit(X, [0.0, 1.0]), X, name="model", root=tmp_path)
    metadata = model_metadata(load_servable(directory, "mine", LoadPolicy()), ("1", "2"))
    assert (metadata.name, metadata.versions, metadata.platform) == ("mine", ("1", "2"), "sklearn_joblib")
    assert list(metadata.inputs) == expected
    assert metadata.outputs == (TensorMetadata("predict", Datatype.FP64, (-1,)),)


def test_outputs_are_the_estimators_methods(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(20, 2))
    directory = publish(LogisticRegression().fit(X, ["a", "b"] * 10), X, name="model", root=tmp_path)
    outputs = model_metadata(load_servable(directory, "model", LoadPolicy()), ()).outputs
    assert outputs[:2] == (
        TensorMetadata("predict", Datatype.BYTES, (-1,)),
        TensorMetadata("predict_proba", Datatype.FP64, (-1, 2)),
    )


def test_a_column_of_unknown_datatype_is_taken_for_a_number(tmp_path: Path) -> None:
    X = pd.DataFrame({"a": [1.0, 2.0], "b": [2.0, 1.0]})
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(FunctionTransformer().fit(X)))
    inputs = model_metadata(load_servable(tmp_path, "bare", LoadPolicy()), ()).inputs
    assert inputs == (TensorMetadata("a", Datatype.FP64, (-1, 1)), TensorMetadata("b", Datatype.FP64, (-1, 1)))
