"""The short way in: a row as a JSON object of its columns, or a list of such rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from model.codec.columns import columns_of_rows
from model.codec.document import Body, parse, refuse_repeated_keys, write
from model.codec.values import nested_values
from model.codec.wording import shown
from model.errors import InvalidInput
from model.tensors import InferRequest, Tensor


def decode_rows(body: Body, *, model_name: str = "", model_version: str = "") -> tuple[InferRequest, bool]:
    """
    Read one row, or a list of rows.

    Parameters
    ----------
    body : bytes-like
        ``{"feature": value, …}`` or a list of such objects.
    model_name, model_version : str
        From the path.

    Returns
    -------
    request : InferRequest
        One tensor of shape (n,) per key, which is a column by its name even if it is the only one; a key with nothing
        but nulls is an FP64 tensor of NaN.
    single : bool
        Whether the body is one object rather than a list.

    Raises
    ------
    InvalidInput
        Not JSON, no rows, a row that is not an object, a key missing or twice, a value that is no scalar.
    """
    document = parse(body)
    single = type(document) is dict
    rows = _checked([document] if single else document)
    inputs = columns_of_rows(rows, "rows")
    refuse_repeated_keys(body, len(rows) * len(inputs))
    return InferRequest(model_name, model_version, inputs, parameters={"content_type": "pd"}), single


def encode_rows(
    prediction: Tensor,
    *,
    model_name: str,
    model_version: str = "",
    probabilities: npt.NDArray[Any] | None = None,
    labels: Sequence[Any] = (),
    single: bool = False,
) -> bytes:
    """
    Write one answer per row.

    Parameters
    ----------
    prediction : Tensor
        Of shape (n,), or (n, k) for a model of several outputs, whose prediction is a list.
    model_name, model_version : str
        An empty version is left out.
    probabilities : ndarray of shape (n, len(labels)) or None
        None leaves them out.
    labels : sequence
        Class labels in the order of the columns of `probabilities`.
    single : bool
        Write the only row's answer rather than a list.

    Returns
    -------
    bytes
        ``{"prediction": …, "probabilities": {label: p, …}, "model": …, "version": …}``, or a list of such objects.

    Raises
    ------
    InvalidInput
        A value is infinite.
    ServingError
        The model answered with text that is not valid Unicode.
    """
    answers: list[dict[str, Any]] = [{"prediction": value} for value in nested_values(prediction.name, prediction.data)]
    if probabilities is not None:
        keys = [_key(label) for label in labels]
        for answer, row in zip(answers, nested_values("predict_proba", probabilities), strict=True):
            answer["probabilities"] = dict(zip(keys, row, strict=True))
    source = {"model": model_name, "version": model_version} if model_version else {"model": model_name}
    for answer in answers:
        answer.update(source)
    return write(answers[0] if single else answers, model_name)


def _checked(rows: Any) -> list[dict[str, Any]]:
    if type(rows) is not list:
        raise InvalidInput(
            f"The body is {shown(rows)}; expected an object of column names and values, or a list of them."
        )
    if not rows:
        raise InvalidInput("The body is an empty list; send at least one row.")
    for index, row in enumerate(rows):
        if type(row) is not dict:
            raise InvalidInput(f"rows[{index}] is {shown(row)}; expected an object of column names and values.")
    return rows


def _key(label: Any) -> str:
    # As JSON spells them, so that a client finds the prediction's own text among the keys.
    return str(label).lower() if isinstance(label, bool | np.bool_) else str(label)
