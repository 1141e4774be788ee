"""The values of columns that are no numbers: those that can be given numbers, for an engine that takes nothing else."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from model.datatypes import NUMERIC, Datatype
from model.signature.coding import Known
from model.signature.guess import encoded_columns
from model.signature.schema import MATRIX_NAME, Column, Scalar, Signature
from model.tensors import Tensor

_MOST: Final = 10_000
"""Values of a column beyond which it is none of categories."""
_ENOUGH: Final = 20
"""Rows from which one can tell."""


def known_values(estimator: Any, signature: Signature, rows: Sequence[Tensor]) -> dict[str, Known]:
    """
    Return the values of each column that is no number.

    Parameters
    ----------
    estimator : fitted estimator
        What its encoders remember is known.
    signature : Signature
        So is what it lists,
    rows : sequence of Tensor
        and what these hold.

    Returns
    -------
    known : dict of str to Known
        None of a column of dates, texts, or too many values: an engine can do without those that nothing depends on.
    """
    remembered = {column.name: column.categories or () for column in encoded_columns(estimator, signature.names)}
    held = dict(_held(signature, rows))
    return {
        column.name: _values(column, remembered.get(column.name, ()), held.get(column.name, ()))
        for column in signature.inputs
        if column.datatype not in NUMERIC or column.dtype == "category"
    }


def _held(signature: Signature, rows: Sequence[Tensor]) -> Iterator[tuple[str, list[Any]]]:
    for tensor in rows:
        if tensor.name == MATRIX_NAME and not signature.named:
            data = tensor.data.reshape(len(tensor.data), -1)
            yield from ((column.name, data[:, i].tolist()) for i, column in enumerate(signature.inputs))
        else:
            yield tensor.name, tensor.data.ravel().tolist()


def _values(column: Column, remembered: Sequence[Scalar], held: Sequence[Any]) -> Known:
    missing = (None,) if column.missing else ()
    if column.datatype is Datatype.BOOL and column.dtype != "category":
        return (False, True, *missing)
    listed = column.categories or ()
    if column.dtype == "category":
        return (*listed, *missing)
    if column.dtype != "object":
        return ()
    distinct = dict.fromkeys(value for value in held if isinstance(value, str))
    if not remembered and len(held) >= _ENOUGH and len(distinct) > len(held) // 2:
        return ()  # Free text shows by values that hardly ever come again.
    values = dict.fromkeys([*listed, *remembered, *distinct])
    return (*values, *missing) if len(values) <= _MOST else ()
