"""
How far counts are from those of the sample.

Bins are in the order of ``Ranges.counts`` and ``Categories.counts``; the counts of what is served may be fractions, for
they fade with time.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from model.drift.profile import Categories, Ranges

Counted = Sequence[float] | npt.NDArray[np.float64]

MIN_ROWS: Final = 500
"""Rows below which nothing is said: chance alone would look like drift."""
_PSEUDO: Final = 0.5
"""Added to each bin, so that an empty one counts as rare, not as impossible (Jeffreys' prior)."""


def psi(expected: Counted, actual: Counted) -> float:
    """
    Return the population stability index, the symmetric Kullback-Leibler divergence of two rows of counts.

    By convention less than 0.1 is no drift, and more than 0.2 is one to be looked into.
    """
    p, q = _shares(expected), _shares(actual)
    return float(np.sum((q - p) * np.log(q / p)))


def ks(bins: Ranges, actual: Counted) -> float | None:
    """
    Return the Kolmogorov-Smirnov statistic of the values that are there, looked at where the bins' edges are.

    That is a lower bound of the statistic of the values themselves. None where too few values are there.
    """
    expected, served = np.array(bins.counts[:-1], dtype=np.float64), np.asarray(actual, dtype=np.float64)[:-1]
    if served.sum() < MIN_ROWS:
        return None
    return float(np.abs(np.cumsum(expected) / expected.sum() - np.cumsum(served) / served.sum()).max())


def missing_ratio(actual: Counted) -> float:
    """Return the share of rows without a value."""
    counts = np.asarray(actual, dtype=np.float64)
    return float(counts[-1] / counts.sum())


def out_of_range_ratio(bins: Ranges | Categories, actual: Counted) -> float | None:
    """
    Return the share of values that are beyond the sample's range, or a category that it did not have.

    None where too few values are there, and for more categories than are told apart.
    """
    counts = np.asarray(actual, dtype=np.float64)
    present = counts[:-1].sum()
    if present < MIN_ROWS or (isinstance(bins, Categories) and bins.counts[-2]):
        return None
    beyond = counts[-2] + (counts[0] if isinstance(bins, Ranges) else 0.0)
    return float(beyond / present)


def _shares(counts: Any) -> npt.NDArray[np.float64]:
    smoothed = np.asarray(counts, dtype=np.float64) + _PSEUDO
    shares: npt.NDArray[np.float64] = smoothed / smoothed.sum()
    return shares
