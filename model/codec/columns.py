"""Columns without a declared datatype, as V1 and rows bring them: the datatype is inferred from the JSON values."""

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

from model.codec.elements import Types, convert, element_types
from model.codec.wording import shown
from model.datatypes import Datatype
from model.errors import InvalidInput
from model.tensors import Tensor

_NULL: Final = type(None)
_INT64_MIN: Final = -(2**63)
_INT64_MAX: Final = 2**63 - 1
_DATATYPES: Final[dict[frozenset[type], Datatype]] = {
    frozenset(): Datatype.FP64,
    frozenset({float}): Datatype.FP64,
    frozenset({int, float}): Datatype.FP64,
    frozenset({int}): Datatype.INT64,
    frozenset({bool}): Datatype.BOOL,
    frozenset({str}): Datatype.BYTES,
}


def infer_datatype(values: list[Any], types: Types) -> Datatype | None:
    """
    Infer the datatype of JSON values.

    Parameters
    ----------
    values : list
    types : set of type
        ``element_types(values)``.

    Returns
    -------
    Datatype or None
        FP64 for numbers, INT64 if all are integers (UINT64, then FP64, where those don't fit), BYTES for strings, BOOL
        for booleans; nulls don't count, and nothing but nulls is FP64. None if the values are of no single kind.
    """
    datatype = _DATATYPES.get(frozenset(types - {_NULL}))
    return _wide_enough(values) if datatype is Datatype.INT64 else datatype


def infer_column(name: str, values: list[Any]) -> Tensor:
    """
    Make a tensor of one column.

    Parameters
    ----------
    name : str
    values : list
        One JSON value per row; not empty.

    Returns
    -------
    Tensor
        Of shape (n,).

    Raises
    ------
    InvalidInput
        The values are of different kinds, or lists or objects.
    """
    types = element_types(values)
    datatype = infer_datatype(values, types)
    if datatype is None:
        raise InvalidInput(_mixed(name, values))
    return Tensor(name, datatype, convert(name, datatype, values, types))


def columns_of_rows(rows: Sequence[dict[str, Any]], field: str) -> list[Tensor]:
    """
    Turn rows into one tensor per key.

    Parameters
    ----------
    rows : sequence of dict
        Not empty.
    field : str
        What the rows are called in the body, for messages.

    Returns
    -------
    list of Tensor
        In the order of the first row's keys, each of shape (n,).

    Raises
    ------
    InvalidInput
        A row lacks a key that others have, there are no keys, or a column mixes kinds of values.
    """
    first = rows[0]
    if any(row.keys() != first.keys() for row in rows):
        _refuse_uneven(rows, field)
    if not first:
        raise InvalidInput(f"{field}[0] is an object without keys; send a value for each column.")
    return [infer_column(name, [row[name] for row in rows]) for name in first]


def _wide_enough(values: list[Any]) -> Datatype:
    numbers = [value for value in values if value is not None]
    low, high = min(numbers), max(numbers)
    if low >= _INT64_MIN and high <= _INT64_MAX:
        return Datatype.INT64
    return Datatype.UINT64 if low >= 0 else Datatype.FP64


def _mixed(name: str, values: list[Any]) -> str:
    present = [value for value in values if value is not None]
    for value in present:
        if not isinstance(value, str | int | float):
            return f"Column {shown(name)} holds {shown(value)}; expected a number, a string, true, false or null."
    other = next(value for value in present if _kind(value) is not _kind(present[0]))
    return f"Column {shown(name)} holds both {shown(present[0])} and {shown(other)}; expected values of one kind."


def _kind(value: str | float) -> type:
    return float if type(value) is int else type(value)


def _refuse_uneven(rows: Sequence[dict[str, Any]], field: str) -> None:
    keys = dict.fromkeys(chain.from_iterable(rows))
    index, key = next((i, key) for i, row in enumerate(rows) for key in keys if key not in row)
    raise InvalidInput(f"{field}[{index}] has no {shown(key)}, which other rows have; send null for a missing value.")
