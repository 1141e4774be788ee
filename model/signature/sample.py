"""A sample of a model's input, in plain dtypes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from model.errors import ArtifactError

Sample = pd.DataFrame | npt.NDArray[Any] | Sequence[str]
"""Rows an estimator takes: (n_samples, n_features), or n_samples texts."""


def as_frame(sample: Sample) -> pd.DataFrame:
    """
    Return a sample as a DataFrame of plain dtypes.

    Returns
    -------
    frame : DataFrame of shape (n_samples, n_features)
        Columns of bool, int64, float64, object, category or datetime64[ns]. Columns of an array are called
        ``"0"``, ``"1"``, …; the single column of a list of texts is called ``"text"``.

    Raises
    ------
    ArtifactError
        The sample is empty, or a column is of a dtype that no V2 datatype carries.
    """
    if isinstance(sample, pd.DataFrame):
        frame = sample.reset_index(drop=True)
        frame.columns = frame.columns.map(str)
    else:
        frame = _unnamed(np.asarray(sample))
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise ArtifactError(f"The sample has two columns called {repeated[0]!r}; expected names to be unique.")
    if not len(frame):
        msg = "The sample has no rows; expected at least one row of the model's input."
        raise ArtifactError(msg)
    return pd.DataFrame({name: _plain(frame[name]) for name in frame.columns})


def _unnamed(values: npt.NDArray[Any]) -> pd.DataFrame:
    if values.ndim == 1 and values.dtype.kind in "OUT":
        return pd.DataFrame({"text": values.astype(object)})
    if values.ndim != 2:  # noqa: PLR2004 -- a table has two dimensions
        raise ArtifactError(f"The sample has shape {list(values.shape)}; expected (n_samples, n_features).")
    frame = pd.DataFrame(values, columns=[str(i) for i in range(values.shape[1])])
    return frame.infer_objects() if values.dtype.kind == "O" else frame


def _plain(column: "pd.Series[Any]") -> "pd.Series[Any]":
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _checked_categories(column)
    if pd.api.types.is_bool_dtype(dtype):
        return column.astype(object).where(column.notna(), np.nan) if column.hasnans else column.astype(bool)
    if pd.api.types.is_integer_dtype(dtype):
        return column.astype("float64" if column.hasnans else "int64")
    if pd.api.types.is_float_dtype(dtype):
        return column.astype("float64")
    if isinstance(dtype, np.dtype) and dtype.kind == "M":
        return column.astype("datetime64[ns]")
    if dtype == object:
        return _checked(column)
    if pd.api.types.is_string_dtype(dtype):
        return column.astype(object).where(column.notna(), np.nan)
    raise ArtifactError(
        f"Column {column.name!r} has dtype {dtype}; expected numbers, booleans, strings or dates without a time zone."
    )


def _checked_categories(column: "pd.Series[Any]") -> "pd.Series[Any]":
    categories = column.cat.categories
    if all(isinstance(value, str | int | float) for value in categories.tolist()):
        return column
    raise ArtifactError(
        f"Column {column.name!r} has categories of {categories.dtype}; expected numbers, booleans or strings."
    )


def _checked(column: "pd.Series[Any]") -> "pd.Series[Any]":
    kinds = {type(value) for value in column[column.notna()]}
    if not kinds or kinds in ({str}, {bool}):
        return column
    if all(issubclass(kind, int | float | np.number) and kind is not bool for kind in kinds):
        return column.astype("float64")
    names = ", ".join(sorted(kind.__name__ for kind in kinds))
    raise ArtifactError(f"Column {column.name!r} holds {names}; expected strings alone, or booleans alone.")
