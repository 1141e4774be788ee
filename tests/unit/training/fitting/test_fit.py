import io
import logging
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from model.artifact import publish, read_manifest
from tests.unit.training.fitting.samples import classes, fitted, numbers, values
from training.errors import ConfigurationError, FitError
from training.fitting import TEST, TRAIN, VALIDATION

X = numbers()
Y = classes(X)
XGBOOST = {"class": "xgboost.XGBClassifier", "parameters": {"n_estimators": 9, "max_depth": 2, "n_jobs": 1}}
LIGHTGBM = {"class": "lightgbm.LGBMClassifier", "parameters": {"n_estimators": 9, "num_leaves": 4, "n_jobs": 1}}
FOREST = {"class": "sklearn.ensemble.RandomForestClassifier", "parameters": {"n_estimators": 5}}
STOPPING = {"n_estimators": 300, "early_stopping_rounds": 3, "n_jobs": 1, "max_depth": 2}


def pickled(pipeline: Pipeline) -> bytes:
    content = io.BytesIO()
    joblib.dump(pipeline, content)
    return content.getvalue()


def test_without_settings_it_is_what_scikit_learn_fits() -> None:
    found, parts = fitted(X, Y)
    train = parts.index[parts == TRAIN]
    plain = LogisticRegression(max_iter=1000, random_state=0)
    scaled = found.pipeline[:-1].transform(X)
    own = plain.fit(found.pipeline[:-1].transform(X.loc[train]), Y.loc[train])
    np.testing.assert_array_equal(found.pipeline[-1].predict_proba(scaled), own.predict_proba(scaled))


def test_it_is_recorded(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "training")
    found, _ = fitted(X, Y, split={"validation_size": 0.1})
    assert found.record["rows"] == {TRAIN: 156, VALIDATION: 24, TEST: 60}
    assert found.record["estimator"]["class"].endswith(".LogisticRegression")
    assert found.record["estimator"]["parameters"]["max_iter"] == 1000
    assert found.record["iterations"] is None
    assert found.search is None
    assert caplog.messages == ["fit LogisticRegression on 156 rows of 3 columns"]


@pytest.mark.parametrize(
    "changes",
    [
        {"estimator": FOREST},
        {"estimator": XGBOOST},
        {"estimator": LIGHTGBM, "class_weight": "balanced"},
        {"estimator": FOREST, "calibration": {"folds": 2}},
        {"estimator": {"class": "sklearn.neural_network.MLPClassifier", "parameters": {"max_iter": 3}}},
    ],
    ids=["forest", "xgboost", "lightgbm", "calibrated", "network"],
)
def test_the_same_configuration_gives_the_same_bits(changes: dict[str, Any]) -> None:
    first, again = (pickled(fitted(X, Y, **changes)[0].pipeline) for _ in range(2))
    assert first == again


@pytest.mark.parametrize("labels", [("p", "q", "r"), (0, 1, 2), (1, 2, 3), (False, True)])
@pytest.mark.parametrize("estimator", [XGBOOST, LIGHTGBM], ids=["xgboost", "lightgbm"])
def test_boosting_answers_labels_as_they_are(estimator: dict[str, Any], labels: tuple[Any, ...]) -> None:
    y = classes(X, labels)
    found, _ = fitted(X, y, estimator=estimator)
    assert found.pipeline.classes_.tolist() == list(labels)
    assert (found.pipeline.predict(X) == y).mean() > 0.75
    assert found.pipeline.predict_proba(X).shape == (240, len(labels))


@pytest.mark.parametrize(
    "estimator",
    [
        {"class": "xgboost.XGBRegressor", "parameters": {"n_estimators": 40, "n_jobs": 1}},
        {"class": "lightgbm.LGBMRegressor", "parameters": {"n_estimators": 40, "n_jobs": 1}},
    ],
    ids=["xgboost", "lightgbm"],
)
def test_boosting_answers_numbers(estimator: dict[str, Any]) -> None:
    found, _ = fitted(X, values(X), task="regression", estimator=estimator)
    assert found.pipeline.score(X, values(X)) > 0.8


@pytest.mark.parametrize(
    "estimator",
    [
        {"class": "xgboost.XGBClassifier", "parameters": STOPPING},
        {"class": "lightgbm.LGBMClassifier", "parameters": STOPPING},
        {"class": "sklearn.ensemble.HistGradientBoostingClassifier", "parameters": {"early_stopping": True}},
    ],
    ids=["xgboost", "lightgbm", "scikit-learn"],
)
def test_boosting_stops_by_the_validation_part(estimator: dict[str, Any]) -> None:
    found, parts = fitted(X, Y, estimator=estimator, split={"validation_size": 0.2})
    assert 1 < found.record["iterations"] < 100
    turned = Y.copy()
    turned[parts == VALIDATION] = np.roll(Y[parts == VALIDATION], 1)
    other, _ = fitted(X, turned, estimator=estimator, split={"validation_size": 0.2, "stratify": False})
    assert other.record["iterations"] != found.record["iterations"]


