"""The rows that a model is fitted on, and what is known of each beside its features."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from training.config import Config
from training.errors import DataError


@dataclass(frozen=True)
class Sample:
    """
    Rows, all columns under the same index.

    Parameters
    ----------
    X : DataFrame of shape (n_samples, n_features)
    y : Series of shape (n_samples,)
    groups : Series of shape (n_samples,), optional
        Rows of equal value belong together.
    times : Series of shape (n_samples,), optional
        Dates or numbers, the greater the newer.
    weights : Series of shape (n_samples,), optional
        What each row counts, 0 or more.
    """

    X: pd.DataFrame
    y: "pd.Series[Any]"
    groups: "pd.Series[Any] | None" = None
    times: "pd.Series[Any] | None" = None
    weights: "pd.Series[Any] | None" = None

    @classmethod
    def of(cls, X: pd.DataFrame, y: "pd.Series[Any]", aside: pd.DataFrame | Mapping[str, Any], config: Config) -> Self:
        """
        Put rows together with the columns that a configuration names.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_features)
        y : Series of shape (n_samples,)
        aside : DataFrame, or mapping of str to Series
            Columns that are no features, among them those of ``config.aside``.
        config : Config

        Raises
        ------
        DataError
            A column lacks a value, or holds what is no time or weight.
        """
        group, time, weight = config.split.group, config.split.time, config.sample_weight
        return cls(
            X,
            y,
            groups=None if group is None else _complete("split.group", aside[group]),
            times=None if time is None else _moments(_complete("split.time", aside[time])),
            weights=None if weight is None else _weights(_complete("sample_weight", aside[weight])),
        )

    def __len__(self) -> int:
        return len(self.X)

    def __sklearn_clone__(self) -> Self:
        """Tell scikit-learn not to copy rows with each estimator that holds them."""
        return self

    def take(self, index: "pd.Index[Any]") -> "Sample":
        """Return the rows of an index, in its order."""
        beside = (None if column is None else column.loc[index] for column in (self.groups, self.times, self.weights))
        return Sample(self.X.loc[index], self.y.loc[index], *beside)

    def joined(self, other: "Sample") -> "Sample":
        """Return these rows and then another's."""
        return Sample(
            pd.concat([self.X, other.X]),
            pd.concat([self.y, other.y]),
            _joined(self.groups, other.groups),
            _joined(self.times, other.times),
            _joined(self.weights, other.weights),
        )


def _joined(these: "pd.Series[Any] | None", others: "pd.Series[Any] | None") -> "pd.Series[Any] | None":
    return None if these is None or others is None else pd.concat([these, others])


def _complete(key: str, column: "pd.Series[Any]") -> "pd.Series[Any]":
    missing = int(column.isna().sum())
    if missing:
        raise DataError(
            f"{key} names column {column.name!r}, which is missing in {missing} of {len(column)} rows; "
            f"expected a value in each"
        )
    return column


def _moments(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return a column as what can be compared: dates in UTC, or numbers."""
    if pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_numeric_dtype(column):
        return column
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.notna().all():
        return numbers
    dates = pd.to_datetime(column, format="ISO8601", utc=True, errors="coerce")
    if dates.isna().any():
        row = dates.isna().idxmax()
        raise DataError(
            f"split.time names column {column.name!r}, which has {column.loc[row]!r} in row {int(row) + 1}; "
            f"expected numbers or ISO 8601 dates, such as 2026-01-31 or 2026-01-31T12:00:00Z"
        )
    return dates


def _weights(column: "pd.Series[Any]") -> "pd.Series[Any]":
    weights = pd.to_numeric(column, errors="coerce").astype("float64")
    bad = ~weights.between(0, np.inf, inclusive="left")
    if bad.any():
        row = bad.idxmax()
        raise DataError(
            f"sample_weight names column {column.name!r}, which has {column.loc[row]!r} in row {int(row) + 1}; "
            f"expected numbers of 0 or more"
        )
    return weights
