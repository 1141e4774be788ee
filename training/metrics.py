"""The metrics a model is measured by; a new one is one line of ``METRICS``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn import metrics as sk

Values = npt.NDArray[Any]


class Task(StrEnum):
    """What is predicted: a class, or a number."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


@dataclass(frozen=True)
class Answers:
    """
    What a model answered to the test rows.

    Parameters
    ----------
    expected, predicted : ndarray of shape (n_samples,)
    classes : ndarray of shape (n_classes,), or None
        Of a classifier.
    probabilities : ndarray of shape (n_samples, n_classes), or None
        Of a classifier that has ``predict_proba``.
    """

    expected: Values
    predicted: Values
    classes: Values | None = None
    probabilities: Values | None = None


@dataclass(frozen=True)
class Metric:
    """
    One metric.

    Parameters
    ----------
    task : Task
    score : callable
        From answers to a number, NaN where these rows do not define it.
    higher_is_better : bool
    needs_probabilities : bool
    """

    task: Task
    score: Callable[[Answers], float]
    higher_is_better: bool = True
    needs_probabilities: bool = False

    def meets(self, value: float, floor: float) -> bool:
        """Whether ``value`` is no worse than ``floor``."""
        return value >= floor if self.higher_is_better else value <= floor


def _accuracy(answers: Answers) -> float:
    return float(sk.accuracy_score(answers.expected, answers.predicted))


def _balanced_accuracy(answers: Answers) -> float:
    return float(sk.balanced_accuracy_score(answers.expected, answers.predicted))


def _f1_macro(answers: Answers) -> float:
    return float(sk.f1_score(answers.expected, answers.predicted, average="macro", zero_division=0))


def _log_loss(answers: Answers) -> float:
    return float(sk.log_loss(answers.expected, answers.probabilities, labels=answers.classes))


def _roc_auc(answers: Answers) -> float:
    """Area under the curve; the mean of one class against the rest where there are more than two."""
    classes, probabilities = answers.classes, answers.probabilities
    if classes is None or probabilities is None or len(np.unique(answers.expected)) < len(classes):
        return float("nan")
    areas = [sk.roc_auc_score(answers.expected == label, probabilities[:, i]) for i, label in enumerate(classes)]
    return float(np.mean(areas))


def _mae(answers: Answers) -> float:
    return float(sk.mean_absolute_error(answers.expected, answers.predicted))


def _rmse(answers: Answers) -> float:
    return float(sk.root_mean_squared_error(answers.expected, answers.predicted))


def _r2(answers: Answers) -> float:
    return float(sk.r2_score(answers.expected, answers.predicted))


METRICS: Final[Mapping[str, Metric]] = MappingProxyType(
    {
        "accuracy": Metric(Task.CLASSIFICATION, _accuracy),
        "balanced_accuracy": Metric(Task.CLASSIFICATION, _balanced_accuracy),
        "f1_macro": Metric(Task.CLASSIFICATION, _f1_macro),
        "log_loss": Metric(Task.CLASSIFICATION, _log_loss, higher_is_better=False, needs_probabilities=True),
        "roc_auc": Metric(Task.CLASSIFICATION, _roc_auc, needs_probabilities=True),
        "mae": Metric(Task.REGRESSION, _mae, higher_is_better=False),
        "rmse": Metric(Task.REGRESSION, _rmse, higher_is_better=False),
        "r2": Metric(Task.REGRESSION, _r2),
    }
)
"""Every metric by the name that configuration and manifest use."""


def names_for(task: Task) -> tuple[str, ...]:
    """Return the names of the metrics of a task."""
    return tuple(name for name, metric in METRICS.items() if metric.task is task)
