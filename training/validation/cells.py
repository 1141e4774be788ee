"""The cells of a raw column: texts where it comes from CSV, typed values where it comes from Parquet, JSON or SQL."""

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

EXACT: Final = 2**53
"""Whole numbers below it are as they were when they become float64."""

TEXT: Final = pd.StringDtype("pyarrow", na_value=np.nan)
"""Dtype of the texts of a file: made objects of, they would take most of the time of going through it."""

_STRUCTURES: Final = (list, dict, set, tuple, np.ndarray)


def plain(column: "pd.Series[Any]", missing: Sequence[str]) -> "pd.Series[Any]":
    """
    Return a column in one of NumPy's dtypes, or of texts as Arrow holds them, with NaN for whatever means a missing value.

    Parameters
    ----------
    column : Series
        Of any dtype of pandas, those of Arrow included.
    missing : sequence of str
        Texts that mean a missing value.
    """
    if column.dtype != TEXT:
        column = _without_extension(column)
        if column.dtype != object:
            return column
    gone = column.isna() | column.isin(list(missing))
    return column.where(~gone, np.nan) if gone.any() else column


def only_texts(column: "pd.Series[Any]") -> bool:
    """Whether every cell is a text or missing."""
    if column.dtype == TEXT:
        return True
    return column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) in ("string", "empty")


def sort_of(cell: object) -> str:
    """Return what a cell is, in a word of everyday: a person reads it, and columns of two sorts are mixed."""
    if isinstance(cell, bool | np.bool_):
        return "truth values"
    if isinstance(cell, str):
        return "texts"
    if isinstance(cell, dt.date | np.datetime64):
        return "dates"
    if isinstance(cell, _STRUCTURES):
        return "lists or objects"
    return "numbers" if _is_number(cell) else f"{type(cell).__name__} values"


def _is_number(cell: Any) -> bool:
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return True


def shown(cell: object) -> str:
    """Return a cell as a text that stands for it wherever only texts can stand: whole numbers without a fraction."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool | np.bool_):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, _STRUCTURES):
        return json.dumps(cell, default=str, ensure_ascii=False)
    return cell.isoformat() if isinstance(cell, dt.date) else str(cell)


def as_texts(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return the text of each cell as an object, NaN where it is missing."""
    if only_texts(column):
        return column.astype(object)
    texts = [shown(cell) if known else np.nan for cell, known in zip(column, column.notna(), strict=True)]
    return pd.Series(texts, index=column.index, name=column.name, dtype=object)


def _without_extension(column: "pd.Series[Any]") -> "pd.Series[Any]":
    dtype = column.dtype
    if isinstance(dtype, pd.DatetimeTZDtype):
        return pd.Series(column.dt.tz_convert("UTC").dt.tz_localize(None))
    if isinstance(dtype, np.dtype):
        return column
    if pd.api.types.is_integer_dtype(dtype) and column.abs().max() < EXACT:
        return pd.Series(column.to_numpy("float64", na_value=np.nan), index=column.index, name=column.name)
    values = column.to_numpy(dtype=object, na_value=np.nan)
    cells = pd.Series(values, index=column.index, name=column.name, dtype=object)
    return cells if pd.api.types.is_integer_dtype(dtype) else cells.infer_objects()
