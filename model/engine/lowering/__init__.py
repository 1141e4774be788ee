"""From a fitted estimator to an ONNX graph in float64. Publishing needs this, serving does not."""

from importlib import import_module
from typing import Any, Final

from model.engine.lowering.context import Lowering, NotLowerable
from model.signature import Inputs, Signature
from model.signature.coding import Known, Matrix

_RULES_IN: Final = (
    "bayes",
    "clusters",
    "columns",
    "ensembles",
    "foreign",
    "forests",
    "histogram",
    "kernels",
    "lightgbm",
    "linear",
    "network",
    "neural",
    "transformers",
    "xgboost",
)
"""Modules beside this one that register rules when they are imported."""
for _module in _RULES_IN:
    import_module(f"{__name__}.{_module}")


def lower(
    estimator: Any, signature: Signature, inputs: Inputs, known: dict[str, Known], example: Matrix
) -> tuple[bytes, list[tuple[int | None, Any]]]:
    """
    Write an estimator as an ONNX graph.

    Parameters
    ----------
    estimator : fitted estimator
    signature : Signature
    inputs : Inputs
        Turns a matrix of numbers into the table that the estimator was fitted on.
    known : dict of str to Known
        Values of each column that is not one of numbers.
    example : ndarray of shape (1, n_features)
        A row that the estimator answers, as numbers.

    Returns
    -------
    content : bytes
        Of an ``.onnx`` file.
    splits : list of (int or None, ndarray)
        Where trees split which column of the input, None for a computed one.

    Raises
    ------
    NotLowerable
        There is no graph that answers as the estimator.
    """
    lowering = Lowering(signature, inputs, known, example)
    answers = lowering.lower(estimator, lowering.rows())
    return lowering.model(answers), [(split.position, split.thresholds) for split in lowering.splits]


__all__ = ["NotLowerable", "lower"]
