"""The typed values of a tensor that does not travel raw: ``InferTensorContents`` and arrays."""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from model.codec.binary import encode_raw
from model.codec.shapes import check_shape
from model.codec.wording import shown
from model.datatypes import NUMPY_DTYPES, Datatype
from model.errors import InvalidInput, ServingError
from model.grpc.open_inference_pb2 import InferTensorContents
from model.tensors import Tensor

Array = npt.NDArray[Any]

# FP16 has no field: the protocol sends it raw only.
_FIELDS: Final = {
    Datatype.BOOL: "bool_contents",
    Datatype.INT8: "int_contents",
    Datatype.INT16: "int_contents",
    Datatype.INT32: "int_contents",
    Datatype.INT64: "int64_contents",
    Datatype.UINT8: "uint_contents",
    Datatype.UINT16: "uint_contents",
    Datatype.UINT32: "uint_contents",
    Datatype.UINT64: "uint64_contents",
    Datatype.FP32: "fp32_contents",
    Datatype.FP64: "fp64_contents",
    Datatype.BYTES: "bytes_contents",
}
# What the field holds where the datatype is narrower; the others can't leave their datatype's range.
_WIDE: Final = {
    Datatype.INT8: np.dtype("i4"),
    Datatype.INT16: np.dtype("i4"),
    Datatype.UINT8: np.dtype("u4"),
    Datatype.UINT16: np.dtype("u4"),
}
# Protobuf packs these as arrays do, each value in as many bytes, so whole buffers are moved: 30 times as fast for
# 1,000 rows as value by value. The number of the field, shifted over the mark of a length-delimited one, leads.
_PACKED: Final = {
    Datatype.BOOL: bytes([InferTensorContents.BOOL_CONTENTS_FIELD_NUMBER << 3 | 2]),
    Datatype.FP32: bytes([InferTensorContents.FP32_CONTENTS_FIELD_NUMBER << 3 | 2]),
    Datatype.FP64: bytes([InferTensorContents.FP64_CONTENTS_FIELD_NUMBER << 3 | 2]),
}


def decode_contents(name: str, datatype: Datatype, shape: tuple[int, ...], contents: InferTensorContents) -> Array:
    """
    Read the values of an input from the field that belongs to its datatype.

    Parameters
    ----------
    name : str
        Of the input, for messages.
    datatype : Datatype
    shape : tuple of int
        As declared by the client; it is checked here.
    contents : InferTensorContents

    Returns
    -------
    data : ndarray of `shape`
        As ``model.tensors.Tensor`` holds it. NaN is a missing value.

    Raises
    ------
    InvalidInput
        A bad shape; values in another field, too many or too few, out of the datatype's range, or not UTF-8.

    References
    ----------
    Open Inference Protocol v2, "Tensor Contents" of its gRPC part.
    """
    count = check_shape(name, shape)
    values = getattr(contents, _field(name, datatype, contents))
    if len(values) != count:
        raise InvalidInput(
            f"Input {shown(name)} holds {len(values)} values where its shape {list(shape)} needs {count}."
        )
    if datatype is Datatype.BYTES:
        return _decode_strings(name, values).reshape(shape)
    if datatype in _PACKED:
        return _decode_packed(datatype, count, contents).reshape(shape)
    return _decode_integers(name, datatype, values, count).reshape(shape)


def encode_contents(tensor: Tensor) -> InferTensorContents:
    """
    Write the values of an output into the field that belongs to its datatype.

    Parameters
    ----------
    tensor : Tensor
        Of any datatype but FP16, which has no field.

    Returns
    -------
    InferTensorContents

    Raises
    ------
    InvalidInput
        A value is missing where contents have no mark for it, which only floats have (NaN).
    ServingError
        A string of the model's is not valid Unicode.
    """
    datatype = tensor.datatype
    if datatype is Datatype.BYTES:
        return InferTensorContents(bytes_contents=_encode_strings(tensor))
    raw = encode_raw(tensor)
    if datatype in _PACKED:
        return InferTensorContents.FromString(_PACKED[datatype] + _varint(len(raw)) + raw)
    contents = InferTensorContents()
    getattr(contents, _FIELDS[datatype]).extend(np.frombuffer(raw, NUMPY_DTYPES[datatype]).tolist())
    return contents


def has_field(datatype: Datatype) -> bool:
    """Tell whether values of this datatype can travel otherwise than raw."""
    return datatype in _FIELDS


def _field(name: str, datatype: Datatype, contents: InferTensorContents) -> str:
    expected = _FIELDS.get(datatype)
    if expected is None:
        raise InvalidInput(
            f"Input {shown(name)} is {datatype}, for which contents have no field; send it in raw_input_contents."
        )
    used = [field.name for field, _ in contents.ListFields()]
    if used != [expected]:
        found = f"comes with {' and '.join(used)}" if used else "comes without values"
        raise InvalidInput(f"Input {shown(name)} {found}; {datatype} takes {expected}.")
    return expected


def _decode_packed(datatype: Datatype, count: int, contents: InferTensorContents) -> Array:
    dtype = NUMPY_DTYPES[datatype]
    contents.DiscardUnknownFields()  # they would follow the values
    packed = contents.SerializeToString()
    data = np.frombuffer(packed, dtype, count, len(packed) - count * dtype.itemsize)
    # Compiled code downstream may rely on alignment.
    return data if data.flags.aligned else data.copy()


def _decode_integers(name: str, datatype: Datatype, values: Iterable[int], count: int) -> Array:
    dtype = NUMPY_DTYPES[datatype]
    data = np.fromiter(values, _WIDE.get(datatype, dtype), count)
    if datatype in _WIDE:
        limits = np.iinfo(dtype)
        if data.min() < limits.min or data.max() > limits.max:
            raise InvalidInput(
                f"Input {shown(name)} holds a value out of range for {datatype} ({limits.min} to {limits.max})."
            )
    return data.astype(dtype, copy=False)


def _decode_strings(name: str, values: Iterable[bytes]) -> Array:
    try:
        return np.array([value.decode() for value in values], dtype=object)
    except UnicodeDecodeError as error:
        raise InvalidInput(f"Input {shown(name)} holds bytes that are not UTF-8; BYTES takes text in UTF-8.") from error


def _encode_strings(tensor: Tensor) -> list[bytes]:
    values = tensor.data.ravel().tolist()
    if None in values:
        raise InvalidInput(f"Output {shown(tensor.name)} holds a missing value, for which bytes_contents have no mark.")
    try:
        return [value.encode() for value in values]
    except UnicodeEncodeError as error:
        raise ServingError(f"Output {shown(tensor.name)} holds text that is not valid Unicode.") from error


def _varint(number: int) -> bytes:
    """Write a length as protobuf does: seven bits a byte, the lowest first, a high bit where more follow."""
    encoded = bytearray()
    while number > 0x7F:  # noqa: PLR2004 (the seven bits)
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
