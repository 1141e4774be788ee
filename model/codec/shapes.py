"""The declared shape of a tensor, checked before anything is built from it."""

from collections.abc import Sequence
from itertools import chain
from math import prod
from typing import Any, Final

from model.codec.wording import shown
from model.errors import InvalidInput

MAX_DIMENSIONS: Final = 32


def check_shape(name: str, shape: Any) -> int:
    """
    Check a declared shape and count its elements.

    Parameters
    ----------
    name : str
        Of the tensor, for the message.
    shape : object
        What the client declared; good is a list or tuple of 1 to 32 positive integers.

    Returns
    -------
    int
        The number of elements, which may be far more than were sent.

    Raises
    ------
    InvalidInput
        Not a list, no or too many dimensions, or a dimension that is not a positive integer.
    """
    if not isinstance(shape, list | tuple):
        got = "no shape" if shape is None else f"{shown(shape)} as its shape"
        raise InvalidInput(f"Input {shown(name)} has {got}; expected a list of positive integers.")
    if not 0 < len(shape) <= MAX_DIMENSIONS:
        raise InvalidInput(
            f"Input {shown(name)} has {len(shape)} dimensions in its shape; expected 1 to {MAX_DIMENSIONS}."
        )
    for size in shape:
        if type(size) is not int or size < 1:
            raise InvalidInput(_wrong_dimension(name, size))
    return prod(shape)


def flatten(name: str, shape: Sequence[int], data: list[Any]) -> list[Any]:
    """
    Lay out JSON data row by row.

    Parameters
    ----------
    name : str
        Of the tensor, for the message.
    shape : sequence of int
        As ``check_shape`` accepted it.
    data : list
        Flat already, or nested exactly as `shape` says.

    Returns
    -------
    list
        As many elements as `shape` has. An element may be of any type, a list included.

    Raises
    ------
    InvalidInput
        The data are ragged, or more or fewer than `shape` says.
    """
    if not data or type(data[0]) is not list:
        return _counted(name, shape, data, prod(shape))
    level = _counted(name, shape, data, shape[0])
    for size in shape[1:]:
        if set(map(type, level)) != {list} or set(map(len, level)) != {size}:
            raise InvalidInput(
                f"Input {shown(name)} has data nested otherwise than its shape {list(shape)} says; send as many lists, each as long, or send the data flat."
            )
        level = list(chain.from_iterable(level))
    return level


def _counted(name: str, shape: Sequence[int], level: list[Any], expected: int) -> list[Any]:
    if len(level) != expected:
        raise InvalidInput(
            f"Input {shown(name)} holds {len(level)} values where its shape {list(shape)} needs {expected}."
        )
    return level


def _wrong_dimension(name: str, size: Any) -> str:
    if size == 0 and type(size) is int:
        return f"Input {shown(name)} has a dimension of 0 in its shape; send at least one row and one value in each."
    return f"Input {shown(name)} has {shown(size)} as a dimension of its shape; expected positive integers."
