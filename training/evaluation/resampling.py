"""Rows drawn again and again, and what a metric comes to each time."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from training.config.evaluation import Intervals
from training.evaluation.record import Interval
from training.metrics import METRICS, Answers, Values, Weights, measure

_USUAL: Final = 1000
_LEAST: Final = 200
_WORK: Final = 100_000_000
"""Rows times resamples beyond which fewer resamples are drawn, where the configuration sets no number."""
_CHUNK: Final = 1_000_000
"""Weights held at once: of 8 MB a pass over them is made in the cache of most machines."""
_DEFINED: Final = 0.9
"""Share of the resamples that has to define a metric."""


def resamples_of(rows: int, choice: Intervals) -> int:
    """Return how often rows are drawn."""
    return choice.resamples or int(min(_USUAL, max(_LEAST, _WORK / max(rows, 1))))


def draws(answers: Answers, choice: Intervals) -> Iterator[Weights]:
    """
    Draw rows with replacement: as many as there are, or of groups as many as there are, each with all of its rows.

    Parameters
    ----------
    answers : Answers
    choice : Intervals

    Yields
    ------
    weights : ndarray of float64, shape (n_resamples, n_samples)
        How often each row was drawn, some resamples at a time.

    References
    ----------
    Davison and Hinkley, Bootstrap Methods and their Application, section 3.8, for the groups.
    """
    rows, resamples = len(answers), resamples_of(len(answers), choice)
    of = None if answers.groups is None else np.unique(answers.groups, return_inverse=True)[1]
    generator = np.random.default_rng(choice.seed)
    at_once = max(1, _CHUNK // max(rows, 1))
    for start in range(0, resamples, at_once):
        times = _times(generator, min(at_once, resamples - start), answers.independent)
        yield times if of is None else times[:, of]


def _times(generator: np.random.Generator, resamples: int, size: int) -> Weights:
    """Return how often each of some things is drawn, shape (n_resamples, size)."""
    drawn = generator.integers(0, size, size=(resamples, size))
    counts = np.bincount((drawn + np.arange(resamples)[:, None] * size).ravel(), minlength=resamples * size)
    return counts.reshape(resamples, size).astype(float)


def intervals(names: Sequence[str], answers: Answers, choice: Intervals) -> dict[str, Interval]:
    """
    Tell by the percentile bootstrap how far metrics may be off.

    Parameters
    ----------
    names : sequence of str
    answers : Answers
    choice : Intervals

    Returns
    -------
    intervals : dict of str to Interval
        None for a metric that is the same in every resample, as an accuracy of 1 is: the rows don't tell how far that
        may be off, and an interval without width would say that it can't be. Nor for one that many resamples leave
        undefined.

    References
    ----------
    Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13.
    """
    metrics = {name: METRICS[name] for name in names if METRICS[name].has_interval}
    measured = measure(metrics.values(), answers)
    chunks = [measured(weights) for weights in draws(answers, choice)]
    found = {name: np.concatenate([chunk[metric] for chunk in chunks]) for name, metric in metrics.items()}
    return {name: interval for name, values in found.items() if (interval := _interval(values, choice.confidence))}


def _interval(values: Values, confidence: float) -> Interval | None:
    defined = values[np.isfinite(values)]
    if len(defined) < _DEFINED * len(values) or np.ptp(defined) == 0:
        return None
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(low=float(low), high=float(high))


def scores(names: Sequence[str], answers: Answers) -> Mapping[str, float]:
    """Measure answers, each row counting once; NaN where they define no value."""
    metrics = {name: METRICS[name] for name in names}
    measured = measure(metrics.values(), answers)(np.ones((1, len(answers))))
    return {name: float(measured[metric][0]) for name, metric in metrics.items()}
