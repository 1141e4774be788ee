"""The profile of a sample, as it comes in requests, and of what the estimator answers to it."""

from collections.abc import Sequence
from typing import Any

from model.datatypes import NUMERIC, Datatype
from model.drift import Bins, Profile
from model.drift.counting import MIN_SAMPLE, Values, categories, columns, ranges
from model.drift.profile import MOST_FEATURES, Feature
from model.errors import InvalidInput
from model.signature import Column, Inputs, Signature
from model.signature.answers import answer, quiet
from model.signature.outputs import encode
from model.signature.schema import Output
from model.tensors import InferRequest, Tensor


@quiet()
def record_profile(estimator: Any, signature: Signature, sample: Sequence[Tensor]) -> Profile | None:
    """
    Return the profile of a sample; None where it has too few rows, or nothing in it can be watched.

    Parameters
    ----------
    estimator : fitted estimator
    signature : Signature
    sample : sequence of Tensor
        Rows as a client sends them; see ``sample_tensors``.
    """
    if len(sample[0].data) < MIN_SAMPLE:
        return None
    sent = columns(sample, len(signature.inputs))
    features = tuple(
        Feature(name=column.name, position=position, bins=bins)
        for position, column in enumerate(signature.inputs[:MOST_FEATURES])
        if (bins := _bins(column, sent[position] if isinstance(sent, list) else sent[column.name])) is not None
    )
    predictions = _predictions(estimator, signature, sample)
    if not features and predictions is None:
        return None
    return Profile(width=len(signature.inputs), features=features, predictions=predictions)


def _bins(column: Column, values: Values) -> Bins | None:
    if column.datatype in NUMERIC:
        return ranges(values)
    # Text and dates hardly ever come twice; where there are many values, the manifest is not to hold any of them.
    return categories(values) if column.datatype is Datatype.BOOL or column.categories is not None else None


def _predictions(estimator: Any, signature: Signature, sample: Sequence[Tensor]) -> Bins | None:
    output = signature.output("predict")
    if output is None or output.shape != (-1,):
        return None
    try:
        table = Inputs(signature).decode(InferRequest("", "", list(sample)))
    except InvalidInput:  # Of a row that no client can send, so that there are other answers than will be given.
        return None
    return _binned(output, encode([output], {"predict": answer(estimator, "predict", table)})[0])


def _binned(output: Output, answers: Tensor) -> Bins | None:
    numbers = output.labels is None and answers.datatype in NUMERIC
    return ranges(answers.data) if numbers else categories(answers.data)
