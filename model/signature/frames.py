"""What takes pandas: frames, categories and dates. Imported where a column or a layout needs it, and nowhere else."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from model.signature.missing import Values, missing_in
from model.signature.schema import Scalar


class Frames:
    """
    Makes frames.

    Parameters
    ----------
    names : sequence of str
        Of the columns.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._index = pd.Index(names)

    def of_matrix(self, matrix: npt.NDArray[np.float64]) -> pd.DataFrame:
        """Return a frame that shares the memory of a matrix of shape (n_samples, n_features)."""
        return pd.DataFrame(matrix, columns=self._index, copy=False)

    def of_columns(self, columns: Sequence[Values]) -> pd.DataFrame:
        """Return a frame of columns of shape (n_samples,), each of its own dtype."""
        return pd.DataFrame(dict(zip(self._index, columns, strict=True)), copy=False)


def categories(values: Values, known: Sequence[Scalar]) -> Values:
    """Return values as a column of categories, those not known after the others."""
    column = pd.Categorical(values, categories=list(known))
    if (column.codes < 0).any():
        # Others than those of training would become missing values: what to do with them, the estimator decides.
        others = [value for value in pd.unique(values) if value not in known and not pd.isna(value)]
        column = pd.Categorical(values, categories=[*known, *others])
    return column  # type: ignore[return-value]  # a column of a frame


def dates(values: Values, dtype: str) -> tuple[Values, npt.NDArray[np.intp]]:
    """
    Read dates in ISO 8601.

    Parameters
    ----------
    values : ndarray of shape (n_samples,)
        Strings, and marks of missing values.
    dtype : str
        Such as ``datetime64[ns]``.

    Returns
    -------
    dates : ndarray of shape (n_samples,)
        In UTC.
    wrong : ndarray of int
        Rows that hold no date.
    """
    parsed = pd.to_datetime(values, format="ISO8601", errors="coerce", utc=True)
    # pandas takes words, too: "" and "null" for a missing value, "now" for the current time.
    words = np.array([isinstance(value, str) and not value[:1].isdigit() for value in values])
    wrong = np.flatnonzero(words | (parsed.isna() & ~missing_in(values)))
    return parsed.tz_localize(None).to_numpy(dtype=dtype), wrong
