"""The elements of one tensor in JSON: lists to arrays, strictly by datatype."""

import struct
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from model.codec.shapes import check_shape, flatten
from model.codec.wording import shown
from model.datatypes import FLOATS, INTEGERS, NUMPY_DTYPES, Datatype
from model.errors import InvalidInput

Array = npt.NDArray[Any]
Types = set[type]

_NULL: Final = type(None)
_NUMBERS: Final[Types] = {int, float, _NULL}
_STRINGS: Final[Types] = {str, _NULL}
_BOOLEANS: Final[Types] = {bool, _NULL}
_FLOAT_ONLY: Final[Types] = {float}
_WANTED: Final = {
    Datatype.BOOL: "true or false",
    Datatype.BYTES: "strings",
    **dict.fromkeys(FLOATS, "numbers"),
    **dict.fromkeys(INTEGERS, "integers"),
}
# Up to here every integer is a double too; a JSON number beyond it that was read as a double may have been another.
_EXACT_IN_DOUBLE: Final = 2**53
_WORTH_PACKING: Final = 64
# Looking a member up in its enum costs more than comparing with it.
_FP64: Final = Datatype.FP64
_NARROW: Final = FLOATS - {_FP64}
_CODES: Final = {**dict.fromkeys(FLOATS, "d"), Datatype.INT64: "q"}
"""As ``struct`` and NumPy call what numbers are packed in."""


def decode_elements(name: str, datatype: Datatype, shape: Sequence[int], data: list[Any]) -> Array:
    """
    Turn the JSON data of a tensor into an array.

    Parameters
    ----------
    name : str
        Of the tensor, for messages.
    datatype : Datatype
    shape : sequence of int
        As declared by the client; it is checked here.
    data : list
        The elements, flat in row-major order or nested as `shape` says.

    Returns
    -------
    ndarray of `shape`
        As ``Tensor.data`` documents, nulls included.

    Raises
    ------
    InvalidInput
        A bad shape, ragged data, or an element that `datatype` can't hold exactly (integers) or finitely (floats).

    References
    ----------
    Open Inference Protocol v2, "Tensor Data".
    """
    check_shape(name, shape)
    flat = flatten(name, shape, data)
    array = plain_numbers(name, datatype, flat)
    if array is None:
        array = convert(name, datatype, flat, element_types(flat))
    return array.reshape(shape)


def element_types(flat: list[Any]) -> Types:
    """
    Collect the Python types of a list of JSON elements.

    Parameters
    ----------
    flat : list
        Not empty.

    Returns
    -------
    set of type
    """
    types = list(map(type, flat))
    # Counting identical pointers is faster than hashing each.
    return {types[0]} if types.count(types[0]) == len(types) else set(types)


def convert(name: str, datatype: Datatype, flat: list[Any], types: Types) -> Array:
    """
    Turn a flat list of JSON elements into an array of one dimension.

    Parameters
    ----------
    name : str
        Of the tensor, for messages.
    datatype : Datatype
    flat : list
    types : set of type
        ``element_types(flat)``.

    Returns
    -------
    ndarray of shape (len(flat),)

    Raises
    ------
    InvalidInput
        An element that `datatype` can't hold.
    """
    return _CONVERTERS[datatype](name, datatype, flat, types)


def plain_numbers(name: str, datatype: Datatype, flat: list[Any]) -> Array | None:
    """
    Turn many JSON numbers into an array of one dimension, without a look at the type of each.

    Parameters
    ----------
    name : str
        Of the tensor, for messages.
    datatype : Datatype
    flat : list

    Returns
    -------
    ndarray of shape (len(flat),) or None
        As ``convert`` returns it; None where that has to look: not all are plain numbers, or they are few.

    Raises
    ------
    InvalidInput
        A number is out of the range of `datatype`.
    """
    code = _CODES.get(datatype) if len(flat) >= _WORTH_PACKING else None
    if code is None:
        return None
    try:
        wide = _packed(flat, code)
    except struct.error:  # strings, nulls, lists; or integers that are too large, or none
        return None
    if _holds_boolean(flat, wide):
        return None
    return _narrowed(name, datatype, flat, wide) if datatype in _NARROW else wide


def _holds_boolean(flat: list[Any], packed: Array) -> bool:
    # They are packed as 1 and 0: only what became one of these is worth a look, unless that is most of all.
    suspects = (packed == 0) | (packed == 1)
    count = np.count_nonzero(suspects)
    if not count:
        return False
    few = count < len(flat) / 4
    return bool in element_types([flat[i] for i in suspects.nonzero()[0].tolist()] if few else flat)


def _booleans(name: str, datatype: Datatype, flat: list[Any], types: Types) -> Array:
    _allow(name, datatype, flat, types, _BOOLEANS)
    return np.array(flat, dtype=object if _NULL in types else bool)


