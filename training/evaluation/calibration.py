"""Whether what a model gives as a probability is how often it comes true."""

from typing import Final

import numpy as np

from training.evaluation.answering import spelled
from training.evaluation.record import Bin, Calibration
from training.metrics import METRICS, Answers, Values

_BINS: Final = 10


def calibration_of(answers: Answers) -> Calibration | None:
    """
    Hold probabilities against what came true.

    Of two classes that of the positive one is looked at, of more that of the class which was predicted.

    Returns
    -------
    calibration : Calibration or None
        None where there are no probabilities, or a row is of a class that the model does not know.

    References
    ----------
    Guo et al., On Calibration of Modern Neural Networks, 2017, equations 2 and 3.
    """
    brier = METRICS["brier"].score(answers)
    if answers.probabilities is None or answers.classes is None or not np.isfinite(brier):
        return None
    positive = answers.positive_label
    if positive is None:
        of, given = "", answers.probabilities.max(axis=1)
        truth = answers.classes[answers.probabilities.argmax(axis=1)] == answers.expected
    else:
        of, given = spelled(positive), answers.probabilities[:, answers.classes == positive][:, 0]
        truth = answers.expected == positive
    bins = _bins(given, truth)
    error = sum(each.rows * abs(each.probability - each.frequency) for each in bins) / len(answers)
    return Calibration(of=of, bins=bins, brier=brier, expected_error=error)


def _bins(given: Values, truth: Values) -> tuple[Bin, ...]:
    at = np.minimum((given * _BINS).astype(int), _BINS - 1)
    rows, probabilities, frequencies = (np.bincount(at, each, minlength=_BINS) for each in (None, given, truth))
    return tuple(
        Bin(rows=int(n), probability=p / n, frequency=f / n)
        for n, p, f in zip(rows, probabilities, frequencies, strict=True)
        if n
    )
