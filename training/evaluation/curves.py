"""What the pictures show, as numbers: curves of classes, what is taken for what, and residuals."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from sklearn import metrics as sk

from training.evaluation.answering import spelled
from training.evaluation.record import Confusion, Curve, Grid, Histogram
from training.metrics import Answers, Values
from training.metrics.summaries import scored

_MOST_LABELS: Final = 50
_MOST_CURVES: Final = 10
_MOST_POINTS: Final = 200
_LEAST_BINS, _MOST_BINS = 10, 40

Line = Callable[[Values, Values], tuple[Values, Values, float]]


def confusion_of(answers: Answers) -> Confusion | None:
    """Count what is taken for what; None of more labels than a person reads."""
    if len(answers.labels) > _MOST_LABELS:
        return None
    counts = sk.confusion_matrix(answers.expected, answers.predicted, labels=answers.labels)
    return Confusion(labels=tuple(map(spelled, answers.labels)), counts=tuple(map(tuple, counts.tolist())))


def roc(answers: Answers) -> tuple[Curve, ...]:
    """Return the receiver operating characteristics of the most frequent classes."""
    return _curves(answers, _roc)


def precision_recall(answers: Answers) -> tuple[Curve, ...]:
    """Return the precision over the recall of the most frequent classes."""
    return _curves(answers, _precision_recall)


def residuals_of(answers: Answers) -> Histogram:
    """Count the residuals of a regression."""
    counts, edges = np.histogram(answers.expected - answers.predicted, bins=_bins(len(answers)))
    return Histogram(edges=tuple(edges.tolist()), counts=tuple(counts.tolist()))


def predictions_of(answers: Answers) -> Grid:
    """Count what is predicted for what is expected."""
    both = np.concatenate([answers.expected, answers.predicted])
    edges = np.histogram_bin_edges(both, bins=_bins(len(answers)))
    counts, _, _ = np.histogram2d(answers.expected, answers.predicted, bins=(edges, edges))
    return Grid(edges=tuple(edges.tolist()), counts=tuple(map(tuple, counts.astype(int).tolist())))


def _bins(rows: int) -> int:
    return int(np.clip(np.sqrt(rows), _LEAST_BINS, _MOST_BINS))


def _curves(answers: Answers, line: Line) -> tuple[Curve, ...]:
    truths = [(label, answers.expected == label, scores) for label, scores in scored(answers)]
    defined = [(label, truth, scores) for label, truth, scores in truths if truth.any() and not truth.all()]
    frequent = sorted(defined, key=lambda each: -each[1].sum())[:_MOST_CURVES]
    return tuple(_curve(label, *line(truth, scores)) for label, truth, scores in frequent)


def _curve(label: Any, x: Values, y: Values, area: float) -> Curve:
    some = np.unique(np.linspace(0, len(x) - 1, min(len(x), _MOST_POINTS)).round().astype(int))
    points = zip(x[some].tolist(), y[some].tolist(), strict=True)
    return Curve(label=spelled(label), points=tuple(points), area=area)


def _roc(truth: Values, scores: Values) -> tuple[Values, Values, float]:
    x, y, _ = sk.roc_curve(truth, scores)
    return x, y, float(sk.auc(x, y))


def _precision_recall(truth: Values, scores: Values) -> tuple[Values, Values, float]:
    y, x, _ = sk.precision_recall_curve(truth, scores)
    return x[::-1], y[::-1], float(sk.average_precision_score(truth, scores))
