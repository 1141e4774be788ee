"""How often chance alone looks like drift, and how often drift does: draws from a distribution, and from one moved."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from model.drift import MIN_ROWS, ks, psi
from model.drift.counting import count, ranges

THRESHOLD: Final = 0.2
"""Of the population stability index, at which the alert fires."""
_SAMPLES: Final = (100, 300, 1000, 10_000)
_SERVED: Final = (MIN_ROWS, 2000, 20_000)
_SHIFTS: Final = (0.0, 0.25, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Alarms:
    """
    What came of one kind of draw.

    Parameters
    ----------
    sample, served : int
        Rows published with, and rows asked.
    shift : float
        Of the mean of what is asked, in standard deviations.
    draws : int
        Each of another sample, and one feature.
    rate : float
        Share of the draws over ``THRESHOLD``.
    median, highest : float
        Of their population stability index.
    ks : float
        Median of their Kolmogorov-Smirnov statistic.
    """

    sample: int
    served: int
    shift: float
    draws: int
    rate: float
    median: float
    highest: float
    ks: float


def alarms(*, sample: int, served: int, shift: float, draws: int, seed: int = 0) -> Alarms:
    """Return what comes of drawing a sample of normal numbers, and as many as are served, again and again."""
    random = np.random.default_rng(seed)
    found, distances = np.zeros(draws), np.zeros(draws)
    for draw in range(draws):
        bins = ranges(random.normal(size=sample))
        assert bins is not None  # noqa: S101 -- of numbers there are always bins
        counts = count(bins, random.normal(shift, size=served))
        found[draw], distances[draw] = psi(bins.counts, counts), ks(bins, counts) or 0.0
    rate = float((found > THRESHOLD).mean())
    return Alarms(
        sample, served, shift, draws, rate, float(np.median(found)), float(found.max()), float(np.median(distances))
    )


def every(draws: int) -> list[Alarms]:
    """Return what comes of each size of sample and of what is served, and of each shift."""
    return [
        alarms(sample=sample, served=served, shift=shift, draws=draws)
        for shift in _SHIFTS
        for sample in _SAMPLES
        for served in _SERVED
    ]
