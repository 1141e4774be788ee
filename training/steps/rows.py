"""Typed rows between two steps, as Parquet."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from pyarrow import parquet

from training.columns import Kind
from training.record import readable

_ROWS: Final = "rows.parquet"
_COLUMNS: Final = "columns.json"


@dataclass(frozen=True)
class Rows:
    """
    Typed rows.

    Parameters
    ----------
    X : DataFrame of shape (n_samples, n_features)
    y : Series of shape (n_samples,)
    kinds : dict of str to Kind
        Of each column of ``X``.
    aside : DataFrame of shape (n_samples, n_columns)
        Columns that rows are divided and weighed by, whether they are learned from or not.
    """

    X: pd.DataFrame
    y: "pd.Series[Any]"
    kinds: dict[str, Kind]
    aside: pd.DataFrame

    def write(self, directory: Path) -> None:
        """Write them to a directory."""
        table = self.X.assign(**{str(self.y.name): self.y}, **self.aside.drop(columns=[*self.X], errors="ignore"))
        table.to_parquet(directory / _ROWS, index=True)
        described = {"target": self.y.name, "features": self.kinds, "aside": list(self.aside)}
        (directory / _COLUMNS).write_bytes(readable(described))

    @classmethod
    def read(cls, directory: Path) -> "Rows":
        """Read them back, value for value."""
        described = json.loads((directory / _COLUMNS).read_bytes())
        table = pd.read_parquet(directory / _ROWS)
        known = kinds_of(directory)
        kinds = {name: known[name] for name in table.columns if name in known}
        # Parquet tells a missing text by null, and scikit-learn by NaN.
        X = pd.DataFrame(
            {name: table[name].fillna(np.nan) if table[name].dtype == object else table[name] for name in kinds}
        )
        return cls(X, table[described["target"]], kinds, table[described["aside"]])


def kinds_of(directory: Path) -> dict[str, Kind]:
    """Return the kinds of the columns to learn from that were written to a directory, without reading the rows."""
    described = json.loads((directory / _COLUMNS).read_bytes())
    return {name: Kind(kind) for name, kind in described["features"].items()}


def count(directory: Path) -> int:
    """Return how many rows were written to a directory, without reading them."""
    return int(parquet.read_metadata(directory / _ROWS).num_rows)
