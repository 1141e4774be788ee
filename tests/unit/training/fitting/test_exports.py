"""What leaves the library that has fitted it: as scikit-learn's linear model does here, in the place of a network."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from model.artifact import read_manifest
from model.network import NetworkClassifier
from tests.unit.training.fitting.samples import classes, configured, numbers
from tests.unit.training.project import Project
from training.fitting import Sample, fit, split
from training.fitting.exports import Export, exported


class Exporting(LogisticRegression):  # type: ignore[misc]  # scikit-learn has no types
    """A linear model that hands its weights to a graph."""

    def export(self, X: Any) -> Export:
        from model.network import Graph
        from tests.unit.engine.networks import linear

        assert X.shape[1] == self.n_features_in_
        weights, biases = self.coef_.T, self.intercept_
        if len(self.classes_) == 2:  # the scores of the second class alone
            weights, biases = np.hstack([0 * weights, weights]), np.hstack([0 * biases, biases])
        graph = Graph(linear(weights, biases))
        return Export(NetworkClassifier(graph, self.classes_), b"weights", {"rows": len(X)})


def fitted(**changes: Any) -> Any:
    X = numbers()
    y = classes(X)
    config = configured(backend={"jobs": 1}, **changes)
    sample = Sample.of(X, y, {}, config)
    pipeline = Pipeline([("preprocess", StandardScaler()), ("estimator", Exporting())])
    return fit(pipeline, sample, split(sample, config), config)


def test_the_export_takes_the_place_of_what_was_fitted() -> None:
    found = fitted()
    assert type(found.pipeline[-1]) is NetworkClassifier
    assert found.checkpoint == b"weights"
    assert found.record["export"] == {"rows": found.record["rows"]["train"]}
    assert found.record["estimator"]["class"].endswith("Exporting")
    own = Pipeline([("p", StandardScaler()), ("e", LogisticRegression())]).fit(numbers(), classes(numbers()))
    assert np.mean(found.pipeline.predict(numbers()) == own.predict(numbers())) > 0.95


@pytest.mark.parametrize("validation", [0.0, 0.2])
def test_it_does_within_a_calibration_as_well(validation: float) -> None:
    found = fitted(calibration={"method": "sigmoid", "folds": 2}, split={"validation_size": validation})
    last = found.pipeline[-1]
    assert type(last) is CalibratedClassifierCV
    assert type(last.estimator) is type(last.calibrated_classifiers_[0].estimator) is NetworkClassifier
    np.testing.assert_allclose(found.pipeline.predict_proba(numbers()).sum(axis=1), 1)


def test_what_is_no_network_stays_as_it_is() -> None:
    X = numbers()
    pipeline = Pipeline([("p", StandardScaler()), ("e", LogisticRegression())]).fit(X, classes(X))
    assert exported(pipeline, X) == (pipeline, None)


def test_the_checkpoint_lies_in_the_version(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.fitting.estimators.build", lambda *_: Exporting())
    project.write_config(evaluation={"pictures": False})
    result = project.train()
    assert result.code == 0, result.err
    version = project.root / "fruit" / "1"
    assert (version / "checkpoint.pt").read_bytes() == b"weights"
    assert read_manifest(version).modules.keys() == {"onnxruntime"}
    assert "torch" not in Path(version / "fit.json").read_text()
