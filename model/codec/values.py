"""The values of an answer as JSON can hold them."""

from math import isnan
from typing import Any

import numpy as np
import numpy.typing as npt

from model.codec.wording import shown
from model.errors import InvalidInput
from model.tensors import Tensor

Array = npt.NDArray[Any]


def flat_values(tensor: Tensor) -> Array | list[Any]:
    """
    Give a tensor's data as orjson writes them fastest.

    Parameters
    ----------
    tensor : Tensor

    Returns
    -------
    ndarray of one dimension, or list
        In row-major order; an array where NumPy holds the values themselves (orjson writes its NaN as null).

    Raises
    ------
    InvalidInput
        A value is infinite.
    """
    data = tensor.data
    _refuse_infinity(tensor.name, data)
    return data.ravel().tolist() if data.dtype.kind == "O" else data.ravel()


def plain_values(tensor: Tensor) -> list[Any]:
    """
    Give a tensor's data as a list that any JSON writer takes.

    Parameters
    ----------
    tensor : Tensor

    Returns
    -------
    list
        In row-major order; NaN is None.

    Raises
    ------
    InvalidInput
        A value is infinite.
    """
    _refuse_infinity(tensor.name, tensor.data)
    values: list[Any] = tensor.data.ravel().tolist()
    return [None if isnan(value) else value for value in values] if tensor.data.dtype.kind == "f" else values


def nested_values(name: str, data: Array) -> list[Any]:
    """
    Give an array as one entry per row, which is a list where a row has several values.

    Parameters
    ----------
    name : str
        Of the output, for the message.
    data : ndarray of shape (n, …)

    Returns
    -------
    list of length n
        NaN is still NaN, which orjson writes as null.

    Raises
    ------
    InvalidInput
        A value is infinite.
    """
    _refuse_infinity(name, data)
    values: list[Any] = data.tolist()
    return values


def _refuse_infinity(name: str, data: Array) -> None:
    # orjson would write null, which says that the value is missing.
    if data.dtype.kind == "f" and np.isinf(data).any():
        raise InvalidInput(
            f"Output {shown(name)} holds an infinite value, for which JSON has no token; ask for binary output over V2, or use gRPC."
        )
