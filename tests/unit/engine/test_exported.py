"""Networks at the end of a pipeline: graphs with scikit-learn's methods."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from model.artifact import LoadPolicy, load, publish, read_manifest
from model.artifact.modules import required_modules
from model.network import Graph, NetworkClassifier, NetworkRegressor
from tests.unit.engine.conftest import find
from tests.unit.engine.networks import layered

LABELS = np.array(["oat", "rye", "wheat"])


def classifier(columns: int = 4) -> NetworkClassifier:
    return NetworkClassifier(Graph(layered(columns, len(LABELS), ends_in="Softmax")), LABELS)


def regressor(columns: int = 4) -> NetworkRegressor:
    return NetworkRegressor(Graph(layered(columns, 1)))


def test_it_is_a_classifier_or_a_regressor_and_fitted(numbers: Any) -> None:
    assert is_classifier(classifier())
    assert is_regressor(regressor())
    assert make_pipeline(classifier()).predict(numbers).shape == (200,)


def test_a_label_is_that_of_the_highest_probability(numbers: Any) -> None:
    found = classifier().predict_proba(numbers)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
    assert (classifier().predict(numbers) == LABELS[found.argmax(axis=1)]).all()


def test_many_rows_are_answered_in_parts_as_in_one(numbers: Any) -> None:
    many = np.tile(numbers, (50, 1))
    np.testing.assert_allclose(regressor().predict(many), np.tile(regressor().predict(numbers), 50), rtol=1e-6)


def test_sparse_rows_are_taken_as_others(numbers: Any) -> None:
    assert (regressor().predict(sparse.csr_matrix(numbers)) == regressor().predict(numbers)).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39])
def test_what_float32_does_not_hold_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="Input"):
        regressor().predict([[0.0, value, 0.0, 0.0]])


def test_it_is_not_fitted_again(numbers: Any) -> None:
    with pytest.raises(TypeError, match="NetworkRegressor holds a network that was exported, and cannot be fitted"):
        regressor().fit(numbers, numbers[:, 0])


def test_it_survives_a_pickle_whether_it_has_run_or_not(numbers: Any) -> None:
    network = classifier()
    for _ in range(2):
        copy = pickle.loads(pickle.dumps(network))
        assert (copy.predict_proba(numbers) == network.predict_proba(numbers)).all()


def test_it_needs_onnxruntime_where_it_is_served() -> None:
    found = required_modules(make_pipeline(StandardScaler(), classifier()))
    assert [*found] == ["onnxruntime"]
    assert found["onnxruntime"] is not None


@pytest.fixture
def table() -> pd.DataFrame:
    random = np.random.default_rng(1)
    return pd.DataFrame({"a": random.normal(size=90), "b": random.normal(size=90), "c": random.choice(["p", "q"], 90)})


Make = Callable[[int], Any]


@pytest.mark.parametrize("make", [classifier, regressor])
def test_with_what_stands_before_it_it_is_one_graph(make: Make, table: pd.DataFrame) -> None:
    prepare = make_column_transformer((StandardScaler(), ["a", "b"]), (OneHotEncoder(), ["c"]))
    prepare.fit(table)
    found = find(Pipeline([("prepare", prepare), ("estimator", make(4))]), table)
    assert (found.record.name, found.record.from_step) == ("onnx", 0), found.record.refused


def test_calibrated_it_is_one_graph_too(numbers: Any) -> None:
    network, labels = classifier(), classifier().predict(numbers)
    calibrated = CalibratedClassifierCV(FrozenEstimator(network), ensemble=False, cv=3).fit(numbers, labels)
    calibrated.estimator = calibrated.calibrated_classifiers_[0].estimator = network
    found = find(make_pipeline(StandardScaler().fit(numbers), calibrated), numbers)
    assert found.record.name == "onnx", found.record.refused


def test_rows_that_overflow_within_are_left_to_the_network_itself(numbers: Any) -> None:
    network = NetworkClassifier(Graph(layered(4, 3, ends_in="Softmax", factor=1e10)), LABELS)
    found = find(make_pipeline(StandardScaler().fit(numbers), network), numbers)
    assert found.record.name == "onnx", found.record.refused
    assert found.record.parity is not None
    assert found.record.parity.left > 0


def test_a_version_of_it_is_published_and_loaded(numbers: Any, tmp_path: Path) -> None:
    pipeline = make_pipeline(StandardScaler().fit(numbers), classifier())
    version = publish(pipeline, numbers, name="grain", root=tmp_path, extra_files={"checkpoint.pt": b"weights"})
    manifest = read_manifest(version)
    assert "checkpoint.pt" in manifest.files
    assert manifest.signature.outputs[0].labels == tuple(LABELS)
    loaded = load(version, policy=LoadPolicy(require_manifest=True))
    assert (loaded.estimator.predict(numbers) == pipeline.predict(numbers)).all()
