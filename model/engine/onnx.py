"""An ONNX graph that answers as an estimator does, run by onnxruntime."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from model.sessions import run_options, session
from model.signature.coding import Matrix

INSIDE: Final = "inside"
"""Output that is 1 if the graph answers all rows as scikit-learn does; a graph without it always does."""
_INPUT: Final = "X"
_MOST_ROWS: Final = 4096
"""Rows run at once: between its operators a graph keeps what it has computed for all of them."""


class OnnxProgram:
    """
    A graph made by ``model.engine.lowering``.

    Parameters
    ----------
    content : bytes
    classes : sequence or None
        The estimator's ``classes_``, which the graph tells the positions in.
    threads : int
    """

    name = "onnx"

    def __init__(self, content: bytes, classes: Any, threads: int = 1) -> None:
        self._session = session(content, threads)
        self._options = run_options()
        self._classes = classes
        self._outputs: dict[str, list[str]] = {}
        names = [output.name for output in self._session.get_outputs()]
        for name in names:
            if name != INSIDE:
                self._outputs.setdefault(name.partition(":")[0], []).append(name)
        self._inside = [INSIDE] if INSIDE in names else []
        self.methods = frozenset(self._outputs) | derived(self._outputs)

    def run(self, matrix: Matrix, methods: Sequence[str]) -> dict[str, Any] | None:
        """
        Answer rows of numbers.

        Returns
        -------
        answers : dict of str to ndarray or list of ndarray, or None
            By method, as scikit-learn answers; None if there is a row that the graph does not answer as it does.
        """
        if len(matrix) > _MOST_ROWS:
            return self._run_in_parts(matrix, methods)
        wanted = [name for method in methods for name in self._outputs[_source(method, self._outputs)]]
        values = self._session.run(wanted + self._inside, {_INPUT: matrix}, self._options)
        if self._inside and not values[-1]:
            return None
        tensors = dict(zip(wanted, values, strict=False))
        return {method: self._answer(method, tensors) for method in methods}

    def _run_in_parts(self, matrix: Matrix, methods: Sequence[str]) -> dict[str, Any] | None:
        parts = []
        for start in range(0, len(matrix), _MOST_ROWS):
            part = self.run(matrix[start : start + _MOST_ROWS], methods)
            if part is None:
                return None
            parts.append(part)
        return {method: _joined([part[method] for part in parts]) for method in methods}

    def _answer(self, method: str, tensors: Mapping[str, npt.NDArray[Any]]) -> Any:
        source = _source(method, self._outputs)
        if source != method:
            return logarithm(self._answer(source, tensors))
        names = self._outputs[method]
        first, _, form = names[0].partition(":")
        if form == "index":
            return self._classes.take(tensors[names[0]], axis=0)
        if form == "indices":
            return labels_of_targets(self._classes, tensors[names[0]])
        return tensors[first] if not form else [tensors[f"{method}:{i}"] for i in range(len(names))]


def derived(methods: Mapping[str, Any]) -> frozenset[str]:
    """Return the methods that others give: the logarithm of probabilities is computed as scikit-learn computes it."""
    return frozenset({"predict_log_proba"} if "predict_proba" in methods else ())


def logarithm(probabilities: Any) -> Any:
    """Return the logarithm of probabilities, which are a list where there are several targets."""
    if isinstance(probabilities, list):
        return [logarithm(each) for each in probabilities]
    with np.errstate(divide="ignore"):
        return np.log(probabilities)


def labels_of_targets(classes: Sequence[npt.NDArray[Any]], indices: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """Return the labels of several targets, whose classes differ."""
    return np.column_stack([labels.take(indices[:, i]) for i, labels in enumerate(classes)])


def _source(method: str, outputs: Mapping[str, Any]) -> str:
    return "predict_proba" if method == "predict_log_proba" and method not in outputs else method


def _joined(parts: Sequence[Any]) -> Any:
    if isinstance(parts[0], list):
        return [np.concatenate(each) for each in zip(*parts, strict=True)]
    return np.concatenate(parts)
