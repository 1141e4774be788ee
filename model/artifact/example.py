"""The input example of an MLflow model: rows to warm up on, and to see the estimator's answers to."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from model.artifact.digest import opened
from model.artifact.golden import decoded
from model.artifact.manifest import Golden
from model.artifact.sampling import to_tensors
from model.codec.json_tensor import tensor_to_json
from model.signature import Signature
from model.signature.answers import describe
from model.signature.sample import as_frame

_WRAPPERS: Final = ("dataframe_split", "inputs", "instances")
_ROWS: Final = 8


def example_rows(path: Path, signature: Signature, estimator: Any) -> tuple[Signature, Golden | None, tuple[str, ...]]:
    """
    Send an input example to the estimator.

    Returns
    -------
    signature : Signature
        With outputs as the estimator has answered.
    golden : Golden or None
        The example's rows, without expected outputs; None if it is of no use.
    warnings : tuple of str
        One sentence saying why it is of no use.
    """
    try:
        rows = _rows(path, signature)
        inputs = tuple(tensor_to_json(tensor) for tensor in to_tensors(signature, rows))
        outputs = describe(estimator, decoded(signature, inputs))
    except Exception as error:  # noqa: BLE001 -- an example is a convenience, whatever may be wrong with it
        reason = str(error).rstrip(".")
        return signature, None, (f"The input example {path} is of no use for warming up: {reason}.",)
    return signature.model_copy(update={"outputs": outputs}), Golden(inputs=inputs), ()


def _rows(path: Path, signature: Signature) -> pd.DataFrame:
    with opened(path) as file:
        frame = as_frame(_table(json.load(file))).head(_ROWS)
    if signature.named and set(signature.names) <= set(frame.columns):
        frame = frame[list(signature.names)]
    if frame.shape[1] != len(signature.inputs):
        msg = f"it has {frame.shape[1]} columns where the model takes {len(signature.inputs)}"
        raise ValueError(msg)
    return frame


def _table(document: Any) -> pd.DataFrame:
    """Read the forms MLflow has for tables: ``split``, a list of rows, and either in what a request wraps it in."""
    if isinstance(document, Mapping):
        document = next((document[key] for key in _WRAPPERS if key in document), document)
    split = document if isinstance(document, Mapping) else {"data": document}
    rows = split.get("data")
    if not isinstance(rows, list) or not rows:
        msg = "it holds no rows"
        raise ValueError(msg)
    return pd.DataFrame(rows, columns=split.get("columns"))
