"""Transformers of ours that a pipeline may hold: a server has them, for it has this package and not `training`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

Dates = npt.NDArray[np.datetime64]
Numbers = npt.NDArray[np.float64]

_NANOSECONDS_OF_A_DAY: Final = 86_400_000_000_000
_THURSDAY: Final = 3
"""1970-01-01 was one; a week begins with Monday, 0."""


def _since(dates: Dates, unit: str) -> npt.NDArray[np.int64]:
    days: npt.NDArray[np.int64] = (dates.astype("datetime64[D]") - dates.astype(f"datetime64[{unit}]")).astype(np.int64)
    return days


def _nanoseconds(dates: Dates) -> npt.NDArray[np.int64]:
    return dates.astype(np.int64) % _NANOSECONDS_OF_A_DAY


_PARTS: Final[Mapping[str, Callable[[Dates], Any]]] = {
    "year": lambda dates: dates.astype("datetime64[Y]").astype(np.int64) + 1970,
    "month": lambda dates: dates.astype("datetime64[M]").astype(np.int64) % 12 + 1,
    "day": lambda dates: _since(dates, "M") + 1,
    "dayofyear": lambda dates: _since(dates, "Y") + 1,
    "weekday": lambda dates: (dates.astype("datetime64[D]").astype(np.int64) + _THURSDAY) % 7,
    "hour": lambda dates: _nanoseconds(dates) // 3_600_000_000_000,
    "minute": lambda dates: _nanoseconds(dates) // 60_000_000_000 % 60,
    "days": lambda dates: dates.astype(np.int64) / _NANOSECONDS_OF_A_DAY,
}
_PERIODS: Final = {"month": 12, "day": 31, "dayofyear": 366, "weekday": 7, "hour": 24, "minute": 60}

PARTS: Final = tuple(_PARTS)
"""Parts of a date: calendar fields, of which months, days and days of the year count from 1 and weekdays from Monday, 0;
and ``days`` since 1970, with a fraction."""


class DateParts(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn comes without types
    """
    Turns dates into numbers.

    Parameters
    ----------
    parts : sequence of str
        Some of ``PARTS``.
    cyclic : bool
        Whether what comes round again, as months do, is told by the sine and cosine of its angle, so that December is
        beside January.

    Attributes
    ----------
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Where it was fitted on a frame.
    """

    def __init__(self, parts: Sequence[str] = ("year", "month", "weekday"), *, cyclic: bool = True) -> None:
        self.parts = parts
        self.cyclic = cyclic

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002 -- scikit-learn's way to call it
        """
        Learn the number and names of the columns; there is nothing else to learn.

        Raises
        ------
        ValueError
            A part is not known, or the columns are none of dates.
        """
        unknown = [part for part in self.parts if part not in _PARTS]
        if unknown:
            raise ValueError(f"parts has {unknown[0]!r}; expected some of {', '.join(PARTS)}")
        validate_data(self, X, skip_check_array=True)
        _dates(X)
        return self

    def transform(self, X: Any) -> Numbers:
        """
        Return the parts.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_samples, n_features)
            datetime64, NaT where missing.

        Returns
        -------
        parts : ndarray of float64, shape (n_samples, n_features * n_parts)
            In the order of ``get_feature_names_out``; NaN where a date is missing.
        """
        check_is_fitted(self, "n_features_in_")
        validate_data(self, X, skip_check_array=True, reset=False)
        dates = _dates(X)
        return np.column_stack([self._column(dates[:, i]) for i in range(dates.shape[1])])

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> npt.NDArray[np.object_]:
        """Return the names of the columns of ``transform``, such as ``sold_month_sin``."""
        check_is_fitted(self, "n_features_in_")
        positions = [f"x{i}" for i in range(self.n_features_in_)]
        names = getattr(self, "feature_names_in_", positions) if input_features is None else input_features
        return np.array([f"{name}_{suffix}" for name in names for suffix in self._suffixes()], dtype=object)

    def _suffixes(self) -> Iterator[str]:
        for part in self.parts:
            yield from (f"{part}_sin", f"{part}_cos") if self._turns(part) else (part,)

    def _turns(self, part: str) -> bool:
        return self.cyclic and part in _PERIODS

    def _column(self, dates: Dates) -> Numbers:
        missing = np.isnat(dates)
        numbers = []
        for part in self.parts:
            values = np.where(missing, np.nan, _PARTS[part](dates))
            if self._turns(part):
                angle = 2 * np.pi * values / _PERIODS[part]
                numbers += [np.sin(angle), np.cos(angle)]
            else:
                numbers.append(values)
        return np.column_stack(numbers)


def _dates(X: Any) -> Dates:
    values = np.asarray(X)
    if values.dtype.kind != "M":
        raise ValueError(f"DateParts takes columns of datetime64, and got {values.dtype}")
    return values.astype("datetime64[ns]")
