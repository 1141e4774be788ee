"""How good a fitted model is, and whether that is good enough."""

import logging
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from training.config import Config
from training.errors import ConfigurationError, DataError
from training.estimators import Estimator
from training.metrics import METRICS, Answers, names_for

log = logging.getLogger(__name__)


def evaluate(estimator: Estimator, X: pd.DataFrame, y: "pd.Series[Any]", config: Config) -> dict[str, float]:
    """
    Measure a fitted estimator on rows it has not seen.

    Parameters
    ----------
    estimator : fitted estimator
    X : DataFrame of shape (n_samples, n_features)
    y : Series of shape (n_samples,)
    config : Config
        Tells the metrics.

    Returns
    -------
    metrics : dict of str to float
        Every metric asked for; where none was asked for, those of the task that these rows define.

    Raises
    ------
    ConfigurationError
        A metric that was asked for needs probabilities, which the estimator does not give.
    DataError
        A metric that was asked for is not defined on these rows.
    """
    asked = {*(config.metrics or ()), *config.floor}
    answers = _answers(estimator, X, y)
    scores = _scores(config.metrics or names_for(config.task), answers)
    undefined = [name for name, value in scores.items() if not math.isfinite(value)]
    for name in undefined:
        if name in asked:
            raise _undefined(name, answers)
        log.info("%s is left out: it is not defined for this estimator and these %d test rows", name, len(X))
    return {name: value for name, value in scores.items() if name not in undefined}


def below_floor(metrics: Mapping[str, float], config: Config) -> list[str]:
    """Return a clause for each metric that is worse than the configuration allows."""
    return [
        f"{name} is {metrics[name]:.4g}, expected at {'least' if METRICS[name].higher_is_better else 'most'} {floor:g}"
        for name, floor in config.floor.items()
        if not METRICS[name].meets(metrics[name], floor)
    ]


def _answers(estimator: Estimator, X: pd.DataFrame, y: "pd.Series[Any]") -> Answers:
    probable = hasattr(estimator, "predict_proba")
    return Answers(
        expected=y.to_numpy(),
        predicted=np.asarray(estimator.predict(X)),
        classes=getattr(estimator, "classes_", None),
        probabilities=np.asarray(estimator.predict_proba(X)) if probable else None,
    )


def _scores(names: Sequence[str], answers: Answers) -> dict[str, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of what is NaN here, and told below
        return {name: _score(name, answers) for name in names}


def _score(name: str, answers: Answers) -> float:
    metric = METRICS[name]
    if metric.needs_probabilities and answers.probabilities is None:
        return math.nan
    return metric.score(answers)


def _undefined(name: str, answers: Answers) -> ConfigurationError | DataError:
    if METRICS[name].needs_probabilities and answers.probabilities is None:
        return ConfigurationError(f"metrics or floor names {name!r}, but the estimator gives no probabilities")
    rows = len(answers.expected)
    return DataError(f"{name} is not defined on the {rows} test rows; expected more rows, of every class")
