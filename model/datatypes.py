"""The datatypes of the Open Inference Protocol and their NumPy counterparts."""

from enum import StrEnum
from typing import Final

import numpy as np


class Datatype(StrEnum):
    """
    A tensor datatype by its protocol name.

    References
    ----------
    Open Inference Protocol v2, "Tensor Data Types".
    """

    BOOL = "BOOL"
    UINT8 = "UINT8"
    UINT16 = "UINT16"
    UINT32 = "UINT32"
    UINT64 = "UINT64"
    INT8 = "INT8"
    INT16 = "INT16"
    INT32 = "INT32"
    INT64 = "INT64"
    FP16 = "FP16"
    FP32 = "FP32"
    FP64 = "FP64"
    BYTES = "BYTES"


# Little-endian by name, for these are also the dtypes of the wire.
NUMPY_DTYPES: Final[dict[Datatype, np.dtype]] = {
    Datatype.BOOL: np.dtype("?"),
    Datatype.UINT8: np.dtype("u1"),
    Datatype.UINT16: np.dtype("<u2"),
    Datatype.UINT32: np.dtype("<u4"),
    Datatype.UINT64: np.dtype("<u8"),
    Datatype.INT8: np.dtype("i1"),
    Datatype.INT16: np.dtype("<i2"),
    Datatype.INT32: np.dtype("<i4"),
    Datatype.INT64: np.dtype("<i8"),
    Datatype.FP16: np.dtype("<f2"),
    Datatype.FP32: np.dtype("<f4"),
    Datatype.FP64: np.dtype("<f8"),
    Datatype.BYTES: np.dtype("O"),
}

FLOATS: Final = frozenset({Datatype.FP16, Datatype.FP32, Datatype.FP64})
INTEGERS: Final = frozenset(d for d in Datatype if "INT" in d)
NUMERIC: Final = FLOATS | INTEGERS
