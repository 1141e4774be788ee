"""What an engine may stand for: the whole estimator, or the last steps of a pipeline; with rows of numbers for it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from model.engine.known import known_values
from model.engine.lowered import dense, numbers_of, transformed
from model.engine.rows import Field, Rows
from model.signature import Column, Inputs, Layout, Signature
from model.signature.answers import quiet
from model.signature.coding import Known, Matrix
from model.signature.inputs import Table, X
from model.tensors import InferRequest, Tensor

Splits = list[tuple[int | None, npt.NDArray[np.float64]]]
"""Thresholds of trees, by the column that they are compared with; None for a computed one."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """
    An estimator, or the last steps of a pipeline.

    Parameters
    ----------
    estimator : fitted estimator
        These steps.
    signature : Signature
        Theirs.
    inputs : Inputs
        Theirs.
    known : dict of str to Known
    rows : ndarray of shape (n_samples, n_features)
        Rows that they answer, as numbers.
    from_step : int
        The first of the steps; 0 for the whole estimator.
    whole : Inputs
        Of the whole estimator.
    first : X
        A row for the whole estimator.
    """

    estimator: Any
    signature: Signature
    inputs: Inputs
    known: dict[str, Known]
    rows: Matrix
    from_step: int
    whole: Inputs
    first: X

    def groups(self, splits: Splits) -> dict[str, Matrix]:
        """Return rows to hold an engine against scikit-learn on, by where they come from."""
        rows = Rows(self.rows, list(self._fields()))
        groups = {
            "given": rows.given,
            "random": rows.random(),
            "far": rows.far(),
            "extreme": rows.extreme(),
            "missing": rows.missing(),
        }
        groups["split"] = rows.at_splits([(column, each) for column, each in splits if column is not None])
        if any(column is None for column, _ in splits):
            groups["jump"] = rows.at_jumps(self._shown)
        return {name: matrix for name, matrix in groups.items() if len(matrix)}

    def _fields(self) -> Iterator[Field]:
        for i, column in enumerate(self.signature.inputs):
            seen = self.rows[np.isfinite(self.rows[:, i]), i]
            bounds = [bound for bound in (column.minimum, column.maximum) if bound is not None]
            values = np.concatenate([seen, bounds]) if len(seen) or bounds else np.zeros(1)
            codes = len(self.known.get(column.name, ()))
            whole = column.dtype.startswith("int")
            yield Field(float(values.min()), float(values.max()), codes, whole, column.missing)

    def _shown(self, matrix: Matrix) -> npt.NDArray[Any]:
        """Return what jumps where trees split: probabilities, or else what is predicted."""
        methods = [output.method for output in self.signature.outputs]
        method = next(m for m in ("predict_proba", "decision_function", *methods) if m in methods)
        with quiet():
            answer = getattr(self.estimator, method)(self.inputs.as_fitted(matrix))
        parts = answer if isinstance(answer, list) else [answer]
        return np.column_stack([dense(part).reshape(len(matrix), -1) for part in parts])


def candidates(estimator: Any, signature: Signature, rows: Sequence[Tensor]) -> Iterator[Candidate]:
    """
    Yield the whole estimator, then the last steps of a pipeline, fewer and fewer.

    Parameters
    ----------
    estimator : fitted estimator
    signature : Signature
    rows : sequence of Tensor
        Rows that it answers, as a client sends them.
    """
    request = InferRequest("", "", rows)
    if signature.layout is not Layout.TEXT:
        known = known_values(estimator, signature, rows)
        inputs = numbers_of(signature, known)
        matrix = inputs.decode(request)
        if isinstance(matrix, np.ndarray) and matrix.dtype == np.float64:
            yield Candidate(estimator, signature, inputs, known, matrix, 0, inputs, matrix[:1])
    plain = Inputs(signature)
    table: Any = plain.decode(request)
    for step in range(1, len(getattr(estimator, "steps", ()))):
        made = _numbers(estimator, step, table)
        if made is not None:
            part = _signature(made, signature)
            yield Candidate(estimator[step:], part, Inputs(part), {}, made, step, plain, table[:1])


def _numbers(pipeline: Any, steps: int, table: Table) -> Matrix | None:
    """Return what the first steps of a pipeline make of rows, if that is an array of numbers."""
    with quiet():
        made = transformed(pipeline, steps, table)
    if hasattr(made, "toarray"):  # sparse: an array of it may be very large, and scikit-learn is quick with it
        return None
    numbers = dense(made)
    return numbers if numbers.dtype == np.float64 and numbers.ndim == 2 else None  # noqa: PLR2004 -- a table


def _signature(rows: Matrix, whole: Signature) -> Signature:
    missing = bool(np.isnan(rows).any())  # then in any column: what a step computes, no signature describes
    columns = tuple(Column(name=str(i), missing=missing) for i in range(rows.shape[1]))
    return Signature(layout=Layout.ARRAY, named=False, inputs=columns, outputs=whole.outputs)