def _strings(name: str, datatype: Datatype, flat: list[Any], types: Types) -> Array:
    _allow(name, datatype, flat, types, _STRINGS)
    return np.array(flat, dtype=object)


def _floats(name: str, datatype: Datatype, flat: list[Any], types: Types) -> Array:
    if types == _FLOAT_ONLY:
        wide = _packed(flat, "d") if len(flat) >= _WORTH_PACKING else np.array(flat)
    else:
        _allow(name, datatype, flat, types, _NUMBERS)
        wide = _widened(name, datatype, flat)
    return wide if datatype is _FP64 else _narrowed(name, datatype, flat, wide)


def _packed(flat: list[Any], code: str) -> Array:
    # Half the time of np.array(flat), which looks into each element for more of them.
    packed = np.empty(len(flat), code)
    struct.pack_into(f"{len(flat)}{code}", packed.data, 0, *flat)
    return packed


def _widened(name: str, datatype: Datatype, flat: list[Any]) -> Array:
    try:
        return np.array(flat, dtype=np.float64)
    except OverflowError as error:
        raise InvalidInput(_out_of_range(name, datatype, flat, _beyond_double(flat))) from error


def _beyond_double(flat: list[Any]) -> int:
    return next(i for i, v in enumerate(flat) if isinstance(v, int) and v.bit_length() > np.finfo(float).maxexp - 1)


def _narrowed(name: str, datatype: Datatype, flat: list[Any], wide: Array) -> Array:
    with np.errstate(over="ignore"):
        narrow = wide.astype(NUMPY_DTYPES[datatype])
    infinite = np.isinf(narrow)
    if infinite.any():
        raise InvalidInput(_out_of_range(name, datatype, flat, int(infinite.argmax())))
    return narrow


def _integers(name: str, datatype: Datatype, flat: list[Any], types: Types) -> Array:
    _allow(name, datatype, flat, types, _NUMBERS)
    if float in types:
        _refuse_fractions(name, datatype, flat)
        flat = [None if value is None else int(value) for value in flat]
    if _NULL in types:
        return _integers_with_nulls(name, datatype, flat)
    return _in_range(name, datatype, flat)


def _refuse_fractions(name: str, datatype: Datatype, flat: list[Any]) -> None:
    floats = np.array([value for value in flat if type(value) is float])
    wrong = (np.trunc(floats) != floats) | (np.abs(floats) > _EXACT_IN_DOUBLE)
    if wrong.any():
        value = float(floats[wrong.argmax()])
        reason = "not a whole number" if value % 1 else "too large to be exact"
        raise InvalidInput(f"Input {shown(name)} holds {shown(value)}, which is {reason}; {datatype} takes integers.")


def _integers_with_nulls(name: str, datatype: Datatype, flat: list[Any]) -> Array:
    present = [value for value in flat if value is not None]
    _in_range(name, datatype, present)
    # NumPy has no missing integer, so the column becomes float64; a value that would change on the way is refused.
    if any(abs(value) > _EXACT_IN_DOUBLE for value in present):
        raise InvalidInput(
            f"Input {shown(name)} holds null beside an integer over 2**53, which can't both be kept exactly; send no null there."
        )
    return np.array(flat, dtype=np.float64)


def _in_range(name: str, datatype: Datatype, flat: list[int]) -> Array:
    try:
        return np.array(flat, dtype=NUMPY_DTYPES[datatype])
    except OverflowError as error:
        bounds = np.iinfo(NUMPY_DTYPES[datatype])
        position = next(i for i, value in enumerate(flat) if not bounds.min <= value <= bounds.max)
        raise InvalidInput(_out_of_range(name, datatype, flat, position)) from error


def _out_of_range(name: str, datatype: Datatype, flat: list[Any], position: int) -> str:
    info = np.finfo if datatype in FLOATS else np.iinfo
    bounds = info(NUMPY_DTYPES[datatype])
    return f"Input {shown(name)} holds {shown(flat[position])}, which is out of range for {datatype} ({bounds.min} to {bounds.max})."


def _allow(name: str, datatype: Datatype, flat: list[Any], types: Types, allowed: Types) -> None:
    if types <= allowed:
        return
    position = next(i for i, value in enumerate(flat) if type(value) not in allowed)
    raise InvalidInput(
        f"Input {shown(name)} holds {shown(flat[position])} at position {position}; {datatype} takes {_WANTED[datatype]}."
    )


_CONVERTERS: Final[dict[Datatype, Callable[[str, Datatype, list[Any], Types], Array]]] = {
    Datatype.BOOL: _booleans,
    Datatype.BYTES: _strings,
    **dict.fromkeys(FLOATS, _floats),
    **dict.fromkeys(INTEGERS, _integers),
}
