"""Transformers that compute numbers from numbers, operation by operation as scikit-learn does."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA, IncrementalPCA, TruncatedSVD
from sklearn.feature_selection import (
    RFE,
    RFECV,
    GenericUnivariateSelect,
    SelectFdr,
    SelectFpr,
    SelectFromModel,
    SelectFwe,
    SelectKBest,
    SelectPercentile,
    SequentialFeatureSelector,
    VarianceThreshold,
)
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import (
    Binarizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)

from model.engine.lowering.context import Answers, Estimator, Lowering, NotLowerable, Rows, rule
from model.engine.lowering.graph import Graph, Name

_EPS = 10 * np.finfo(np.float64).eps


@rule(StandardScaler)
def standard_scaler(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Subtract the mean, divide by the deviation."""
    mean = estimator.mean_ if estimator.with_mean else None
    return {"transform": _scaled(lowering.graph, lowering.numbers(rows), mean, estimator.scale_)}


@rule(RobustScaler)
def robust_scaler(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Subtract the median, divide by the range of quantiles."""
    center = estimator.center_ if estimator.with_centering else None
    scale = estimator.scale_ if estimator.with_scaling else None
    return {"transform": _scaled(lowering.graph, lowering.numbers(rows), center, scale)}


@rule(MinMaxScaler)
def min_max_scaler(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Multiply, then add."""
    graph = lowering.graph
    scaled = graph.op("Add", graph.op("Mul", lowering.numbers(rows), estimator.scale_), estimator.min_)
    if estimator.clip:
        low, high = estimator.feature_range
        scaled = _clipped(graph, scaled, float(low), float(high))
    return {"transform": scaled}


@rule(MaxAbsScaler)
def max_abs_scaler(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Divide by the largest value."""
    graph = lowering.graph
    scaled = graph.op("Div", lowering.numbers(rows), estimator.scale_)
    return {"transform": _clipped(graph, scaled, -1.0, 1.0) if getattr(estimator, "clip", False) else scaled}


@rule(Binarizer)
def binarizer(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Compare with the threshold."""
    graph = lowering.graph
    above = graph.op("Greater", lowering.numbers(rows), float(estimator.threshold))
    return {"transform": graph.op("Where", above, 1.0, 0.0)}


@rule(Normalizer)
def normalizer(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Divide each row by its norm, unless that is zero."""
    graph, tensor = lowering.graph, lowering.numbers(rows)
    norm = graph.op(
        {"l1": "ReduceL1", "l2": "ReduceL2"}.get(estimator.norm, "ReduceMax"), *_of_rows(estimator, lowering, tensor)
    )
    return {"transform": graph.op("Div", tensor, graph.op("Where", graph.op("Less", norm, _EPS), 1.0, norm))}


@rule(SimpleImputer)
def simple_imputer(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Put the fitted value where one is missing."""
    graph, tensor = lowering.graph, lowering.numbers(rows)
    missing = _missing(graph, tensor, estimator.missing_values)
    statistics = np.asarray(estimator.statistics_, dtype=np.float64)
    kept = np.arange(len(statistics)) if estimator.keep_empty_features else np.flatnonzero(~np.isnan(statistics))
    filled = graph.op("Where", missing, np.nan_to_num(statistics), tensor)
    if len(kept) < len(statistics):
        filled = graph.columns(filled, kept)
    if estimator.indicator_ is None:
        return {"transform": filled}
    marks = graph.op("Where", graph.columns(missing, estimator.indicator_.features_), 1.0, 0.0)
    return {"transform": graph.op("Concat", filled, marks, axis=1)}


@rule(PolynomialFeatures)
def polynomial_features(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Multiply columns."""
    graph, tensor = lowering.graph, lowering.numbers(rows)
    parts = [_power(graph, tensor, powers) for powers in estimator.powers_]
    return {"transform": graph.op("Concat", *parts, axis=1)}


@rule(PCA, IncrementalPCA)
def pca(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Project on the components, then subtract the projected mean."""
    graph = lowering.graph
    projected = graph.op("MatMul", lowering.numbers(rows), estimator.components_.T)
    if estimator.mean_ is not None:
        projected = graph.op("Sub", projected, estimator.mean_.reshape(1, -1) @ estimator.components_.T)
    if estimator.whiten:
        deviation = np.sqrt(estimator.explained_variance_)
        projected = graph.op("Div", projected, np.maximum(deviation, np.finfo(deviation.dtype).eps))
    return {"transform": projected}


@rule(TruncatedSVD)
def truncated_svd(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Project on the components."""
    return {"transform": lowering.graph.op("MatMul", lowering.numbers(rows), estimator.components_.T)}


@rule(
    GenericUnivariateSelect,
    RFE,
    RFECV,
    SelectFdr,
    SelectFpr,
    SelectFromModel,
    SelectFwe,
    SelectKBest,
    SelectPercentile,
    SequentialFeatureSelector,
    VarianceThreshold,
)
def selector(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Choose columns."""
    return {"transform": lowering.graph.columns(lowering.numbers(rows), estimator.get_support(indices=True))}


def _scaled(
    graph: Graph, tensor: Name, center: npt.NDArray[np.float64] | None, scale: npt.NDArray[np.float64] | None
) -> Name:
    centered = tensor if center is None else graph.op("Sub", tensor, center)
    return centered if scale is None else graph.op("Div", centered, scale)


def _clipped(graph: Graph, tensor: Name, low: float, high: float) -> Name:
    return graph.op("Clip", tensor, low, high)


def _of_rows(estimator: Estimator, lowering: Lowering, tensor: Name) -> tuple[Name, Name]:
    graph = lowering.graph
    return graph.op("Abs", tensor) if estimator.norm == "max" else tensor, graph.constant([1])


def _missing(graph: Graph, tensor: Name, mark: Any) -> Name:
    if isinstance(mark, float) and np.isnan(mark):
        return graph.op("IsNaN", tensor)
    if isinstance(mark, int | float) and not isinstance(mark, bool):
        return graph.op("Equal", tensor, float(mark))
    raise NotLowerable(f"SimpleImputer looks for {mark!r}")


def _power(graph: Graph, tensor: Name, powers: npt.NDArray[np.int64]) -> Name:
    columns = np.repeat(np.arange(len(powers)), powers)
    if not len(columns):
        return graph.op("Add", graph.op("Mul", graph.columns(tensor, [0]), 0.0), 1.0)
    product = graph.columns(tensor, columns[:1])
    for index in columns[1:]:
        product = graph.op("Mul", product, graph.columns(tensor, [index]))
    return product
