"""
Why an estimator refused rows that fit its signature.

scikit-learn answers bad values with ``ValueError`` and positions inside some transformer. Where the rows explain the
refusal, the client is told which column to mend; where they do not, the fault is the model's.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from model.codec.wording import listed, shown
from model.errors import InvalidInput
from model.signature.inputs import Table, X
from model.signature.missing import Values, missing_in
from model.signature.schema import Signature
from model.signature.tensors import Tensors

_FLOAT32_MAX: Final = float(np.finfo(np.float32).max)
_POSITION: Final = re.compile(r"in column (\d+)")
_UNKNOWN: Final = re.compile(r"unknown categor\w+ \[(.*)\]", re.DOTALL)
_OF_MISSING: Final = re.compile(r"\b(NaN|nan|NaT|None|NoneType|missing)\b")


def explain(error: Exception, table: X, signature: Signature) -> InvalidInput | None:
    """
    Tell which column made an estimator refuse a table.

    Parameters
    ----------
    error : Exception
        What the estimator raised.
    table : ndarray or DataFrame of shape (n_samples, n_features), or Tensors
        As the estimator or network was given it.
    signature : Signature

    Returns
    -------
    refusal : InvalidInput or None
        None where the table does not explain the error.
    """
    if isinstance(table, Tensors):
        return _of_network(error)
    if isinstance(error, InvalidInput):
        return error
    if not isinstance(error, ValueError | TypeError):
        return None
    message = str(error)
    for name, values in _suspects(message, table, signature):
        reason = _reason(message, values, _seen(signature, name))
        if reason is not None:
            return InvalidInput(f"Column {name!r} {reason}.")
    return None


def _of_network(error: Exception) -> InvalidInput | None:
    """Tell that a graph does not take a value or a size; onnxruntime's own words name its nodes, not the client's."""
    if isinstance(error, InvalidInput):
        return error
    if type(error).__name__ != "InvalidArgument":
        return None
    msg = "The network refuses these tensors; expected sizes that go together, and values that its graph allows."
    return InvalidInput(msg)


def _suspects(message: str, table: Table, signature: Signature) -> list[tuple[str, Values]]:
    """Return the columns, the one first whose position the message tells: maybe that of the table, after all."""
    columns = list(_columns(table, signature))
    position = _POSITION.search(message)
    if position is not None and int(position[1]) < len(columns):
        columns.insert(0, columns.pop(int(position[1])))
    return columns


def _columns(table: Table, signature: Signature) -> Iterator[tuple[str, Values]]:
    if not isinstance(table, np.ndarray):
        for name in signature.names:
            numbers = table[name].dtype.kind in "fiub"
            yield name, table[name].to_numpy(dtype=None if numbers else object)
    elif table.ndim == 1:
        yield signature.names[0], table
    else:
        for i, name in enumerate(signature.names):
            yield name, table[:, i]


def _seen(signature: Signature, name: str) -> tuple[Any, ...]:
    return next(column.categories or () for column in signature.inputs if column.name == name)


def _reason(message: str, values: Values, seen: tuple[Any, ...]) -> str | None:
    unknown = _UNKNOWN.search(message)
    if unknown is not None:
        return _unknown_category(unknown[1], values, seen)
    if "could not convert string to float" in message:
        return _text(values, message)
    if "dtypes" in message:
        return _text(values)
    missing = np.flatnonzero(missing_in(values))
    if missing.size and _OF_MISSING.search(message):
        return f"has a missing value in row {missing[0]}, which this model refuses; expected a value"
    if "too large" in message and values.dtype.kind == "f":
        large = np.flatnonzero(np.abs(values) > _FLOAT32_MAX)
        return _large(values, int(large[0])) if large.size else None
    return None


def _text(values: Values, message: str | None = None) -> str | None:
    """Find the text where the estimator expects a number: the one that the message quotes, or any."""
    for row, value in enumerate(values.tolist()):
        if isinstance(value, str) and (message is None or repr(value) in message):
            return f"has {shown(value)} in row {row}; expected a number"
    return None


def _large(values: Values, row: int) -> str:
    return f"has {values[row]:g} in row {row}; expected a value that fits FP32"


def _unknown_category(unknown: str, values: Values, seen: tuple[Any, ...]) -> str | None:
    """
    Find the value that an encoder names, ``Found unknown categories ['Mars'] in column 0 during transform``.

    The column it names is a position inside some transformer; the values decide.
    """
    for row, value in enumerate(values.tolist()):
        if value not in seen and re.search(rf"(?<![\w.]){re.escape(repr(value))}(?![\w.])", unknown):
            expected = f"one of {listed([str(known) for known in seen])}" if seen else "a category seen in training"
            got = "a missing value" if missing_in(values)[row] else shown(value)
            return f"has {got} in row {row}, which this model's encoder refuses; expected {expected}"
    return None
