"""From values to counts: bins made of a sample, and how values of any other rows fall into them."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from model.drift.profile import Categories, Ranges, Scalar

Values = npt.NDArray[Any]
Counts = npt.NDArray[np.float64]

MIN_SAMPLE: Final = 100
"""Rows of a sample below which it says too little of a distribution."""
_ROWS_PER_BIN: Final = 50
"""Of the sample, at least so many: with fewer, chance alone would look like drift."""
_FLOAT32: Final = 2.0**-23
_TINY: Final = 1e-44
_MOST_RANGES: Final = 10
_MOST_CATEGORIES: Final = 20


class Named(Protocol):
    """A tensor."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def data(self) -> Values:
        """Its values, rows first."""


def ranges(values: Values) -> Ranges | None:
    """
    Return bins of as equal counts as the sample's values allow; None where no value is there.

    Edges are moved up by what a float32 may be off, so that a client that sends one falls into the same bin.
    """
    numbers = _numbers(values)
    present = numbers[np.isfinite(numbers)]
    if not present.size:
        return None
    parts = _parts(len(numbers), _MOST_RANGES)
    upper = np.unique(np.quantile(present, np.arange(1, parts + 1) / parts, method="inverted_cdf"))
    with np.errstate(over="ignore"):
        edges = np.unique(np.append(present.min() - _spacing(present.min()), upper + _spacing(upper)))
    if len(edges) < 2 or not np.isfinite(edges).all():  # noqa: PLR2004 -- two edges make a bin
        return None
    return Ranges(edges=tuple(edges.tolist()), counts=_whole(_in_ranges(edges, numbers)))


def categories(values: Values) -> Categories | None:
    """Return a bin for each of the most frequent values; None where no value is there."""
    known = Counter(value for value in values.tolist() if not _missing(value))
    kept = tuple(value for value, _ in known.most_common(max(2, _parts(len(values), _MOST_CATEGORIES))))
    return Categories(values=kept, counts=_whole(_in_categories(kept, values))) if kept else None


def count(bins: Ranges | Categories, values: Values) -> Counts:
    """
    Return how many values fall into each bin, in the order of ``bins.counts``.

    Parameters
    ----------
    bins : Ranges or Categories
    values : ndarray of shape (n_samples,)
    """
    if isinstance(bins, Ranges):
        return _in_ranges(np.array(bins.edges), _numbers(values))
    return _in_categories(bins.values, values)


def columns(tensors: Sequence[Named], width: int) -> "dict[str, Values] | list[Values]":
    """Return the columns of a request that a signature has accepted: by name, or by position where it is a matrix."""
    if len(tensors) == 1:
        data = tensors[0].data
        if data.ndim > 1 and data.shape[1] == width:
            return list(data.T)
        if width == 1:
            return [data.ravel()]
    return {tensor.name: tensor.data.ravel() for tensor in tensors}


def _parts(rows: int, most: int) -> int:
    return int(np.clip(rows // _ROWS_PER_BIN, 1, most))


def _spacing(values: Any) -> Any:
    """Return no less than what float32 may be off."""
    return np.maximum(np.abs(values) * _FLOAT32, _TINY)


def _numbers(values: Values) -> npt.NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64)  # None becomes NaN.


def _in_ranges(edges: npt.NDArray[np.float64], numbers: npt.NDArray[np.float64]) -> Counts:
    bins = np.searchsorted(edges, numbers)
    bins[np.isnan(numbers)] = len(edges) + 1
    return np.bincount(bins, minlength=len(edges) + 2).astype(np.float64)


def _in_categories(known: Sequence[Scalar], values: Values) -> Counts:
    places = {value: place for place, value in enumerate(known)}
    other, missing = len(known), len(known) + 1
    bins = [missing if _missing(value) else places.get(value, other) for value in values.tolist()]
    return np.bincount(np.array(bins, dtype=np.intp), minlength=missing + 1).astype(np.float64)


def _missing(value: Any) -> bool:
    return value is None or value != value  # noqa: PLR0124 -- NaN


def _whole(counts: Counts) -> tuple[int, ...]:
    return tuple(int(number) for number in counts)
