"""
What is summed up over rows, of as many resamples at once as there are rows of weights.

A resample draws rows with replacement, and so is a weight for each: how often it was drawn. A thousand of them are
summed up by a few passes over arrays, where a metric that is called for each would take minutes.
"""

from collections.abc import Callable

import numpy as np
from scipy import sparse

from training.metrics.answers import Answers, Values

Weights = Values
"""ndarray of float64, shape (n_resamples, n_samples)."""
Statistic = Callable[[Weights], Values]
"""From weights to an array whose first axis is the resamples."""
Summary = Callable[[Answers], Statistic]
"""Looks at the answers once, and gives what is asked of each chunk of resamples."""


def tallies(answers: Answers) -> Statistic:
    """
    Count the rows of each label: those predicted as they are, those that are it, those predicted as it.

    Returns
    -------
    statistic : callable
        Gives an array of shape (n_resamples, 3, n_labels).
    """
    size, rows = len(answers.labels), np.arange(len(answers))
    expected, predicted = (np.searchsorted(answers.labels, each) for each in (answers.expected, answers.predicted))
    right = expected == predicted
    counted = np.concatenate([expected[right], size + expected, 2 * size + predicted])
    of = np.concatenate([rows[right], rows, rows])
    # Each row counts in three places at most.
    counts = sparse.csr_array((np.ones(len(of)), (counted, of)), shape=(3 * size, len(answers)))
    return lambda weights: np.asarray((counts @ weights.T).T).reshape(-1, 3, size)


def mean_of(losses: Callable[[Answers], Values]) -> Summary:
    """Average what each row costs; the statistic gives an array of shape (n_resamples,)."""

    def summary(answers: Answers) -> Statistic:
        values = losses(answers)
        return lambda weights: np.asarray(weights @ values / weights.sum(axis=1))

    return summary


def squares(answers: Answers) -> Statistic:
    """Sum the squares of a regression: shape (n_resamples, 2), of the residuals and about the mean."""
    centred = answers.expected - np.mean(answers.expected)
    parts = np.column_stack([(answers.expected - answers.predicted) ** 2, centred**2, centred])

    def sums(weights: Weights) -> Values:
        residual, about_zero, shift = (weights @ parts).T
        total = about_zero - shift**2 / weights.sum(axis=1)
        # What is left of equal values by rounding is none.
        return np.column_stack([residual, np.where(total > 1e-12 * about_zero, total, 0.0)])

    return sums


def median_error(answers: Answers) -> Statistic:
    """Find the median absolute error of weights that are counts."""
    errors = np.abs(answers.expected - answers.predicted)
    order = np.argsort(errors)
    ascending = errors[order]

    def median(weights: Weights) -> Values:
        below = np.cumsum(weights[:, order], axis=1)
        half = below[:, -1:] / 2
        lower, upper = ((below < half).sum(axis=1), (below <= half).sum(axis=1))
        return np.asarray((ascending[lower] + ascending[upper]) / 2)

    return median


def largest_error(answers: Answers) -> Statistic:
    """Find the largest absolute error."""
    errors = np.abs(answers.expected - answers.predicted)
    return lambda weights: np.where(weights > 0, errors, 0.0).max(axis=1)


def one_against_rest(area: Callable[[Values, Values], Values]) -> Summary:
    """
    Measure an area under a curve for each class against all others.

    Parameters
    ----------
    area : callable
        From the weights of positive rows and those of negative rows, by falling score and with equal scores as one,
        each of shape (n_resamples, n_scores), to the areas, of shape (n_resamples,).

    Returns
    -------
    summary : Summary
        Its statistic gives an array of shape (n_resamples, n_classes); of two classes, the positive one alone.
    """

    def summary(answers: Answers) -> Statistic:
        curves = [_Curve(answers.expected == label, scores) for label, scores in scored(answers)]
        return lambda weights: np.column_stack([area(*curve.drawn(weights)) for curve in curves])

    return summary


def scored(answers: Answers) -> list[tuple[object, Values]]:
    """Return the scores of each class, of shape (n_samples,); of two classes, those of the positive one alone."""
    if answers.classes is None or answers.probabilities is None:
        return []
    columns = list(zip(answers.classes, answers.probabilities.T, strict=True))
    chosen = answers.positive_label
    return columns if chosen is None else [column for column in columns if column[0] == chosen]


class _Curve:
    """Rows by falling score, those of equal scores together."""

    def __init__(self, positive: Values, scores: Values) -> None:
        self._order = np.argsort(-scores, kind="stable")
        descending = scores[self._order]
        self._positive = positive[self._order]
        self._starts = np.flatnonzero(np.r_[True, descending[1:] != descending[:-1]])

    def drawn(self, weights: Weights) -> tuple[Values, Values]:
        ordered = weights[:, self._order]
        positive = ordered * self._positive
        ordered -= positive
        if len(self._starts) == ordered.shape[1]:
            return positive, ordered
        return np.add.reduceat(positive, self._starts, axis=1), np.add.reduceat(ordered, self._starts, axis=1)
