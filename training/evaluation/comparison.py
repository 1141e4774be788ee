"""
Whether a model is no worse than another on the same rows, by more than a margin.

The rows are drawn again and again, the same for both, and the metrics' difference is taken each time: what is left of it
at the confidence asked for is the bound that the margin is held against. A metric that counts labels moves by whole rows,
and where few of them tell the models apart, resamples of them say too much: if none does, every difference is 0,
however few the rows are. So each resample is given rows against the candidate as well, one on average, that the champion
has right and the candidate has not, of whichever class tells most. Then n rows without a difference show no more than they
can, 3 / n at a confidence of 95 %. Where rows are held together by groups, all of this is said of groups instead.
"""

from collections.abc import Iterator

import numpy as np

from training.config.evaluation import Intervals, NonInferiority
from training.evaluation.record import Part
from training.evaluation.resampling import draws
from training.metrics import METRICS, Answers, Metric, Values, Weights, measure


class Comparison(Part):
    """
    How a model compares with another.

    Parameters
    ----------
    candidate, champion : float
        The metric of each.
    advantage : float
        Of the candidate: above 0 where it is better, whether a higher value is or a lower one.
    bound : float
        What the advantage is at least, at the confidence asked for.
    """

    candidate: float
    champion: float
    advantage: float
    bound: float


def compare(candidate: Answers, champion: Answers, choice: NonInferiority, intervals: Intervals) -> Comparison:
    """
    Hold the answers of two models to the same rows against each other.

    Parameters
    ----------
    candidate, champion : Answers
        Of the same rows, and to the same labels; the groups are the candidate's.
    choice : NonInferiority
    intervals : Intervals
        How often rows are drawn.

    References
    ----------
    Efron and Tibshirani, An Introduction to the Bootstrap, chapter 16; Hanley and Lippman-Hand, If Nothing Goes Wrong,
    Is Everything All Right?, JAMA 1983, for the 3 / n.
    """
    metric = METRICS[choice.metric]
    sign = 1.0 if metric.higher_is_better else -1.0
    values = [metric.score(answers) for answers in (candidate, champion)]
    advantages = _label_advantages if metric.counts_labels else _advantages
    chunks = [
        sign * advantages(metric, candidate, champion, weights, seed)
        for seed, weights in enumerate(draws(candidate, intervals), start=intervals.seed)
    ]
    drawn_advantages = np.concatenate(chunks, axis=-1)
    bounds = np.nanquantile(drawn_advantages, 1 - choice.confidence, axis=-1)
    return Comparison(
        candidate=values[0],
        champion=values[1],
        advantage=sign * (values[0] - values[1]),
        bound=float(np.min(bounds)),
    )


def _advantages(metric: Metric, candidate: Answers, champion: Answers, weights: Weights, _: int) -> Values:
    return measure([metric], candidate)(weights)[metric] - measure([metric], champion)(weights)[metric]


def _label_advantages(metric: Metric, candidate: Answers, champion: Answers, weights: Weights, seed: int) -> Values:
    """Return the differences for rows, or groups, against the candidate of each class, (n_classes, n_resamples)."""
    better, worse = metric.summary(champion)(weights), metric.summary(candidate)(weights)
    added = np.random.default_rng([seed, 1]).poisson(1.0, len(weights)) * len(candidate) / candidate.independent
    return np.stack(
        [
            metric.of(worse + against, candidate) - metric.of(better + in_favour, champion)
            for against, in_favour in _added(candidate, added)
        ]
    )


def _added(answers: Answers, times: Values) -> Iterator[tuple[Values, Values]]:
    """Yield, for each class that occurs, the tallies of rows that are wrong, and of the same rows if they are right."""
    size = len(answers.labels)
    for label in np.flatnonzero(np.isin(answers.labels, answers.expected)):
        wrong, right = np.zeros((2, len(times), 3, size))
        right[:, :, label] = times[:, None]
        wrong[:, 1, label] = times
        wrong[:, 2, (label + 1) % size] = times
        yield wrong, right
