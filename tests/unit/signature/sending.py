"""Rows as clients send them, written without the code under test."""

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from model.datatypes import NUMPY_DTYPES, Datatype
from model.signature.sample import Sample
from model.tensors import InferRequest, Parameters, Tensor

_NUMBERS = {"i": Datatype.INT64, "f": Datatype.FP64}


def request(*tensors: Tensor, **parameters: str) -> InferRequest:
    given: Parameters = dict(parameters)
    return InferRequest("m", "", list(tensors), parameters=given)


def tensor(name: str, datatype: str, values: Any, shape: tuple[int, ...] = (-1,)) -> Tensor:
    """Make a tensor as the codecs do; None and NaN become what ``Tensor.data`` says."""
    kind = Datatype(datatype)
    dtype = NUMPY_DTYPES[kind]
    if isinstance(values, list) and None in values:
        dtype = np.dtype("O" if kind in (Datatype.BOOL, Datatype.BYTES) else "f8")
    return Tensor(name, kind, np.array(values, dtype=dtype).reshape(shape))


def frame_of(sample: Sample, names: Sequence[str] | None = None) -> pd.DataFrame:
    """Return a sample as a frame; columns of unnamed ones are called by their positions."""
    if isinstance(sample, pd.DataFrame):
        return sample if names is None else sample[list(names)]
    if isinstance(sample, list):
        return pd.DataFrame({"text": np.array(sample, dtype=object)})
    values = np.asarray(sample)
    return pd.DataFrame({str(i): values[:, i] for i in range(values.shape[1])}).infer_objects()


def columns_of(frame: pd.DataFrame) -> list[Tensor]:
    """Return each column as a tensor of shape [n]."""
    return [_column(name, frame[name]) for name in frame.columns]


def matrix_of(frame: pd.DataFrame, name: str = "input-0") -> Tensor:
    """Return all columns as a single tensor of shape [n, features]; they are all numbers or all strings."""
    columns = [column.data for column in columns_of(frame)]
    if all(column.dtype == object for column in columns):
        return Tensor(name, Datatype.BYTES, np.column_stack(columns))
    return Tensor(name, Datatype.FP64, np.column_stack(columns).astype(np.float64))


def standing(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return the same columns in the shape [n, 1]."""
    return [Tensor(t.name, t.datatype, t.data.reshape(-1, 1)) for t in tensors]


def shuffled(tensors: Sequence[Tensor]) -> list[Tensor]:
    return random.Random(3).sample(tensors, len(tensors))  # noqa: S311 -- nothing is to be kept secret


def frozen(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return the same tensors as views that can't be written into, as raw ones are."""
    for each in tensors:
        each.data.flags.writeable = False
    return list(tensors)


def _column(name: str, values: "pd.Series[Any]") -> Tensor:
    datatype = _datatype(values)
    plain: npt.NDArray[Any]
    if datatype in (Datatype.BYTES, Datatype.BOOL):
        plain = np.array([None if pd.isna(value) else _sent(value) for value in values], dtype=object)
        return Tensor(name, datatype, plain if None in plain or datatype is Datatype.BYTES else plain.astype(bool))
    whole = datatype is Datatype.INT64 and not values.isna().any()
    return Tensor(name, datatype, values.to_numpy(dtype=np.int64 if whole else np.float64))


def _datatype(values: "pd.Series[Any]") -> Datatype:
    dtype: Any = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        dtype = dtype.categories.dtype
    if dtype.kind == "b" or (dtype == object and isinstance(values.dropna().iloc[0], bool)):
        return Datatype.BOOL
    return _NUMBERS.get(dtype.kind, Datatype.BYTES)


def _sent(value: Any) -> Any:
    return value.isoformat() if isinstance(value, pd.Timestamp) else value
