"""The kind of each column, and the way from a file's texts to typed values."""

from enum import StrEnum
from typing import Any, Final

import numpy as np
import pandas as pd

from training.errors import DataError

MOST_CATEGORIES: Final = 100
"""Distinct texts beyond which a column is not taken for a category unless it is declared as one."""

_TRUTH: Final = {"true": True, "false": False}
_DECLARED_TRUTH: Final = {**_TRUTH, "yes": True, "no": False, "1": True, "0": False}


class Kind(StrEnum):
    """What a column holds."""

    NUMBER = "number"
    CATEGORY = "category"
    TEXT = "text"
    BOOLEAN = "boolean"


def infer(column: "pd.Series[Any]") -> Kind:
    """
    Tell the kind of a column from its texts.

    Parameters
    ----------
    column : Series of str, NaN where missing
        At least one value is not missing.

    Raises
    ------
    DataError
        So many distinct texts that neither a category nor a text is the plain guess.
    """
    texts = column.dropna()
    if texts.str.lower().isin(list(_TRUTH)).all():
        return Kind.BOOLEAN
    if pd.to_numeric(texts, errors="coerce").notna().all():
        return Kind.NUMBER
    distinct = texts.nunique()
    if distinct > MOST_CATEGORIES:
        raise DataError(
            f"column {column.name!r} holds {distinct} distinct texts, more than the {MOST_CATEGORIES} of a category; "
            f"declare it under columns as category or text, or list it under drop"
        )
    return Kind.CATEGORY


def convert(column: "pd.Series[Any]", kind: Kind) -> "pd.Series[Any]":
    """
    Turn the texts of a column into values of its kind.

    Returns
    -------
    values : Series
        float64 for numbers; bool, or objects where values are missing, for booleans; otherwise the texts.

    Raises
    ------
    DataError
        A value is not of that kind; the sentence names column, row and value.
    """
    if kind is Kind.NUMBER:
        return _numbers(column)
    if kind is Kind.BOOLEAN:
        return _booleans(column)
    return column


def labels(column: "pd.Series[Any]", kind: Kind | None) -> "pd.Series[Any]":
    """
    Turn the texts of a classification's target into labels.

    Returns
    -------
    labels : Series of bool, int64 or str
        Fractions are no labels: undeclared they stay texts.

    Raises
    ------
    DataError
        A value does not fit the declared kind.
    """
    kind = _label_kind(column) if kind is None else kind
    values = convert(column, kind)
    if kind is not Kind.NUMBER:
        return values
    _refuse(column, values != values.round(), "a whole number, for it is a class label")
    return values.astype("int64")


def _label_kind(column: "pd.Series[Any]") -> Kind:
    if column.str.lower().isin(list(_TRUTH)).all():
        return Kind.BOOLEAN
    return Kind.NUMBER if column.str.fullmatch(r"[+-]?\d{1,15}").all() else Kind.CATEGORY


def _numbers(column: "pd.Series[Any]") -> "pd.Series[Any]":
    values = pd.to_numeric(column, errors="coerce").astype("float64")
    _refuse(column, column.notna() & ~np.isfinite(values), "a finite number")
    return values


def _booleans(column: "pd.Series[Any]") -> "pd.Series[Any]":
    values = column.str.lower().map(_DECLARED_TRUTH)
    _refuse(column, column.notna() & values.isna(), "true or false")
    return values.astype(object if values.isna().any() else bool)


def _refuse(column: "pd.Series[Any]", bad: "pd.Series[bool]", expected: str) -> None:
    if bad.any():
        row = bad.idxmax()
        raise DataError(f"column {column.name!r} has {column.loc[row]!r} in row {int(row) + 1}; expected {expected}")
