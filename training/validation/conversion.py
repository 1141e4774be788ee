"""From the cells of a column to values of its kind, and which cells are not of that kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from model.signature.frames import dates as read_dates
from training.columns import Kind
from training.validation import units
from training.validation.cells import as_texts, only_texts, sort_of
from training.validation.numbers import numbers_in

_TRUTH: Final = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}


@dataclass(frozen=True)
class Converted:
    """
    A column of its kind.

    Parameters
    ----------
    column : Series
        float64 for numbers, datetime64[ns] in UTC for dates; bool, or objects where values are missing, for booleans;
        otherwise texts. Missing where ``bad``.
    bad : Series of bool
        Cells that hold something else.
    expected : str
        What a cell has to hold, for sentences.
    """

    column: "pd.Series[Any]"
    bad: "pd.Series[bool]"
    expected: str


def convert(column: "pd.Series[Any]", kind: Kind, unit: str | None = None) -> Converted:
    """
    Turn cells into values.

    Parameters
    ----------
    column : Series
        See ``cells``.
    kind : Kind
    unit : str, optional
        Of numbers; a cell may name another one of the same dimension.

    Raises
    ------
    ConfigurationError
        There is no such unit.
    """
    if kind is Kind.NUMBER:
        return _numbers(column, unit)
    return _CONVERSIONS[kind](column)


def _numbers(column: "pd.Series[Any]", unit: str | None) -> Converted:
    values = numbers_in(column) if only_texts(column) else _coerced(column)
    if unit is not None:
        values = values.fillna(units.convert(column[values.isna() & column.notna()], unit))
    bad = column.notna() & ~np.isfinite(values)
    expected = "a finite number" if unit is None else f"a finite number, in {unit} or with a unit that fits it"
    return Converted(values.mask(bad) if bad.any() else values, bad, expected)


def _coerced(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return numbers of cells of any type, without what pandas would take for a number and is none, such as true."""
    if column.dtype.kind not in "iuf":
        cells = column.astype(object)
        column = cells.where(cells.map(lambda cell: sort_of(cell) in ("numbers", "texts")), np.nan)
    return pd.to_numeric(column, errors="coerce").astype("float64")


def _booleans(column: "pd.Series[Any]") -> Converted:
    values = as_texts(column).str.lower().map(_TRUTH) if len(column) else column
    bad = column.notna() & values.isna()
    return Converted(truths(values), bad, "true or false")


def truths(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return truth values as bool where there are no others, and as objects where some are missing."""
    return values.astype(object if values.isna().any() else bool)


def _dates(column: "pd.Series[Any]") -> Converted:
    cells = column if column.dtype.kind == "M" else _texts_but_dates(column)
    parsed, wrong = read_dates(cells.to_numpy(), "datetime64[ns]")
    bad = pd.Series(data=False, index=column.index)
    bad.iloc[wrong] = True
    values = pd.Series(parsed, index=column.index, name=column.name)
    return Converted(values.mask(bad), bad, "an ISO-8601 date such as 2024-01-31 or 2024-01-31T23:59:59Z")


def _texts_but_dates(column: "pd.Series[Any]") -> "pd.Series[Any]":
    return column if only_texts(column) else as_texts(column)


def _texts(column: "pd.Series[Any]") -> Converted:
    bad = pd.Series(data=False, index=column.index)
    if column.dtype == object and not only_texts(column):
        bad = column.map(sort_of) == "lists or objects"
        column = column.mask(bad)
    return Converted(as_texts(column), bad, "a single value")


_CONVERSIONS: Final[Mapping[Kind, Callable[["pd.Series[Any]"], Converted]]] = {
    Kind.CATEGORY: _texts,
    Kind.TEXT: _texts,
    Kind.BOOLEAN: _booleans,
    Kind.DATE: _dates,
}
