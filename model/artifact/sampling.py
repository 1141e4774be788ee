"""Rows of a sample, as a client sends them: a few with their answers to become golden, many to judge an engine by."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from model.artifact.golden import alike, answers_of, decoded
from model.artifact.manifest import Golden
from model.codec.json_tensor import tensor_to_json
from model.datatypes import NUMERIC, NUMPY_DTYPES, Datatype
from model.errors import ArtifactError, InvalidInput
from model.lookup.recall import recalled
from model.signature import Column, Signature
from model.signature.answers import quiet
from model.signature.infer import container
from model.signature.sample import Sample, as_frame
from model.signature.schema import MATRIX_NAME
from model.tensors import Tensor

_ROWS: Final = 8
_MOST_ROWS: Final = 20_000
"""Rows of a sample that an engine is given to be held against scikit-learn on; it chooses among them."""
_MOST_VALUES: Final = 20_000
"""Values of one output beyond which it is left out, lest the manifest outgrow the model."""


@quiet()
def record_golden(estimator: Any, signature: Signature, sample: Sample) -> Golden:
    """
    Choose rows of a sample and record the answers to them, on the way that a request takes.

    An output is left out if it differs from one call to the next, holds infinities, or is empty or very large.

    Raises
    ------
    ArtifactError
        No row can be sent in JSON, or the estimator answers a sent row otherwise than the sample's.
    """
    frame = as_frame(sample)
    rows = _chosen(frame[list(signature.names)] if signature.named else frame)
    inputs = [tensor_to_json(tensor) for tensor in to_tensors(signature, rows)]
    table = decoded(signature, inputs)
    with recalled({}) as said:
        first = answers_of(estimator, signature, table)
        stable = _alike_by_name(first, answers_of(estimator, signature, table))
        direct = _alike_by_name(first, answers_of(estimator, signature, container(rows, signature.layout)))
    for name in stable - direct:
        raise ArtifactError(
            f"The estimator answers rows of the sample otherwise in {name!r} when they come as a V2 request; "
            f"write missing values in one way alone, and values of a column in one type."
        )
    recorded = (_carried(tensor) for tensor in first if tensor.name in stable)
    return Golden(
        inputs=tuple(inputs), outputs=tuple(tensor for tensor in recorded if tensor is not None), lookups=said
    )


def sample_tensors(signature: Signature, sample: Sample) -> list[Tensor]:
    """Return rows of a sample as a client sends them; of very many a part, and none with an infinity."""
    frame = as_frame(sample)
    rows = _sendable(frame[list(signature.names)] if signature.named else frame)
    positions = np.linspace(0, len(rows) - 1, num=min(len(rows), _MOST_ROWS)).astype(int)
    return to_tensors(signature, rows.iloc[positions].reset_index(drop=True))


def to_tensors(signature: Signature, rows: pd.DataFrame) -> list[Tensor]:
    """
    Return rows as a client sends them: one tensor per column, or a single one where columns have no names.

    Parameters
    ----------
    signature : Signature
    rows : DataFrame of shape (n_samples, n_features)
        Columns in the order of the signature.
    """
    columns = [_tensor(column, rows.iloc[:, i]) for i, column in enumerate(signature.inputs)]
    if signature.named:
        return columns
    datatypes = {tensor.datatype for tensor in columns}
    datatype = columns[0].datatype if len(datatypes) == 1 else Datatype.FP64
    return [Tensor(MATRIX_NAME, datatype, np.hstack([tensor.data for tensor in columns]))]


def _sendable(frame: pd.DataFrame) -> pd.DataFrame:
    infinite = frame.select_dtypes("float").isin([np.inf, -np.inf]).any(axis=1)
    sendable = frame[~infinite]
    if not len(sendable):
        msg = "Every row of the sample holds an infinity; expected rows that JSON can carry."
        raise ArtifactError(msg)
    return sendable


def _chosen(frame: pd.DataFrame) -> pd.DataFrame:
    """Return up to eight rows, evenly spread, and one with a missing value if there is one."""
    sendable = _sendable(frame)
    positions = set(np.linspace(0, len(sendable) - 1, num=_ROWS).round().astype(int).tolist())
    incomplete = np.flatnonzero(sendable.isna().any(axis=1))
    if incomplete.size and not positions.intersection(incomplete.tolist()):
        positions.add(int(incomplete[0]))
    return sendable.iloc[sorted(positions)].reset_index(drop=True)


def _tensor(column: Column, values: "pd.Series[Any]") -> Tensor:
    datatype = column.datatype or _datatype(values)
    return Tensor(column.name, datatype, _data(datatype, values).reshape(-1, 1))


def _datatype(values: "pd.Series[Any]") -> Datatype:
    """Return the datatype of a column of which the signature tells none."""
    kinds = {"b": Datatype.BOOL, "i": Datatype.INT64, "f": Datatype.FP64}
    return kinds.get(values.dtype.kind, Datatype.BYTES)


def _data(datatype: Datatype, values: "pd.Series[Any]") -> npt.NDArray[Any]:
    missing = values.isna().to_numpy()
    if datatype in NUMERIC:
        return values.astype("float64" if missing.any() else NUMPY_DTYPES[datatype]).to_numpy()
    if datatype is Datatype.BOOL and not missing.any():
        return values.to_numpy(dtype=bool)
    data = np.empty(len(values), dtype=object)
    data[:] = [None if absent else _sent(value) for value, absent in zip(values, missing, strict=True)]
    return data


def _sent(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return bool(value) if isinstance(value, bool | np.bool_) else str(value)


def _alike_by_name(left: Sequence[Tensor], right: Sequence[Tensor]) -> set[str]:
    return {a.name for a, b in zip(left, right, strict=True) if alike(a, b)}


def _carried(tensor: Tensor) -> dict[str, Any] | None:
    if not 0 < tensor.data.size <= _MOST_VALUES:
        return None
    try:
        return tensor_to_json(tensor)
    except InvalidInput:
        return None
