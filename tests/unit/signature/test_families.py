"""What a family's estimator answers to its own rows, it answers to the same rows sent as tensors, to the last bit."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from model.datatypes import NUMERIC, Datatype
from model.engine import SklearnEngine
from model.errors import ArtifactError
from model.signature import Inputs, Layout, Output, Signature
from model.signature.guess import guess_signature
from model.signature.infer import infer_signature
from model.signature.outputs import encode, methods_of
from model.tensors import InferRequest, Tensor
from tests.families import FAMILIES, Family, fitted
from tests.unit.signature.sending import columns_of, frame_of, frozen, matrix_of, request, shuffled, standing

# An array is given to an estimator fitted on a frame only where it answers it alike.
pytestmark = [
    pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning"),
    # The logarithm of a probability of 0 is what the estimator answers.
    pytest.mark.filterwarnings("ignore:divide by zero encountered in log:RuntimeWarning"),
]

each_family = pytest.mark.parametrize("family", FAMILIES, ids=[family.id for family in FAMILIES])

UNTOLD = {"isotonic_regression"}
"""Families that do not tell how many columns they were fitted on."""
BY_DTYPE = {"xgboost_classifier", "lightgbm_classifier", "dates"}
"""Families that take a category or date dtype alone, which no fitted attribute tells."""
guessable = [family for family in FAMILIES if family.id not in UNTOLD | BY_DTYPE]
each_guessable = pytest.mark.parametrize("family", guessable, ids=[family.id for family in guessable])


def encodings(signature: Signature, family: Family) -> Iterator[tuple[str, InferRequest]]:
    """Yield the family's rows in every way that a client may send them."""
    if signature.layout is Layout.TEXT:
        (text,) = columns_of(frame_of(family.X))
        yield "[n]", request(text)
        yield "[n, 1]", request(*standing([text]))
        return
    frame = frame_of(family.X, signature.names if signature.named else None)
    if signature.named:
        columns = columns_of(frame)
        yield "per column, [n]", request(*columns)
        yield "per column, [n, 1]", request(*standing(columns))
        yield "per column, shuffled", request(*shuffled(columns))
        yield "per column, read-only", request(*frozen(columns_of(frame)))
        yield "pd", request(*columns, content_type="pd")
    datatypes = {column.datatype for column in signature.inputs}
    if datatypes <= NUMERIC or datatypes == {Datatype.BYTES}:
        matrix = matrix_of(frame)
        yield "matrix", request(matrix)
        yield "matrix, read-only", request(*frozen([matrix_of(frame)]))
        yield "np", request(matrix, content_type="np")


def answers(estimator: Any, signature: Signature, sent: InferRequest) -> dict[str, Tensor]:
    table = Inputs(signature).decode(sent)
    tensors = encode(signature.outputs, SklearnEngine(estimator).run(table, methods_of(signature.outputs)))
    return {tensor.name: tensor for tensor in tensors}


def own_answer(estimator: Any, output: Output, family: Family) -> npt.NDArray[Any]:
    answer = getattr(estimator, output.method)(family.X)
    if output.index is not None:
        answer = answer[output.index]
    return np.asarray(answer.toarray() if hasattr(answer, "toarray") else answer)


def check_equal(got: Tensor, expected: npt.NDArray[Any]) -> None:
    assert got.data.shape == expected.shape
    if expected.dtype.kind in "fiub":
        np.testing.assert_array_equal(got.data, expected)
    else:
        assert got.data.tolist() == expected.astype(str).tolist()


@each_family
def test_rows_in_every_encoding_are_answered_as_by_the_estimator(family: Family) -> None:
    estimator = fitted(family.id)
    signature = infer_signature(estimator, family.X)
    expected = {output.name: own_answer(estimator, output, family) for output in signature.outputs}
    ways = list(encodings(signature, family))
    assert len(ways) >= 2
    for _, sent in ways:
        got = answers(estimator, signature, sent)
        assert got.keys() == expected.keys()
        for name, tensor in got.items():
            check_equal(tensor, expected[name])


@each_guessable
def test_rows_are_answered_alike_without_a_sample(family: Family) -> None:
    estimator = fitted(family.id)
    signature = guess_signature(estimator)
    for _, sent in encodings(signature, family):
        got = answers(estimator, signature, sent)
        for output in signature.outputs:
            check_equal(got[output.name], own_answer(estimator, output, family))


@each_guessable
def test_outputs_are_known_without_a_sample(family: Family) -> None:
    estimator = fitted(family.id)
    assert guess_signature(estimator).outputs == infer_signature(estimator, family.X).outputs


@each_family
def test_outputs_are_of_the_datatype_and_shape_that_the_signature_tells(family: Family) -> None:
    estimator = fitted(family.id)
    signature = infer_signature(estimator, family.X)
    _, sent = next(encodings(signature, family))
    got = answers(estimator, signature, sent)
    for output in signature.outputs:
        assert output.shape[0] == -1
        assert got[output.name].datatype is output.datatype
        assert got[output.name].data.shape == (len(family.X), *output.shape[1:])


@each_family
def test_every_output_that_the_estimator_has_is_in_the_signature(family: Family) -> None:
    estimator = fitted(family.id)
    methods = {output.method for output in infer_signature(estimator, family.X).outputs}
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function", "transform", "score_samples"):
        assert (method in methods) == hasattr(estimator, method)


@each_family
def test_labels_are_those_of_the_answers(family: Family) -> None:
    estimator = fitted(family.id)
    signature = infer_signature(estimator, family.X)
    for output in signature.outputs:
        if output.labels is None:
            continue
        answer = own_answer(estimator, output, family)
        if output.method == "predict":
            assert set(answer.tolist()) <= set(output.labels)
        else:
            assert answer.shape[-1] == len(output.labels)
        if output.method == "predict_proba" and output.index is None:
            likeliest = [output.labels[i] for i in answer.argmax(axis=1)]
            agreeing = np.array(likeliest) == own_answer(estimator, signature.outputs[0], family)
            # Calibrated or voted probabilities may tie.
            assert agreeing.mean() > 0.9


@each_family
def test_a_signature_survives_being_written_to_json(family: Family) -> None:
    signature = infer_signature(fitted(family.id), family.X)
    written = json.loads(signature.model_dump_json())
    assert Signature.model_validate(written) == signature


@pytest.mark.parametrize("family_id", sorted(UNTOLD))
def test_an_estimator_that_tells_no_features_needs_a_sample(family_id: str) -> None:
    with pytest.raises(ArtifactError, match="publish it with a sample of its input"):
        guess_signature(fitted(family_id))
