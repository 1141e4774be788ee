"""How good a fitted model is."""

import logging
import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from training.config import Config
from training.errors import ConfigurationError, DataError
from training.evaluation import curves
from training.evaluation.calibration import calibration_of
from training.evaluation.record import Evaluation
from training.evaluation.resampling import intervals, resamples_of, scores
from training.evaluation.slices import sliced
from training.metrics import METRICS, Answers, Task, usual_for

log = logging.getLogger(__name__)


def evaluate(answers: Answers, columns: pd.DataFrame, config: Config) -> Evaluation:
    """
    Measure the answers to rows that a model has not seen.

    Parameters
    ----------
    answers : Answers
    columns : DataFrame of shape (n_samples, n_columns)
        What the rows may be divided by.
    config : Config

    Returns
    -------
    evaluation : Evaluation
        Its metrics are those asked for; where none was asked for, the task's usual ones that these rows define.

    Raises
    ------
    ConfigurationError
        A metric that was asked for needs what the model does not give, or a column is missing.
    DataError
        A metric that was asked for is not defined on these rows.
    """
    choice = config.evaluation
    metrics = _defined(answers, config)
    return Evaluation(
        task=config.task,
        target=config.target,
        rows=len(answers),
        metrics=metrics,
        intervals=intervals(list(metrics), answers, choice.intervals),
        confidence=choice.intervals.confidence,
        resamples=resamples_of(len(answers), choice.intervals),
        groups=None if answers.groups is None else answers.independent,
        slices=tuple(sliced(name, answers, columns, list(metrics), choice) for name in choice.slices.columns),
        **(_of_classes(answers) if config.task is Task.CLASSIFICATION else _of_numbers(answers)),
    )


def _of_classes(answers: Answers) -> dict[str, object]:
    return {
        "calibration": calibration_of(answers),
        "confusion": curves.confusion_of(answers),
        "roc": curves.roc(answers),
        "precision_recall": curves.precision_recall(answers),
    }


def _of_numbers(answers: Answers) -> dict[str, object]:
    if not np.isfinite(answers.predicted).all():
        return {}
    return {"residuals": curves.residuals_of(answers), "predictions": curves.predictions_of(answers)}


def _defined(answers: Answers, config: Config) -> Mapping[str, float]:
    names = dict.fromkeys([*(config.metrics or usual_for(config.task)), *config.floor])
    asked = {*(config.metrics or ()), *config.floor}
    values = scores(list(names), answers)
    undefined = [name for name, value in values.items() if not math.isfinite(value)]
    for name in undefined:
        if name in asked:
            raise undefined_metric(name, answers, "metrics or floor")
        log.info("%s is left out: it is not defined for this estimator and these %d test rows", name, len(answers))
    return {name: value for name, value in values.items() if name not in undefined}


def undefined_metric(name: str, answers: Answers, key: str) -> ConfigurationError | DataError:
    """Return what to say of a metric that answers do not define, and that ``key`` of the configuration names."""
    metric = METRICS[name]
    if metric.needs_probabilities and answers.probabilities is None:
        return ConfigurationError(f"{key} names {name!r}, but the estimator gives no probabilities")
    if metric.needs_two_classes and answers.positive_label is None:
        labels = len(answers.labels)
        return ConfigurationError(
            f"{key} names {name!r}, which is of two classes, and there are {labels}; use {name}_macro"
        )
    return DataError(f"{name} is not defined on the {len(answers)} test rows; expected more rows, of every class")