def test_there_must_be_rows_to_stop_by() -> None:
    with pytest.raises(ConfigurationError, match=r"the split has no rows to stop by; set split\.validation_size"):
        fitted(X, Y, estimator={"class": "xgboost.XGBClassifier", "parameters": STOPPING})


def test_scikit_learns_boosting_takes_rows_of_its_own_where_none_are_held_out() -> None:
    boosting = {"class": "sklearn.ensemble.HistGradientBoostingClassifier", "parameters": {"early_stopping": True}}
    assert fitted(X, Y, estimator=boosting)[0].record["iterations"] < 100


def recall(labels: "pd.Series[Any]", found: Any, label: str) -> float:
    return float((found.pipeline.predict(X)[labels == label] == label).mean())


@pytest.mark.parametrize("estimator", [None, XGBOOST, LIGHTGBM], ids=["scikit-learn", "xgboost", "lightgbm"])
def test_a_rare_class_weighs_as_much_as_another(estimator: dict[str, Any] | None) -> None:
    rare = pd.Series(np.where(X["a"] + X["b"] + X["c"] * 2 > 3, "rare", "usual"), name="kind")
    plain, _ = fitted(X, rare, estimator=estimator)
    balanced, _ = fitted(X, rare, estimator=estimator, class_weight="balanced")
    weighed, _ = fitted(X, rare, estimator=estimator, class_weight={"rare": 50})
    assert recall(rare, balanced, "rare") >= recall(rare, plain, "rare")
    assert balanced.pipeline.predict_proba(X)[:, 0].sum() > plain.pipeline.predict_proba(X)[:, 0].sum()
    assert weighed.pipeline.predict_proba(X)[:, 0].sum() > plain.pipeline.predict_proba(X)[:, 0].sum()


def test_a_row_of_no_weight_is_as_if_it_were_not_there() -> None:
    wrong = Y.where(X["c"] < 0, "p")
    weights = (X["c"] < 0).astype(float).rename("w")
    found, parts = fitted(X, wrong, {"w": weights}, sample_weight="w", split={"stratify": False})
    kept = parts.index[(parts == TRAIN) & (weights == 1).loc[parts.index]]
    scaled = found.pipeline[:-1].transform(X)
    alone = LogisticRegression(max_iter=1000, random_state=0).fit(
        found.pipeline[:-1].transform(X.loc[kept]), wrong.loc[kept]
    )
    np.testing.assert_allclose(found.pipeline[-1].predict_proba(scaled), alone.predict_proba(scaled), atol=1e-4)


@pytest.mark.parametrize("key", ["class_weight", "sample_weight"])
def test_an_estimator_that_cannot_weigh_rows_is_named(key: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{key} is set, but KNeighborsClassifier cannot weigh rows"):
        fitted(
            X,
            Y,
            {"w": pd.Series(1.0, index=X.index)},
            estimator={"class": "sklearn.neighbors.KNeighborsClassifier"},
            **{key: "balanced" if key == "class_weight" else "w"},
        )


def test_a_class_that_no_row_has_is_named() -> None:
    with pytest.raises(
        ConfigurationError, match="class_weight names class 's', which no row to fit on has; they have p, q, r"
    ):
        fitted(X, Y, class_weight={"s": 2})


def test_what_an_estimator_refuses_is_told() -> None:
    with pytest.raises(FitError, match=r"SVC cannot be fitted: The 'C' parameter of SVC must be a float"):
        fitted(X, Y, estimator={"class": "sklearn.svm.SVC", "parameters": {"C": -1}})


HELD = {"estimator": {"class": "xgboost.XGBClassifier", "parameters": STOPPING}, "split": {"validation_size": 0.2}}


@pytest.mark.parametrize(
    ("changes", "engine"),
    [
        (HELD, "onnx"),
        ({**HELD, "calibration": {}}, "sklearn"),
        ({"calibration": {"folds": 3}, "class_weight": "balanced"}, "onnx"),
    ],
    ids=["stopped", "stopped and calibrated", "calibrated"],
)
def test_what_is_published_needs_nothing_of_training(tmp_path: Path, changes: dict[str, Any], engine: str) -> None:
    found, _ = fitted(X, Y, **changes)
    assert b"training.fitting" not in pickled(found.pipeline)
    record = read_manifest(publish(found.pipeline, X, name="fruit", root=tmp_path)).engine
    assert record is not None
    assert record.name == engine
