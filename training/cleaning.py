"""From a table of texts to the rows a model is fitted on."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from training.columns import Kind, convert, infer, labels
from training.config import Config
from training.errors import DataError
from training.metrics import Task


@dataclass(frozen=True)
class Counts:
    """
    What became of the rows.

    Parameters
    ----------
    read, duplicates, without_target, kept : int
    """

    read: int
    duplicates: int
    without_target: int
    kept: int

    def __str__(self) -> str:
        return (
            f"{self.read} rows read, {self.duplicates} duplicates and {self.without_target} rows without a target "
            f"dropped, {self.kept} kept"
        )

    def as_json(self) -> dict[str, int]:
        """Return the counts by name."""
        return asdict(self)


@dataclass(frozen=True)
class Cleaned:
    """
    Typed rows.

    Parameters
    ----------
    X : DataFrame of shape (n_samples, n_features)
    y : Series of shape (n_samples,)
    kinds : dict of str to Kind
        Of each column of ``X``.
    counts : Counts
    """

    X: pd.DataFrame
    y: "pd.Series[Any]"
    kinds: dict[str, Kind]
    counts: Counts


def clean(table: pd.DataFrame, config: Config) -> Cleaned:
    """
    Drop what is not to be learned from, and type the rest.

    Parameters
    ----------
    table : DataFrame of str, NaN where missing
    config : Config

    Raises
    ------
    DataError
        A column is missing or holds something else than declared, or nothing is left to learn from.
    """
    _check_names(table, config)
    unique = table.drop_duplicates() if config.duplicates == "drop" else table
    rows = unique.dropna(subset=[config.target])
    if rows.empty:
        raise DataError(f"target {config.target!r} is missing in all {len(table)} rows; expected a value in some")
    counts = Counts(len(table), len(table) - len(unique), len(unique) - len(rows), len(rows))
    y = _target(rows[config.target], config)
    X, kinds = _features(rows.drop(columns=[config.target, *config.drop]), config)
    return Cleaned(X, y, kinds, counts)


def _check_names(table: pd.DataFrame, config: Config) -> None:
    for key, names in (("target", [config.target]), ("drop", config.drop), ("columns", config.columns)):
        _check_known(key, names, table)


def _check_known(key: str, names: Iterable[str], table: pd.DataFrame) -> None:
    unknown = [name for name in names if name not in table.columns]
    if unknown:
        raise DataError(f"{key} names column {unknown[0]!r}, which the data lack; they have {', '.join(table.columns)}")


def _target(column: "pd.Series[Any]", config: Config) -> "pd.Series[Any]":
    if config.task is Task.REGRESSION:
        return convert(column, Kind.NUMBER)
    y = labels(column, config.columns.get(config.target))
    if len(y.unique()) == 1:
        raise DataError(f"target {config.target!r} is {column.iloc[0]!r} in every row; expected at least two classes")
    return y


def _features(rows: pd.DataFrame, config: Config) -> tuple[pd.DataFrame, dict[str, Kind]]:
    if rows.shape[1] == 0:
        raise DataError(f"no column is left beside target {config.target!r}; expected at least one")
    empty = [name for name in rows.columns if rows[name].isna().all()]
    if empty:
        raise DataError(f"column {empty[0]!r} has no value in any row; list it under drop")
    kinds = {name: config.columns.get(name) or infer(rows[name]) for name in rows.columns}
    return pd.DataFrame({name: convert(rows[name], kind) for name, kind in kinds.items()}), kinds
