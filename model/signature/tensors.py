"""Requests to a network: named tensors of any rank."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from model.codec.wording import listed, shown
from model.datatypes import FLOATS, INTEGERS, NUMPY_DTYPES, Datatype
from model.errors import InvalidInput
from model.signature.schema import Column, Signature
from model.tensors import InferRequest, Tensor

Values = npt.NDArray[Any]


class Tensors:
    """
    Tensors by name; its length is the number of rows.

    Parameters
    ----------
    arrays : dict of str to ndarray
    """

    __slots__ = ("arrays",)

    def __init__(self, arrays: dict[str, Values]) -> None:
        self.arrays = arrays

    def __len__(self) -> int:
        first = next(iter(self.arrays.values()))
        return len(first) if first.ndim else 1

    def repeated(self, rows: int) -> "Tensors":
        """Return as many rows, these again and again."""
        index = np.resize(np.arange(len(self)), rows)
        return Tensors({name: array[index] for name, array in self.arrays.items()})


def by_name(what: str, tensors: Sequence[Tensor], names: Collection[str]) -> dict[str, Tensor]:
    """
    Return the tensors of a request by name.

    Parameters
    ----------
    what : str
        ``Column`` or ``Input``, for messages.
    tensors : sequence of Tensor
    names : collection of str
        Those expected, each once.

    Raises
    ------
    InvalidInput
        One is missing, surplus, or sent twice.
    """
    sent: dict[str, Tensor] = {}
    for tensor in tensors:
        if tensor.name not in names:
            raise InvalidInput(f"{what} {shown(tensor.name)} is unknown; expected {listed(list(names))}.")
        if tensor.name in sent:
            raise InvalidInput(f"{what} {tensor.name!r} is sent twice; expected once.")
        sent[tensor.name] = tensor
    for name in names:
        if name not in sent:
            raise InvalidInput(f"{what} {name!r} is missing; expected {listed(list(names))}.")
    return sent


class TensorInputs:
    """
    Reads the inputs of requests to a network.

    Parameters
    ----------
    signature : Signature
        Of the layout of tensors.
    """

    def __init__(self, signature: Signature) -> None:
        self._columns = {column.name: column for column in signature.inputs}

    def decode(self, request: InferRequest) -> Tensors:
        """
        Turn a request into tensors of the network's datatypes.

        Raises
        ------
        InvalidInput
            An input is missing, surplus, sent twice, of another shape, or holds a value that does not fit it.
        """
        sent = self._sent(request.inputs)
        return Tensors({name: _read(column, sent[name]) for name, column in self._columns.items()})

    def _sent(self, tensors: Sequence[Tensor]) -> dict[str, Tensor]:
        if len(self._columns) == 1 and len(tensors) == 1:  # a lone tensor is taken by any name
            return dict.fromkeys(self._columns, tensors[0])
        return by_name("Input", tensors, self._columns)


def _read(column: Column, tensor: Tensor) -> Values:
    values = _shaped(column, tensor.data)
    if not values.size:
        raise InvalidInput(f"Input {column.name!r} holds no values; expected at least one row.")
    mine = column.datatype or tensor.datatype
    if tensor.datatype is not mine and not (mine in FLOATS | INTEGERS and tensor.datatype in FLOATS | INTEGERS):
        raise InvalidInput(f"Input {column.name!r} is sent as {tensor.datatype}; expected {mine}.")
    if values.dtype.kind == "O" and any(value is None for value in values.flat):
        raise InvalidInput(f"Input {column.name!r} holds a missing value (null); expected a value.")
    return _converted(column.name, mine, values)


def _shaped(column: Column, values: Values) -> Values:
    expected = column.shape or ()
    if expected[1:] == (1,) and values.ndim == 1:
        values = values.reshape(-1, 1)
    if values.ndim == len(expected) and all(e in (-1, got) for e, got in zip(expected, values.shape, strict=True)):
        return values
    raise InvalidInput(f"Input {column.name!r} has shape {list(values.shape)}; expected {list(expected)}.")


def _converted(name: str, datatype: Datatype, values: Values) -> Values:
    dtype = NUMPY_DTYPES[datatype]
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        what = "a missing value (null or NaN)" if np.isnan(values).any() else "infinity"
        raise InvalidInput(f"Input {name!r} holds {what}; expected finite numbers.")
    if values.dtype == dtype:
        return np.ascontiguousarray(values)
    with np.errstate(over="ignore", invalid="ignore"):
        converted = values.astype(dtype)
        changed = converted != values if datatype in INTEGERS else ~np.isfinite(converted)
    if datatype is not Datatype.BYTES and datatype is not Datatype.BOOL and changed.any():
        value = values.flat[int(changed.argmax())].item()
        raise InvalidInput(f"Input {name!r} holds {shown(value)}, which {datatype} does not hold.")
    return converted
