"""Medians, spreads and ratios of a few repetitions."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Self


@dataclass(frozen=True, slots=True)
class Summary:
    """
    What repetitions have in common, and how far they are apart.

    Parameters
    ----------
    median, low, high : float
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Sum up at least one value."""
        return cls(median(values), min(values), max(values))

    @property
    def noise(self) -> float:
        """Half the distance of the extremes, as a share of the median."""
        return (self.high - self.low) / 2 / self.median if self.median else 0.0


def ratio(these: Sequence[float], those: Sequence[float]) -> Summary:
    """
    Compare repetitions: the ratio of the medians, and the extremes of the ratios round by round.

    Parameters
    ----------
    these, those : sequence of float
        An entry per round.
    """
    by_round = [this / that for this, that in zip(these, those, strict=True)]
    middle = median(these) / median(those)
    return Summary(middle, min(middle, *by_round), max(middle, *by_round))
