"""The engine made of a program for some of an estimator's methods, and of scikit-learn for the rest."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Protocol

import numpy as np

from model.engine.sklearn import SklearnEngine
from model.signature import Inputs, Layout, Signature
from model.signature.coding import Coding, Known, Matrix, sum_of_squares
from model.signature.inputs import X

_SMALL: Final = 1e76
"""Sum of squares below which no value comes near what float32 holds."""
FLOAT32_MAX: Final = float(np.finfo(np.float32).max)


class Program(Protocol):
    """
    Answers rows of numbers.

    Attributes
    ----------
    name : str
        Of the engine.
    methods : set of str
        That it answers.
    """

    name: str
    methods: frozenset[str]

    def run(self, matrix: Matrix, methods: Sequence[str]) -> dict[str, Any] | None:
        """Answer as scikit-learn does, or not at all."""


class LoweredEngine:
    """
    Runs a program where it answers as scikit-learn does, and scikit-learn elsewhere.

    Parameters
    ----------
    program : Program
    estimator : fitted estimator
    inputs : Inputs
        What tables come from.
    methods : collection of str
        That the program was held against scikit-learn in.
    from_step : int
        Of a pipeline, the first step that the program stands for; those before run in scikit-learn.
    missing : bool
        Whether the program was tried on NaN that those steps make; else such rows go to scikit-learn, to be refused.
    """

    def __init__(
        self,
        program: Program,
        estimator: Any,
        inputs: Inputs,
        *,
        methods: Collection[str],
        from_step: int = 0,
        missing: bool = False,
    ) -> None:
        self.name = program.name
        self._program = program
        self._sklearn = SklearnEngine(estimator)
        self._inputs = inputs
        self._methods = frozenset(methods)
        self._estimator = estimator
        self._from_step = from_step
        self._missing = missing or not from_step  # NaN that comes in a request, the signature allows or not

    def run(self, table: X, methods: Sequence[str]) -> dict[str, Any]:
        """Answer each method by the program, or by scikit-learn; see ``Engine.run``."""
        quick = [method for method in methods if method in self._methods]
        answers = self._answers(table, quick) if quick else None
        if answers is None:
            return self._sklearn.run(self._inputs.as_fitted(table), methods)
        if len(quick) == len(methods):
            return answers
        others = [method for method in methods if method not in answers]
        return answers | self._sklearn.run(self._inputs.as_fitted(table), others)

    def _answers(self, table: X, methods: Sequence[str]) -> dict[str, Any] | None:
        matrix = dense(transformed(self._estimator, self._from_step, table)) if self._from_step else table
        # What the estimator takes is no matrix of numbers where a value had no code.
        if not isinstance(matrix, np.ndarray) or matrix.dtype != np.float64 or not in_range(matrix):
            return None
        if not self._missing and np.isnan(matrix).any():
            return None
        return self._program.run(matrix, methods)


def numbers_of(signature: Signature, known: Mapping[str, Known]) -> Inputs:
    """Return inputs that make rows of numbers."""
    return Inputs(signature, None if signature.layout is Layout.ARRAY else Coding(signature, known))


def transformed(pipeline: Any, steps: int, table: Any) -> Any:
    """Return what the first steps of a pipeline make of a table."""
    # Not by a slice of it: that counts as fitted only if its last step, which may learn nothing, says so of itself.
    for _, step in pipeline.steps[:steps]:
        if step is not None and not isinstance(step, str):
            table = step.transform(table)
    return table


def dense(table: Any) -> Any:
    """Return what a transformer has made as an array."""
    return np.asarray(table.toarray() if hasattr(table, "toarray") else table)


def in_range(matrix: Matrix) -> bool:
    """Whether float32 holds every number; scikit-learn's trees refuse what it does not."""
    if sum_of_squares(matrix) < _SMALL:
        return True
    present = matrix[~np.isnan(matrix)]
    return not len(present) or bool(np.abs(present).max() <= FLOAT32_MAX)
