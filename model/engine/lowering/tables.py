"""Tables that stand for what a transformer makes of a known value: exact by their making, whatever the transformer."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from onnx import TensorProto
from sklearn.pipeline import Pipeline

from model.engine.lowering.context import Lowering, NotLowerable, Raw, RawColumn
from model.engine.lowering.graph import INPUT, Name
from model.signature.answers import quiet

_MOST_NUMBERS = 256
"""Distinct numbers of a column beyond which comparing with each is no gain."""

Transformed = npt.NDArray[np.float64]


def _steps(transformer: Any) -> list[Any]:
    return [step for _, step in transformer.steps] if isinstance(transformer, Pipeline) else [transformer]


def encoders(transformer: Any) -> list[Any]:
    """Return the steps of a transformer that remember categories."""
    return [step for step in _steps(transformer) if hasattr(step, "categories_")]


class _Row(NamedTuple):
    """One value tried: in which column, and its number in the graph's input."""

    column: int
    number: float


def tabulated(lowering: Lowering, transformer: Any, raw: Raw) -> Name:
    """
    Look up what a transformer makes of each known value of its columns.

    Parameters
    ----------
    lowering : Lowering
    transformer : fitted transformer or None
        None stands for one that changes nothing.
    raw : Raw

    Raises
    ------
    NotLowerable
        What it makes of a column depends on another, or is no number.
    """
    tried = [_Row(i, number) for i, each in enumerate(raw.columns) for number in _numbers(transformer, raw, i, each)]
    made, answered = _transformed(lowering, transformer, raw, tried)
    table = np.zeros_like(made)
    owners = np.array([row.column for row in tried])
    for output, owner in enumerate(_owners(made, answered, owners)):
        table[owners == owner, output] = made[owners == owner, output]
    graph = lowering.graph
    codes = _codes(lowering, raw, tried)
    if not answered.all():
        known = graph.op("Gather", answered, codes)
        lowering.only_where(graph.op("ReduceMin", graph.cast(known, TensorProto.INT64), [1], keepdims=1))
    rows = graph.op("Gather", table, codes, axis=0)
    if len(raw.columns) == 1:
        return graph.op("Squeeze", rows, [1])
    return graph.op("ReduceSum", rows, [1], keepdims=0)


def _numbers(transformer: Any, raw: Raw, index: int, each: RawColumn) -> Sequence[float]:
    """Return the numbers that stand for the known values of a column."""
    if each.known is not None:
        if not each.known:
            raise NotLowerable(f"column {each.column.name!r} holds dates or texts")
        return [float(code) for code in range(len(each.known))]
    fitted = [encoder.categories_ for encoder in encoders(transformer)]
    if len(fitted) != 1 or len(fitted[0]) != len(raw.columns):
        raise NotLowerable(
            f"{type(transformer).__name__} takes {each.column.name!r} among columns that hold no numbers"
        )
    values = np.asarray(fitted[0][index], dtype=np.float64)
    if len(values) > _MOST_NUMBERS:
        raise NotLowerable(f"column {each.column.name!r} has {len(values)} categories that are numbers")
    return [*values[~np.isnan(values)].tolist(), *([np.nan] if each.column.missing else [])]


def _transformed(
    lowering: Lowering, transformer: Any, raw: Raw, tried: Sequence[_Row]
) -> tuple[Transformed, npt.NDArray[np.bool_]]:
    """Return what the transformer makes of each value tried, and which it does not refuse."""
    matrix = np.repeat(lowering.example, len(tried), axis=0)
    for i, row in enumerate(tried):
        matrix[i, raw.positions[row.column]] = row.number
    try:
        return _applied(lowering, transformer, raw, matrix), np.ones(len(tried), dtype=bool)
    except ValueError:
        return _applied_one_by_one(lowering, transformer, raw, matrix)


def _applied_one_by_one(
    lowering: Lowering, transformer: Any, raw: Raw, matrix: Transformed
) -> tuple[Transformed, npt.NDArray[np.bool_]]:
    made: list[Transformed | None] = []
    for row in matrix:
        try:
            made.append(_applied(lowering, transformer, raw, row.reshape(1, -1)))
        except ValueError:
            made.append(None)
    width = next((row.shape[1] for row in made if row is not None), 0)
    if not width:
        raise NotLowerable(f"{type(transformer).__name__} refuses every value tried")
    filled = [np.zeros((1, width)) if row is None else row for row in made]
    return np.vstack(filled), np.array([row is not None for row in made])


def _applied(lowering: Lowering, transformer: Any, raw: Raw, matrix: Transformed) -> Transformed:
    table: Any = lowering.inputs.as_fitted(matrix)
    chosen = table.iloc[:, raw.positions] if hasattr(table, "iloc") else table[:, raw.positions]
    with quiet():
        made = chosen if transformer is None else transformer.transform(chosen)
    try:
        return np.asarray(made.toarray() if hasattr(made, "toarray") else made, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise NotLowerable(f"{type(transformer).__name__} makes what is no number") from error


def _owners(made: Transformed, answered: npt.NDArray[np.bool_], owners: npt.NDArray[np.int64]) -> list[int]:
    """Return the column that each output depends on."""
    varying = np.zeros((owners.max() + 1, made.shape[1]), dtype=bool)
    for column in range(len(varying)):
        rows = made[(owners == column) & answered]
        if len(rows):
            varying[column] = ~((rows == rows[0]) | (np.isnan(rows) & np.isnan(rows[0]))).all(axis=0)
    if (varying.sum(axis=0) > 1).any():
        msg = "a transformer makes one number of several columns that hold none"
        raise NotLowerable(msg)
    return [int(column) for column in varying.argmax(axis=0)]


def _codes(lowering: Lowering, raw: Raw, tried: Sequence[_Row]) -> Name:
    """Return the rows of the table that belong to the values of each column, a tensor of shape (n_samples, columns)."""
    graph = lowering.graph
    starts = [next(i for i, row in enumerate(tried) if row.column == column) for column in range(len(raw.columns))]
    if all(each.known is not None for each in raw.columns):
        codes = graph.cast(graph.columns(INPUT, raw.positions), TensorProto.INT64)
    else:
        parts = [
            _code(lowering, each, [r.number for r in tried if r.column == i]) for i, each in enumerate(raw.columns)
        ]
        codes = graph.op("Concat", *parts, axis=1)
    return graph.op("Add", codes, np.array(starts, dtype=np.int64)) if any(starts) else codes


def _code(lowering: Lowering, each: RawColumn, numbers: Sequence[float]) -> Name:
    graph = lowering.graph
    column = graph.columns(INPUT, [each.position])
    if each.known is not None:
        return graph.cast(column, TensorProto.INT64)
    present = [number for number in numbers if not np.isnan(number)]
    equal = graph.op("Equal", column, np.array(present))
    if len(present) < len(numbers):
        equal = graph.op("Concat", equal, graph.op("IsNaN", column), axis=1)
    found = graph.cast(equal, TensorProto.INT64)
    lowering.only_where(graph.op("ReduceMax", found, [1], keepdims=1))
    return graph.op("ArgMax", found, axis=1, keepdims=1)
