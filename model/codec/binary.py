"""Tensors as raw little-endian bytes: the REST extension ``binary_tensor_data`` and gRPC's ``raw_input_contents``."""

import struct
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from model.codec.shapes import check_shape
from model.codec.wording import shown
from model.datatypes import NUMPY_DTYPES, Datatype
from model.errors import InvalidInput, ServingError
from model.tensors import Tensor

Buffer = bytes | bytearray | memoryview
Array = npt.NDArray[Any]

_LENGTH: Final = struct.Struct("<I")


def decode_raw(name: str, datatype: Datatype, shape: Sequence[int], buffer: Buffer) -> Array:
    """
    Turn the raw bytes of a tensor into an array.

    Parameters
    ----------
    name : str
        Of the tensor, for messages.
    datatype : Datatype
    shape : sequence of int
        As declared by the client; it is checked here.
    buffer : bytes-like
        Little-endian elements in row-major order; BOOL is one byte, BYTES a 4-byte length and UTF-8.

    Returns
    -------
    ndarray of `shape`
        For all but BYTES a view of `buffer` where its alignment allows, so it may be read-only.

    Raises
    ------
    InvalidInput
        A bad shape, bytes that do not fill it exactly, a BOOL other than 0 and 1, or text that is not UTF-8.

    References
    ----------
    Open Inference Protocol v2, "Binary Tensor Data" extension; "Raw tensor contents" of its gRPC part.
    """
    count = check_shape(name, shape)
    if datatype is Datatype.BYTES:
        return np.array(_strings(name, count, bytes(buffer)), dtype=object).reshape(shape)
    dtype = NUMPY_DTYPES[datatype]
    if len(buffer) != count * dtype.itemsize:
        raise InvalidInput(
            f"Input {shown(name)} comes with {len(buffer)} bytes; {datatype} of shape {list(shape)} needs {count * dtype.itemsize}."
        )
    array = np.frombuffer(buffer, dtype=dtype)
    if datatype is Datatype.BOOL:
        _refuse_non_booleans(name, array)
    # A JSON header of any length may stand before the tensor; compiled code downstream may rely on alignment.
    return (array if array.flags.aligned else array.copy()).reshape(shape)


def encode_raw(tensor: Tensor) -> bytes:
    """
    Turn a tensor into raw little-endian bytes.

    Parameters
    ----------
    tensor : Tensor

    Returns
    -------
    bytes
        As ``decode_raw`` reads them.

    Raises
    ------
    InvalidInput
        A value is missing where raw data have no mark for it, which only floats have (NaN).
    ServingError
        A string of the model's is not valid Unicode.
    """
    data = tensor.data
    if tensor.datatype is Datatype.BYTES:
        return _packed(tensor.name, data.ravel().tolist())
    if data.dtype != NUMPY_DTYPES[tensor.datatype]:
        raise InvalidInput(_missing(tensor.name, tensor.datatype))
    return data.tobytes()


def _refuse_non_booleans(name: str, array: Array) -> None:
    largest = array.view(np.uint8).max()
    if largest > 1:
        raise InvalidInput(f"Input {shown(name)} holds the byte {largest}; BOOL takes 0 and 1.")


def _strings(name: str, count: int, buffer: bytes) -> list[str]:
    # A shape can promise more than any body holds, so it is compared before it is counted through.
    if count * _LENGTH.size > len(buffer):
        raise InvalidInput(_short(name, count, len(buffer)))
    try:
        strings, end = _unpacked(count, buffer)
    except struct.error as error:
        raise InvalidInput(_short(name, count, len(buffer))) from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"Input {shown(name)} holds bytes that are not UTF-8; BYTES takes text in UTF-8.") from error
    if end > len(buffer):
        raise InvalidInput(_short(name, count, len(buffer)))
    if end < len(buffer):
        raise InvalidInput(
            f"Input {shown(name)} comes with {len(buffer)} bytes, but its {count} strings end after {end}."
        )
    return strings


def _unpacked(count: int, buffer: bytes) -> tuple[list[str], int]:
    strings = []
    end = 0
    for _ in range(count):
        start = end + _LENGTH.size
        end = start + _LENGTH.unpack_from(buffer, end)[0]
        strings.append(buffer[start:end].decode())
    return strings, end


def _short(name: str, count: int, size: int) -> str:
    return f"Input {shown(name)} comes with {size} bytes, too few for {count} strings of the lengths given in them."


def _packed(name: str, strings: list[Any]) -> bytes:
    if None in strings:
        raise InvalidInput(_missing(name, Datatype.BYTES))
    try:
        encoded = [text.encode() for text in strings]
    except UnicodeEncodeError as error:
        raise ServingError(f"Output {shown(name)} holds text that is not valid Unicode.") from error
    return b"".join(part for text in encoded for part in (_LENGTH.pack(len(text)), text))


def _missing(name: str, datatype: Datatype) -> str:
    return f"Output {shown(name)} holds a missing value, for which raw {datatype} has no mark; ask for JSON output."
