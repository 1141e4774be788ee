"""Pipelines and column transformers, and the tables that stand for what a transformer makes of a known value."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from onnx import TensorProto
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, TargetEncoder
from sklearn.utils import check_array

from model.engine.lowering.context import (
    Answers,
    Estimator,
    Lowering,
    NotLowerable,
    Raw,
    Rows,
    rule,
)
from model.engine.lowering.graph import Name
from model.engine.lowering.tables import encoders, tabulated


@rule(Pipeline)
def pipeline(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Lower step after step."""
    *transformers, (_, last) = estimator.steps
    for _, transformer in transformers:
        if not _passes(transformer):
            rows = lowering.transform(transformer, rows)
    if _passes(last):
        return {"transform": lowering.numbers(rows)}
    return lowering.lower(last, rows)


@rule(FeatureUnion)
def feature_union(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Lower each transformer, and put their columns side by side."""
    weights = estimator.transformer_weights or {}
    parts = []
    for name, transformer in estimator.transformer_list:
        if transformer == "drop":
            continue
        part = lowering.numbers(rows) if _passes(transformer) else lowering.transform(transformer, rows)
        parts.append(lowering.graph.op("Mul", part, float(weights[name])) if name in weights else part)
    return {"transform": _beside(lowering, parts)}


@rule(ColumnTransformer)
def column_transformer(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Lower each transformer on its own columns."""
    indices = estimator._transformer_to_input_indices  # noqa: SLF001 -- what the public selections come to
    parts = []
    for name, transformer, selected in estimator.transformers_:
        chosen = indices.get(name, ())
        if not len(chosen) or (isinstance(transformer, str) and transformer == "drop"):
            continue
        if isinstance(selected, str | int):
            raise NotLowerable(f"{type(transformer).__name__} takes column {selected!r} as a series")
        parts.append(_on_columns(lowering, transformer, _taken(lowering, rows, list(chosen))))
    return {"transform": _beside(lowering, parts)}


@rule(OneHotEncoder, OrdinalEncoder, TargetEncoder)
def encoder(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Look up what the encoder makes of each value."""
    if isinstance(rows, str):
        msg = f"{type(estimator).__name__} encodes what an earlier step computes"
        raise NotLowerable(msg)
    return {"transform": tabulated(lowering, estimator, rows)}


@rule(FunctionTransformer)
def function(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Lower the functions of NumPy that have an operator, and those that change nothing."""
    tensor, func = lowering.numbers(rows), estimator.func
    if _changes_nothing(func, estimator.kw_args):
        return {"transform": tensor}
    if func not in _FUNCTIONS or estimator.kw_args:
        raise NotLowerable(f"FunctionTransformer calls {getattr(func, '__name__', func)}, which has no graph")
    graph = lowering.graph
    operator, offset = _FUNCTIONS[func]
    made = graph.op(operator, graph.op("Add", tensor, offset) if offset else tensor)
    undefined = graph.op("Or", graph.op("IsNaN", made), graph.op("IsInf", made))
    numbers = graph.cast(graph.op("Not", undefined), TensorProto.INT64)
    # What to do with the logarithm of a negative number, and the like, the next step decides.
    lowering.only_where(graph.op("ReduceMin", numbers, [1], keepdims=1))
    return {"transform": made}


_FUNCTIONS = {
    np.log: ("Log", 0.0),
    np.log1p: ("Log", 1.0),
    np.exp: ("Exp", 0.0),
    np.sqrt: ("Sqrt", 0.0),
    np.abs: ("Abs", 0.0),
}
"""By function: ONNX's operator, and what is added before."""


def _changes_nothing(func: Any, kw_args: dict[str, Any] | None) -> bool:
    """Whether a function leaves numbers as they are; one of these stands before histogram gradient boosting."""
    if isinstance(func, partial):
        return func.func is check_array and not kw_args
    return func is None or (func in (np.asarray, np.array) and _is_float(kw_args or {}))


def _is_float(kw_args: dict[str, Any]) -> bool:
    return not kw_args or (kw_args.keys() == {"dtype"} and np.dtype(kw_args["dtype"]) == np.float64)


def _passes(transformer: Any) -> bool:
    return transformer is None or (isinstance(transformer, str) and transformer == "passthrough")


def _beside(lowering: Lowering, parts: Sequence[Name]) -> Name:
    return parts[0] if len(parts) == 1 else lowering.graph.op("Concat", *parts, axis=1)


def _taken(lowering: Lowering, rows: Rows, indices: list[int]) -> Rows:
    return lowering.graph.columns(rows, indices) if isinstance(rows, str) else rows.take(indices)


def _on_columns(lowering: Lowering, transformer: Any, rows: Rows) -> Name:
    if isinstance(rows, str) or (all(raw.plain for raw in rows.columns) and not encoders(transformer)):
        return lowering.numbers(rows) if _passes(transformer) else lowering.transform(transformer, rows)
    if _passes(transformer) and any(raw.plain for raw in rows.columns):
        return _beside(lowering, [_on_columns(lowering, transformer, Raw((raw,))) for raw in rows.columns])
    return tabulated(lowering, None if _passes(transformer) else transformer, rows)
