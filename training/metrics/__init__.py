"""The metrics a model is measured by; a new one is one line of ``METRICS``."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import Final

import numpy as np

from training.metrics import figures
from training.metrics.answers import Answers, Values
from training.metrics.summaries import (
    Statistic,
    Summary,
    Weights,
    largest_error,
    mean_of,
    median_error,
    one_against_rest,
    squares,
    tallies,
)

__all__ = [
    "METRICS",
    "Answers",
    "Metric",
    "Statistic",
    "Task",
    "Values",
    "Weights",
    "measure",
    "names_for",
    "usual_for",
]


class Task(StrEnum):
    """What is predicted: a class, or a number."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


@dataclass(frozen=True)
class Metric:
    """
    One metric.

    Parameters
    ----------
    task : Task
    summary : Summary
        What is summed up over the rows; metrics with the same one share the work.
    figure : callable
        From that to an array of shape (n_resamples,), NaN where the rows do not define it.
    higher_is_better : bool
    needs_probabilities : bool
    needs_two_classes : bool
        Whether it is about one of two classes.
    usual : bool
        Whether it is measured where the configuration names none.
    has_interval : bool
        Whether resamples tell how far it may be off; of a maximum they don't.
    """

    task: Task
    summary: Summary
    figure: Callable[[Values], Values]
    higher_is_better: bool = True
    needs_probabilities: bool = False
    needs_two_classes: bool = False
    usual: bool = False
    has_interval: bool = True

    @property
    def counts_labels(self) -> bool:
        """Whether it depends on the labels alone, and so moves by whole rows."""
        return self.summary is tallies

    def of(self, summed: Values, answers: Answers) -> Values:
        """Return the values of what was summed up over answers, shape (n_resamples,)."""
        values = self.figure(summed)
        return values[:, answers.positive_position] if self.needs_two_classes else values

    def score(self, answers: Answers) -> float:
        """Measure answers, each row counting once; NaN where they do not define it."""
        return float(measure([self], answers)(np.ones((1, len(answers))))[self][0])

    def meets(self, value: float, floor: float) -> bool:
        """Whether ``value`` is no worse than ``floor``."""
        return value >= floor if self.higher_is_better else value <= floor


def measure(metrics: Iterable[Metric], answers: Answers) -> Callable[[Weights], dict[Metric, Values]]:
    """
    Look at answers once, and return what measures resamples of them.

    Returns
    -------
    measured : callable
        From weights of shape (n_resamples, n_samples) to the metrics' values, each of shape (n_resamples,).
    """
    chosen = tuple(metrics)
    defined = [metric for metric in chosen if _is_defined(metric, answers)]
    statistics = {metric.summary: metric.summary(answers) for metric in defined}

    def measured(weights: Weights) -> dict[Metric, Values]:
        summed = {summary: statistic(weights) for summary, statistic in statistics.items()}
        undefined = np.full(len(weights), np.nan)
        return {
            metric: metric.of(summed[metric.summary], answers) if metric in defined else undefined for metric in chosen
        }

    return measured


def _is_defined(metric: Metric, answers: Answers) -> bool:
    if metric.needs_two_classes and answers.positive_label is None:
        return False
    return answers.probabilities is not None or not metric.needs_probabilities


def _mean(values: Values) -> Values:
    return np.asarray(values.mean(axis=1))


def _same(values: Values) -> Values:
    return values


_labels = partial(Metric, Task.CLASSIFICATION, tallies)
_one_of_two = partial(_labels, needs_two_classes=True)
_probable = partial(Metric, Task.CLASSIFICATION, needs_probabilities=True)
_number = partial(Metric, Task.REGRESSION)
_error = partial(_number, higher_is_better=False)

METRICS: Final[Mapping[str, Metric]] = MappingProxyType(
    {
        "accuracy": _labels(figures.accuracy, usual=True),
        "balanced_accuracy": _labels(figures.balanced_accuracy, usual=True),
        "precision": _one_of_two(figures.precision),
        "recall": _one_of_two(figures.recall),
        "f1": _one_of_two(figures.f1),
        "precision_macro": _labels(lambda t: figures.macro(figures.precision(t), t)),
        "recall_macro": _labels(lambda t: figures.macro(figures.recall(t), t)),
        "f1_macro": _labels(lambda t: figures.macro(figures.f1(t), t), usual=True),
        "mcc": _labels(figures.mcc),
        "log_loss": _probable(mean_of(figures.log_losses), _same, higher_is_better=False, usual=True),
        "brier": _probable(mean_of(figures.brier_losses), _same, higher_is_better=False),
        "roc_auc": _probable(one_against_rest(figures.roc_area), _mean, usual=True),
        "average_precision": _probable(one_against_rest(figures.average_precision), _mean),
        "mae": _error(mean_of(figures.errors), _same, usual=True),
        "rmse": _error(mean_of(figures.squared_errors), np.sqrt, usual=True),
        "r2": _number(squares, figures.r2, usual=True),
        "mape": _error(mean_of(figures.relative_errors), _same),
        "median_ae": _error(median_error, _same),
        "max_error": _error(largest_error, _same, has_interval=False),
    }
)
"""Every metric by the name that configuration and manifest use."""


def names_for(task: Task) -> tuple[str, ...]:
    """Return the names of the metrics of a task."""
    return tuple(name for name, metric in METRICS.items() if metric.task is task)


def usual_for(task: Task) -> tuple[str, ...]:
    """Return the names of those that are measured where the configuration names none."""
    return tuple(name for name in names_for(task) if METRICS[name].usual)
