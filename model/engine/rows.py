"""Rows that an engine is held against scikit-learn on: given, at every split of trees, missing, random and far off."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from model.signature.coding import Matrix

Answer = Callable[[Matrix], npt.NDArray[Any]]
"""What scikit-learn answers to rows, as numbers of shape (n_samples, n_values)."""

_MOST_GIVEN: Final = 4000
_MOST_THRESHOLDS: Final = 2000
_RANDOM: Final = 1000
_FAR: Final = 300
_SEARCHES: Final = 150
_MOST_EXTREME: Final = 100
_EXTREME: Final = np.array([0.0, -0.0, 1e-310, 1e-45, -1e-45, 1e-30, 1e10, -1e10, 1e30, 1e38, -1e38, 3e38])
"""Numbers that float32 rounds to none, or holds only just; what it does not hold, no engine is given."""
_WHOLE: Final = np.clip(np.round(_EXTREME), -(2.0**53), 2.0**53)
_UNSEEN: Final = 0.377
"""Share of the way through a range where hardly ever a value was."""
_HALVINGS: Final = 70
"""Enough to come from any two float64 to neighbours; a few more than its 64 bits."""


@dataclass(frozen=True, slots=True)
class Field:
    """
    The numbers that a column of rows may hold.

    Parameters
    ----------
    low, high : float
        Range seen.
    codes : int
        Number of values, for a column of codes; 0 for one of numbers.
    whole : bool
        Whether it holds integers alone.
    missing : bool
        Whether NaN is allowed; of codes, the last one stands for a missing value then.
    """

    low: float
    high: float
    codes: int = 0
    whole: bool = False
    missing: bool = False

    def draw(self, generator: np.random.Generator, count: int, spans: float = 0.0) -> npt.NDArray[np.float64]:
        """Return random numbers, from as many spans of the range beyond it."""
        if self.codes:
            return generator.integers(0, self.codes, count).astype(np.float64)
        beyond = (self.high - self.low or abs(self.high) or 1.0) * spans
        drawn = generator.uniform(self.low - beyond, self.high + beyond, count)
        return np.round(drawn) if self.whole else drawn


class Rows:
    """
    Makes rows out of given ones.

    Parameters
    ----------
    given : ndarray of shape (n_samples, n_features)
    fields : sequence of Field
        One per column.
    seed : int
    """

    def __init__(self, given: Matrix, fields: Sequence[Field], seed: int = 0) -> None:
        self._generator = np.random.default_rng(seed)
        self._fields = tuple(fields)
        self.given = self._sample(given, _MOST_GIVEN)

    def random(self) -> Matrix:
        """Return rows within the ranges seen, as a whole and one column at a time."""
        drawn = np.column_stack([field.draw(self._generator, _RANDOM) for field in self._fields])
        return np.vstack([drawn, self._one_changed(_RANDOM, spans=0.0)])

    def far(self) -> Matrix:
        """Return rows beyond the ranges seen."""
        near, away = (np.column_stack([f.draw(self._generator, _FAR, s) for f in self._fields]) for s in (1.0, 100.0))
        return np.vstack([near, away, self._one_changed(_FAR, spans=10.0)])

    def extreme(self) -> Matrix:
        """Return rows with one value that is as large or as small as can be."""
        columns = np.array([column for column, field in enumerate(self._fields) if not field.codes], dtype=int)
        if not len(columns):
            return self.given[:0]
        chosen = np.sort(self._generator.permutation(columns)[:_MOST_EXTREME])
        rows = self._base(len(chosen) * len(_EXTREME))
        values = np.array([_WHOLE if self._fields[column].whole else _EXTREME for column in chosen])
        rows[np.arange(len(rows)), np.repeat(chosen, len(_EXTREME))] = values.ravel()
        return rows

    def missing(self) -> Matrix:
        """Return rows with a value missing, and with several."""
        allowed = np.array([field.missing for field in self._fields])
        columns = np.flatnonzero(allowed)
        if not len(columns):
            return self.given[:0]
        each = self._base(4 * len(columns))
        self._forget(each, np.tile(np.eye(len(allowed), dtype=bool)[columns], (4, 1)))
        many = self._base(_FAR)
        self._forget(many, allowed & (self._generator.random(many.shape) < self._generator.random((len(many), 1))))
        return np.vstack([each, many])

    def at_splits(self, splits: Sequence[tuple[int, npt.NDArray[np.float64]]]) -> Matrix:
        """
        Return rows with one value on a threshold, and one ulp beside it, of float64 and of float32.

        Parameters
        ----------
        splits : sequence of (int, ndarray)
            Columns and the thresholds they are compared with.
        """
        columns = np.concatenate([np.full(len(thresholds), column) for column, thresholds in splits] or [np.zeros(0)])
        thresholds = np.concatenate([thresholds for _, thresholds in splits] or [np.zeros(0)])
        chosen = self._generator.permutation(len(thresholds))[:_MOST_THRESHOLDS]
        beside = _beside(thresholds[chosen])
        rows = self._base(beside.size)
        rows[np.arange(beside.size), np.repeat(columns[chosen].astype(int), beside.shape[1])] = beside.ravel()
        return rows

    def at_jumps(self, answer: Answer) -> Matrix:
        """
        Return pairs of rows that differ in one value by one ulp, and in their answers.

        They are found by halving the way between two values that are answered differently.

        Parameters
        ----------
        answer : callable
        """
        columns = [column for column in range(len(self._fields)) if self._is_free(column, answer)]
        if not columns:
            return self.given[:0]
        rows = self._base(_SEARCHES)
        chosen = self._generator.choice(columns, len(rows))
        pairs = _Pairs(rows, chosen, rows[np.arange(len(rows)), chosen], self._other(chosen))
        pairs = pairs.differing(answer)
        return pairs.narrowed(answer).both() if len(pairs.rows) else pairs.rows

    def _is_free(self, column: int, answer: Answer) -> bool:
        """Whether a column takes any number; where it is encoded, others than those seen may be refused."""
        field = self._fields[column]
        if field.codes:
            return False
        rows = self.given[:1].copy()
        rows[0, column] = field.low + (field.high - field.low) * _UNSEEN
        try:
            answer(rows)
        except Exception:  # noqa: BLE001 -- whatever it raises, it has refused
            return False
        return True

    def _sample(self, rows: Matrix, count: int) -> Matrix:
        if len(rows) <= count:
            return rows
        chosen = np.sort(self._generator.permutation(len(rows))[:count])
        return rows[chosen]

    def _base(self, count: int) -> Matrix:
        return self.given[self._generator.integers(0, len(self.given), count)].copy()

    def _one_changed(self, count: int, spans: float) -> Matrix:
        rows = self._base(count)
        columns = self._generator.integers(0, len(self._fields), count)
        for column, field in enumerate(self._fields):
            mine = columns == column
            rows[mine, column] = field.draw(self._generator, int(mine.sum()), spans)
        return rows

    def _other(self, columns: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        return np.array([self._fields[column].draw(self._generator, 1, 0.1)[0] for column in columns])

    def _forget(self, rows: Matrix, where: npt.NDArray[np.bool_]) -> None:
        for column, field in enumerate(self._fields):
            rows[where[:, column], column] = field.codes - 1 if field.codes else np.nan


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Pairs of rows that differ in one value."""

    rows: Matrix
    columns: npt.NDArray[np.int64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]

    def holding(self, values: npt.NDArray[np.float64]) -> Matrix:
        rows = self.rows.copy()
        rows[np.arange(len(rows)), self.columns] = values
        return rows

    def both(self) -> Matrix:
        return np.vstack([self.holding(self.low), self.holding(self.high)])

    def differing(self, answer: Answer) -> "_Pairs":
        """Return those that are answered differently."""
        usable = np.isfinite(self.low) & np.isfinite(self.high)
        low, high = (answer(self.holding(np.where(usable, each, 0.0))) for each in (self.low, self.high))
        kept = usable & (low != high).any(axis=1)
        return _Pairs(self.rows[kept], self.columns[kept], self.low[kept], self.high[kept])

    def narrowed(self, answer: Answer) -> "_Pairs":
        """Return them as close together as float64 allows."""
        low, high = self.low, self.high
        first = answer(self.holding(low))
        for _ in range(_HALVINGS):
            middle = low + (high - low) / 2
            if ((middle == low) | (middle == high)).all():
                break
            alike = (answer(self.holding(middle)) == first).all(axis=1)
            low, high = np.where(alike, middle, low), np.where(alike, high, middle)
        return _Pairs(self.rows, self.columns, low, high)


def _beside(thresholds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return thresholds and their neighbours, of shape (n_thresholds, 6)."""
    with np.errstate(over="ignore"):
        single = thresholds.astype(np.float32)
    up, down = np.float32(np.inf), np.float32(-np.inf)
    neighbours = [np.nextafter(thresholds, np.inf), np.nextafter(thresholds, -np.inf)]
    singles = [single, np.nextafter(single, up), np.nextafter(single, down)]
    beside = np.column_stack([thresholds, *neighbours, *(each.astype(np.float64) for each in singles)])
    limit = float(np.finfo(np.float32).max)
    return np.where(np.abs(beside) < limit, beside, 0.0)
