import logging
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier

from training.config import Config
from training.errors import ConfigurationError, DataError
from training.evaluation import below_floor, evaluate
from training.metrics import METRICS, Answers, Task, names_for

MakeConfig = Callable[..., Config]

generator = np.random.default_rng(0)
X = pd.DataFrame(generator.normal(size=(90, 2)), columns=["a", "b"])
THREE = pd.Series(np.where(X["a"] > 0.5, "x", np.where(X["b"] > 0, "y", "z")))
TWO = pd.Series(X["a"] + generator.normal(size=90) > 0)
NUMBER = pd.Series(2 * X["a"] - X["b"] + generator.normal(size=90))


def test_a_classification_has_its_metrics(config: MakeConfig) -> None:
    model = LogisticRegression().fit(X, THREE)
    predicted, probabilities = model.predict(X), model.predict_proba(X)
    assert evaluate(model, X, THREE, config()) == pytest.approx(
        {
            "accuracy": sk.accuracy_score(THREE, predicted),
            "balanced_accuracy": sk.balanced_accuracy_score(THREE, predicted),
            "f1_macro": sk.f1_score(THREE, predicted, average="macro"),
            "log_loss": sk.log_loss(THREE, probabilities),
            "roc_auc": sk.roc_auc_score(THREE, probabilities, multi_class="ovr"),
        }
    )


def test_two_classes_have_one_area(config: MakeConfig) -> None:
    model = LogisticRegression().fit(X, TWO)
    found = evaluate(model, X, TWO, config(metrics=["roc_auc"]))
    assert found == pytest.approx({"roc_auc": sk.roc_auc_score(TWO, model.predict_proba(X)[:, 1])})


def test_a_regression_has_its_metrics(config: MakeConfig) -> None:
    model = Ridge().fit(X, NUMBER)
    predicted = model.predict(X)
    assert evaluate(model, X, NUMBER, config(task="regression")) == pytest.approx(
        {
            "mae": sk.mean_absolute_error(NUMBER, predicted),
            "rmse": math.sqrt(sk.mean_squared_error(NUMBER, predicted)),
            "r2": sk.r2_score(NUMBER, predicted),
        }
    )


def test_only_the_metrics_asked_for_are_measured(config: MakeConfig) -> None:
    found = evaluate(LogisticRegression().fit(X, TWO), X, TWO, config(metrics=["f1_macro", "accuracy"]))
    assert list(found) == ["f1_macro", "accuracy"]


def test_an_undefined_metric_nobody_asked_for_is_left_out_and_said(
    config: MakeConfig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "training")
    found = evaluate(RidgeClassifier().fit(X, TWO), X, TWO, config())
    assert list(found) == ["accuracy", "balanced_accuracy", "f1_macro"]
    assert "log_loss is left out: it is not defined for this estimator and these 90 test rows" in caplog.messages


@pytest.mark.parametrize("changes", [{"metrics": ["log_loss"]}, {"floor": {"log_loss": 1.0}}])
def test_a_metric_asked_for_needs_an_estimator_that_has_it(config: MakeConfig, changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="names 'log_loss', but the estimator gives no probabilities"):
        evaluate(RidgeClassifier().fit(X, TWO), X, TWO, config(**changes))


def test_a_metric_asked_for_needs_rows_that_define_it(config: MakeConfig) -> None:
    model, some = LogisticRegression().fit(X, THREE), THREE != "z"
    with pytest.raises(DataError, match=r"roc_auc is not defined on the \d+ test rows; expected more rows, of every"):
        evaluate(model, X[some], THREE[some], config(metrics=["roc_auc"]))


def test_a_floor_that_is_met_passes(config: MakeConfig) -> None:
    chosen = config(floor={"accuracy": 0.9, "log_loss": 0.5})
    assert below_floor({"accuracy": 0.9, "log_loss": 0.5}, chosen) == []
    assert below_floor({"accuracy": 0.9, "log_loss": 0.51}, chosen) == ["log_loss is 0.51, expected at most 0.5"]


def test_every_floor_that_is_missed_is_said(config: MakeConfig) -> None:
    chosen = config(floor={"accuracy": 0.9, "f1_macro": 0.8, "log_loss": 0.5})
    assert below_floor({"accuracy": 0.81234567, "f1_macro": 0.9, "log_loss": 0.7}, chosen) == [
        "accuracy is 0.8123, expected at least 0.9",
        "log_loss is 0.7, expected at most 0.5",
    ]


def test_each_task_has_metrics_of_its_own() -> None:
    assert names_for(Task.CLASSIFICATION) == ("accuracy", "balanced_accuracy", "f1_macro", "log_loss", "roc_auc")
    assert names_for(Task.REGRESSION) == ("mae", "rmse", "r2")


def test_an_area_without_probabilities_is_undefined() -> None:
    values = np.array([0, 1])
    assert math.isnan(METRICS["roc_auc"].score(Answers(values, values)))
