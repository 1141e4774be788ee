"""Golden rows: a few rows of the sample, and what the estimator answered to them through V2."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from model.artifact.manifest import Golden
from model.codec.json_tensor import tensor_from_json
from model.datatypes import FLOATS, Datatype
from model.engine import Engine
from model.errors import ArtifactError, InvalidInput
from model.lookup.recall import recalled
from model.signature import Inputs, Signature
from model.signature.answers import answer
from model.signature.inputs import X
from model.signature.outputs import encode, methods_of
from model.tensors import InferRequest, Tensor

GOLDEN_RTOL: Final = 1e-6
"""Relative tolerance of values; another CPU's BLAS differs in the last bits. Labels have to be equal."""
_GOLDEN_ATOL: Final = 1e-12
_NETWORK_RTOL: Final = 1e-3
_NETWORK_ATOL: Final = 1e-5


def check_engine(engine: Engine, inputs: Inputs, signature: Signature, golden: Golden) -> None:
    """
    Let an engine answer golden rows.

    Raises
    ------
    ArtifactError
        An answer differs from the recorded one.
    """
    expected = {item["name"]: tensor_from_json(item) for item in golden.outputs}
    outputs = [output for output in signature.outputs if output.name in expected]
    table = inputs.decode(InferRequest("", "", [tensor_from_json(item) for item in golden.inputs]))
    with recalled(golden.lookups):
        answers = engine.run(table, methods_of(outputs))
    _check(expected, encode(outputs, answers))


def check_golden(estimator: Any, signature: Signature, golden: Golden) -> None:
    """
    Let an estimator answer its golden rows.

    Raises
    ------
    ArtifactError
        It fails, or an answer differs from the recorded one.
    """
    expected = {item["name"]: tensor_from_json(item) for item in golden.outputs}
    with recalled(golden.lookups):
        answers = answers_of(estimator, signature, decoded(signature, golden.inputs))
    _check(expected, answers)


def _check(expected: Mapping[str, Tensor], got: Sequence[Tensor]) -> None:
    for tensor in got:
        if tensor.name in expected and not alike(expected[tensor.name], tensor):
            raise ArtifactError(f"{tensor.name!r} of the golden rows differs from what was recorded.")


def alike(expected: Tensor, got: Tensor) -> bool:
    """Whether two outputs are equal; values within ``GOLDEN_RTOL``, those of float32 networks within more."""
    if expected.datatype is not got.datatype or expected.data.shape != got.data.shape:
        return False
    if expected.datatype is Datatype.FP64:
        return np.allclose(got.data, expected.data, rtol=GOLDEN_RTOL, atol=_GOLDEN_ATOL, equal_nan=True)
    if expected.datatype in FLOATS:  # of networks, which add up in another order on another CPU
        return np.allclose(got.data, expected.data, rtol=_NETWORK_RTOL, atol=_NETWORK_ATOL, equal_nan=True)
    return np.array_equal(expected.data, got.data)


def decoded(signature: Signature, inputs: Sequence[Mapping[str, Any]]) -> X:
    """
    Turn rows in JSON into the table that the estimator takes.

    Raises
    ------
    ArtifactError
        They do not fit the signature.
    """
    tensors = [tensor_from_json(dict(item)) for item in inputs]
    try:
        return Inputs(signature).decode(InferRequest("", "", tensors))
    except InvalidInput as error:
        raise ArtifactError(f"A row of the sample can't be sent in a request: {error}") from error


def answers_of(estimator: Any, signature: Signature, table: X) -> list[Tensor]:
    """
    Return what an estimator answers to a table, in tensors.

    Raises
    ------
    ArtifactError
        A method fails.
    """
    answers = {}
    for method in methods_of(signature.outputs):
        try:
            answers[method] = answer(estimator, method, table)
        except Exception as error:
            raise ArtifactError(f"{type(estimator).__name__}.{method} fails on the golden rows: {error}") from error
    return encode(signature.outputs, answers)
