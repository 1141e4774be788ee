"""From an estimator's answers to V2 tensors."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from model.codec.wording import shown
from model.datatypes import NUMPY_DTYPES, Datatype
from model.errors import InvalidInput
from model.signature.schema import Output, Signature
from model.tensors import RequestedOutput, Tensor

METHODS: Final = (
    "predict",
    "transform",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "score_samples",
)
"""Methods that become outputs, the default first."""


class Outputs:
    """
    Chooses and writes the outputs of one signature.

    Parameters
    ----------
    signature : Signature
    default : str or None
        Name of the output, or of the method, given when a request asks for none. None means the first.
    """

    def __init__(self, signature: Signature, default: str | None = None) -> None:
        self._by_name = {output.name: output for output in signature.outputs}
        outputs = tuple(output for output in signature.outputs if default in (output.name, output.method))
        self._default = outputs or signature.outputs[:1]

    def select(self, requested: Sequence[RequestedOutput]) -> tuple[Output, ...]:
        """
        Return the outputs that a request asks for.

        Raises
        ------
        InvalidInput
            The model has no output of that name.
        """
        if not requested:
            return self._default
        unknown = [output.name for output in requested if output.name not in self._by_name]
        if unknown:
            raise InvalidInput(f"Output {shown(unknown[0])} is unknown; expected one of {', '.join(self._by_name)}.")
        return tuple(self._by_name[output.name] for output in requested)


def methods_of(outputs: Sequence[Output]) -> tuple[str, ...]:
    """Return the estimator's methods behind ``outputs``, each once."""
    if len(outputs) == 1:
        return (outputs[0].method,)
    return tuple(dict.fromkeys(output.method for output in outputs))


def encode(outputs: Sequence[Output], answers: Mapping[str, Any]) -> list[Tensor]:
    """
    Turn an estimator's answers into tensors.

    Parameters
    ----------
    outputs : sequence of Output
    answers : mapping of str to array, sparse matrix, DataFrame or list of arrays
        What each method returned.
    """
    return [_tensor(output, answers[output.method]) for output in outputs]


def _tensor(output: Output, answer: Any) -> Tensor:
    values = dense(answer if output.index is None else answer[output.index])
    if values.dtype == NUMPY_DTYPES[output.datatype] and values.dtype.kind in "fiub":
        return Tensor(output.name, output.datatype, np.ascontiguousarray(values))
    if output.datatype is Datatype.BYTES and values.dtype.kind == "O":
        # Labels of several types stay strings in an answer that happens to hold numbers alone.
        return Tensor(output.name, Datatype.BYTES, _strings(values))
    return Tensor(output.name, *typed(values))


def dense(answer: Any) -> npt.NDArray[Any]:
    """Return an answer as an array: sparse matrices filled in, frames without their labels."""
    if hasattr(answer, "toarray"):
        return np.asarray(answer.toarray())
    return np.asarray(answer)


def typed(values: npt.NDArray[Any]) -> tuple[Datatype, npt.NDArray[Any]]:
    """Return the datatype that an answer goes out in, and its values in that."""
    kind = values.dtype.kind
    if kind == "f":
        return Datatype.FP64, np.ascontiguousarray(values, np.float64)
    if kind in "iu":
        return Datatype.INT64, np.ascontiguousarray(values, np.int64)
    if kind == "b":
        return Datatype.BOOL, np.ascontiguousarray(values)
    if kind == "O":
        return _objects(values)
    return Datatype.BYTES, _strings(values)


def _objects(values: npt.NDArray[Any]) -> tuple[Datatype, npt.NDArray[Any]]:
    """Object arrays of numbers come from multi-output classifiers and from labels of mixed origin."""
    if all(type(value) is str for value in values.flat):
        return Datatype.BYTES, values
    narrowed = np.array(values.tolist())
    if narrowed.dtype.kind in "fiub" and narrowed.shape == values.shape:
        return typed(narrowed)
    return Datatype.BYTES, _strings(values)


def _strings(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if values.dtype.kind == "U":
        return values.astype(object)
    return np.array([str(value) for value in values.flat], dtype=object).reshape(values.shape)
