"""Numbers that lie too far out, by bounds that are given or by the numbers themselves."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from training.columns import Kind
from training.config import Config
from training.config.columns import Column, Outliers
from training.validation.survey import Survey

Bounds = tuple[float, float]


@dataclass(frozen=True)
class Far:
    """
    The outliers of one column.

    Parameters
    ----------
    how : Outliers
    bounds : tuple of float
        The least and the greatest value that is none.
    rows : int
        How many there are.
    """

    how: Outliers
    bounds: Bounds
    rows: int

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values; a bound that is not there is null."""
        low, high = (bound if np.isfinite(bound) else None for bound in self.bounds)
        return {"method": self.how.method, "action": self.how.action, "low": low, "high": high, "rows": self.rows}


def far_out(rows: pd.DataFrame, found: Survey, config: Config) -> dict[str, Far]:
    """
    Find the outliers of every column that is to be looked at.

    Parameters
    ----------
    rows : DataFrame
        Typed.
    found : Survey
    config : Config
    """
    return {name: _far(rows[name], config.columns.get(name), how) for name, how in _wanted(found, config).items()}


def _wanted(found: Survey, config: Config) -> dict[str, Outliers]:
    own = {name: column.outliers for name, column in config.columns.items() if name in found.kinds}
    default = config.cleaning.outliers
    numbers = [name for name in found.features if found.kinds[name] is Kind.NUMBER]
    chosen = {name: own.get(name) or default for name in dict.fromkeys([*numbers, *own])}
    return {name: how for name, how in chosen.items() if how is not None and found.kinds[name] is Kind.NUMBER}


def _far(values: "pd.Series[Any]", column: Column | None, how: Outliers) -> Far:
    low, high = (-np.inf, np.inf) if column is None else (column.min, column.max)
    possible = values[values.between(-np.inf if low is None else low, np.inf if high is None else high)]
    bounds = _bounds(possible, how)
    return Far(how, bounds, int((~possible.between(*bounds)).sum()))


def _bounds(values: "pd.Series[Any]", how: Outliers) -> Bounds:
    """Return the bounds; where half of the values are the same, or all of them, no distance is too great."""
    if how.method == "range":
        return (-np.inf if how.low is None else how.low, np.inf if how.high is None else how.high)
    if how.method == "iqr":
        low, high = values.quantile([0.25, 0.75])
        reach = how.factor * (high - low)
    else:
        low = high = values.mean()
        reach = how.factor * values.std(ddof=0)
    return (float(low - reach), float(high + reach)) if reach > 0 else (-np.inf, np.inf)
