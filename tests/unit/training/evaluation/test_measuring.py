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
from training.evaluation import Evaluation, answers_of, evaluate
from training.evaluation.floor import check_floor
from training.metrics import Answers

MakeConfig = Callable[..., Config]

generator = np.random.default_rng(0)
X = pd.DataFrame(generator.normal(size=(90, 2)), columns=["a", "b"])
THREE = pd.Series(np.where(X["a"] > 0.5, "x", np.where(X["b"] > 0, "y", "z")))
TWO = pd.Series(X["a"] + generator.normal(size=90) > 0)
NUMBER = pd.Series(2 * X["a"] - X["b"] + generator.normal(size=90))


def evaluation(model: Any, y: "pd.Series[Any]", config: Config, rows: Any = slice(None)) -> Evaluation:
    return evaluate(answers_of(model, X[rows], y[rows], config.evaluation.positive), X[rows], config)


def test_a_classification_has_its_metrics(config: MakeConfig) -> None:
    model = LogisticRegression().fit(X, THREE)
    predicted, probabilities = model.predict(X), model.predict_proba(X)
    assert evaluation(model, THREE, config()).metrics == pytest.approx(
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
    found = evaluation(model, TWO, config(metrics=["roc_auc"])).metrics
    assert found == pytest.approx({"roc_auc": sk.roc_auc_score(TWO, model.predict_proba(X)[:, 1])})


def test_a_regression_has_its_metrics(config: MakeConfig) -> None:
    model = Ridge().fit(X, NUMBER)
    predicted = model.predict(X)
    assert evaluation(model, NUMBER, config(task="regression")).metrics == pytest.approx(
        {
            "mae": sk.mean_absolute_error(NUMBER, predicted),
            "rmse": math.sqrt(sk.mean_squared_error(NUMBER, predicted)),
            "r2": sk.r2_score(NUMBER, predicted),
        }
    )


def test_only_the_metrics_asked_for_are_measured(config: MakeConfig) -> None:
    found = evaluation(LogisticRegression().fit(X, TWO), TWO, config(metrics=["f1_macro", "accuracy"]))
    assert list(found.metrics) == ["f1_macro", "accuracy"]


def test_a_metric_that_has_a_floor_is_measured_beside_the_usual_ones(config: MakeConfig) -> None:
    found = evaluation(LogisticRegression().fit(X, TWO), TWO, config(floor={"recall": 0.1}))
    assert list(found.metrics) == ["accuracy", "balanced_accuracy", "f1_macro", "log_loss", "roc_auc", "recall"]


def test_what_is_looked_for_is_named_as_it_is_written_in_the_data(config: MakeConfig) -> None:
    model = LogisticRegression().fit(X, TWO)
    found = evaluation(model, TWO, config(metrics=["recall"], evaluation={"positive": "false"}))
    assert found.metrics["recall"] == pytest.approx(sk.recall_score(TWO, model.predict(X), pos_label=False))


def test_what_is_looked_for_is_one_of_the_classes(config: MakeConfig) -> None:
    with pytest.raises(ConfigurationError, match="positive is 'maybe'; expected one of false, true"):
        evaluation(LogisticRegression().fit(X, TWO), TWO, config(evaluation={"positive": "maybe"}))
    with pytest.raises(ConfigurationError, match="positive is 'yes'; expected none, for there are no classes"):
        evaluation(Ridge().fit(X, NUMBER), NUMBER, config(task="regression", evaluation={"positive": "yes"}))


def test_an_undefined_metric_nobody_asked_for_is_left_out_and_said(
    config: MakeConfig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "training")
    found = evaluation(RidgeClassifier().fit(X, TWO), TWO, config())
    assert list(found.metrics) == ["accuracy", "balanced_accuracy", "f1_macro"]
    assert "log_loss is left out: it is not defined for this estimator and these 90 test rows" in caplog.messages


@pytest.mark.parametrize("changes", [{"metrics": ["log_loss"]}, {"floor": {"log_loss": 1.0}}])
def test_a_metric_asked_for_needs_an_estimator_that_has_it(config: MakeConfig, changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="names 'log_loss', but the estimator gives no probabilities"):
        evaluation(RidgeClassifier().fit(X, TWO), TWO, config(**changes))


def test_a_metric_of_two_classes_needs_two(config: MakeConfig) -> None:
    with pytest.raises(
        ConfigurationError, match="names 'recall', which is of two classes, and there are 3; use recall_macro"
    ):
        evaluation(LogisticRegression().fit(X, THREE), THREE, config(metrics=["recall"]))


def test_a_metric_asked_for_needs_rows_that_define_it(config: MakeConfig) -> None:
    model, some = LogisticRegression().fit(X, THREE), THREE != "z"
    with pytest.raises(DataError, match=r"roc_auc is not defined on the \d+ test rows; expected more rows, of every"):
        evaluation(model, THREE, config(metrics=["roc_auc"]), some)


def test_every_floor_says_whether_it_is_met(config: MakeConfig) -> None:
    chosen = config(floor={"accuracy": 0.9, "f1_macro": 0.8, "log_loss": 0.5})
    checks = list(check_floor({"accuracy": 0.81234567, "f1_macro": 0.8, "log_loss": 0.7}, chosen))
    assert [(check.passed, check.sentence) for check in checks] == [
        (False, "accuracy is 0.8123, expected at least 0.9"),
        (True, "f1_macro is 0.8, expected at least 0.8"),
        (False, "log_loss is 0.7, expected at most 0.5"),
    ]
    assert checks[0].figures == {"metric": "accuracy", "value": 0.81234567, "floor": 0.9}


def test_predictions_without_bounds_have_no_pictures(config: MakeConfig) -> None:
    answers = Answers(np.arange(3.0), np.array([0.0, 1.0, np.inf]))
    chosen = config(task="regression", metrics=["median_ae"])
    found = evaluate(answers, pd.DataFrame(index=range(3)), chosen)
    assert (found.metrics["median_ae"], found.residuals, found.predictions) == (0, None, None)
