"""From what was summed up over rows to the figures that have names; every one is NaN where the rows do not define it."""

import numpy as np

from training.metrics.answers import Answers, Values


def accuracy(tallies: Values) -> Values:
    """Share of the rows that are predicted as they are."""
    right, expected, _ = np.moveaxis(tallies, 1, 0)
    return _ratio(right.sum(axis=1), expected.sum(axis=1))


def balanced_accuracy(tallies: Values) -> Values:
    """Mean of the classes' recalls, those left out that no row is of."""
    right, expected, _ = np.moveaxis(tallies, 1, 0)
    return _mean(_ratio(right, expected), expected > 0)


def precision(tallies: Values) -> Values:
    """Of each label, the share that is right of what is predicted as it, 0 where nothing is; (n_resamples, n_labels)."""
    right, _, predicted = np.moveaxis(tallies, 1, 0)
    return _ratio(right, predicted, otherwise=0.0)


def recall(tallies: Values) -> Values:
    """Of each label, the share that is predicted as it of what is it, 0 where nothing is; (n_resamples, n_labels)."""
    right, expected, _ = np.moveaxis(tallies, 1, 0)
    return _ratio(right, expected, otherwise=0.0)


def f1(tallies: Values) -> Values:
    """Of each label, the harmonic mean of precision and recall; (n_resamples, n_labels)."""
    right, expected, predicted = np.moveaxis(tallies, 1, 0)
    return _ratio(2 * right, expected + predicted, otherwise=0.0)


def mcc(tallies: Values) -> Values:
    """Matthews' correlation of what is expected and what is predicted, 0 where either is always the same."""
    right, expected, predicted = np.moveaxis(tallies, 1, 0)
    rows = expected.sum(axis=1)
    both = right.sum(axis=1) * rows - (expected * predicted).sum(axis=1)
    spread = (rows**2 - (expected**2).sum(axis=1)) * (rows**2 - (predicted**2).sum(axis=1))
    return _ratio(both, np.sqrt(spread), otherwise=0.0)


def macro(values: Values, tallies: Values) -> Values:
    """Mean over the labels that occur, expected or predicted."""
    return _mean(values, (tallies[:, 1] + tallies[:, 2]) > 0)


def log_losses(answers: Answers) -> Values:
    """Return the negative logarithm of the probability of what is expected; (n_samples,)."""
    given = _probability_of_truth(answers)
    smallest = np.finfo(given.dtype).eps
    return np.asarray(-np.log(np.clip(given, smallest, 1 - smallest)))


def brier_losses(answers: Answers) -> Values:
    """Return the squared distance of the probabilities from certainty, halved where there are two classes."""
    if answers.probabilities is None or answers.classes is None:
        return np.full(len(answers), np.nan)
    truth = answers.expected[:, None] == answers.classes
    losses = ((answers.probabilities - truth) ** 2).sum(axis=1)
    losses = losses / 2 if len(answers.classes) == 2 else losses  # noqa: PLR2004 -- as scikit-learn does
    return np.where(truth.any(axis=1), losses, np.nan)


def roc_area(positive: Values, negative: Values) -> Values:
    """Area under the receiver operating characteristic."""
    below = negative.sum(axis=1, keepdims=True) - np.cumsum(negative, axis=1) + negative / 2
    return _ratio((positive * below).sum(axis=1), positive.sum(axis=1) * negative.sum(axis=1))


def average_precision(positive: Values, negative: Values) -> Values:
    """Precision averaged over the steps of recall: the area under the precision-recall curve, without interpolation."""
    found = np.cumsum(positive, axis=1)
    precisions = _ratio(found, found + np.cumsum(negative, axis=1), otherwise=0.0)
    return _ratio((positive * precisions).sum(axis=1), positive.sum(axis=1))


def r2(squares: Values) -> Values:
    """Share of the variance that is explained; of equal values 1 if they are met, else 0, as scikit-learn has it."""
    residual, total = squares.T
    return np.where(total > 0, 1 - _ratio(residual, total), (residual == 0).astype(float))


def errors(answers: Answers) -> Values:
    """Return the absolute errors; (n_samples,)."""
    return np.asarray(np.abs(answers.expected - answers.predicted))


def squared_errors(answers: Answers) -> Values:
    """Return the squared errors; (n_samples,)."""
    return np.asarray((answers.expected - answers.predicted) ** 2)


def relative_errors(answers: Answers) -> Values:
    """Return the absolute errors relative to what is expected; (n_samples,)."""
    return errors(answers) / np.maximum(np.abs(answers.expected), np.finfo(float).eps)


def _probability_of_truth(answers: Answers) -> Values:
    """Return the probability that each row's own class was given, NaN of a class that the model does not know."""
    if answers.probabilities is None or answers.classes is None:
        return np.full(len(answers), np.nan)
    at = np.searchsorted(answers.classes, answers.expected).clip(max=len(answers.classes) - 1)
    given = np.take_along_axis(answers.probabilities, at[:, None], axis=1)[:, 0]
    return np.where(answers.classes[at] == answers.expected, given, np.nan)


def _ratio(numerator: Values, denominator: Values, otherwise: float = np.nan) -> Values:
    filled = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), otherwise, dtype=float)
    return np.asarray(np.divide(numerator, denominator, out=filled, where=denominator > 0))


def _mean(values: Values, counted: Values) -> Values:
    return _ratio(np.where(counted, values, 0.0).sum(axis=1), counted.sum(axis=1))
