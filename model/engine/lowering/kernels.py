"""Support vector machines with a kernel."""

import numpy as np
import numpy.typing as npt
from onnx import TensorProto
from sklearn.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM

from model.engine.lowering.context import Answers, Estimator, Lowering, NotLowerable, Rows, rule
from model.engine.lowering.graph import Graph, Name
from model.engine.lowering.scores import argmax, flat, from_decision

_TWO = 2


@rule(SVR, NuSVR)
def regressor(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Weigh the similarities to the support vectors."""
    decision = _weighed(lowering, estimator, rows, estimator.dual_coef_.T, estimator.intercept_)
    return {"predict": flat(lowering.graph, decision)}


@rule(OneClassSVM)
def one_class(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Label by the sign of the distance."""
    graph = lowering.graph
    decision = flat(graph, _weighed(lowering, estimator, rows, estimator.dual_coef_.T, estimator.intercept_))
    inlier = graph.op("Where", graph.op("Greater", decision, 0.0), np.array(1), np.array(-1))
    scores = graph.op("Add", decision, float(estimator.offset_[0]))
    return {"predict": inlier, "decision_function": decision, "score_samples": scores}


@rule(SVC, NuSVC)
def classifier(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Let each pair of classes vote."""
    graph, count = lowering.graph, len(estimator.classes_)
    if count == _TWO:
        decision = _weighed(lowering, estimator, rows, estimator.dual_coef_.T, estimator.intercept_)
        return from_decision(graph, decision, binary=True)
    _check_kernel(estimator)
    if estimator.break_ties:
        raise NotLowerable(f"{type(estimator).__name__} breaks ties")
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    decision = _weighed(lowering, estimator, rows, _of_pairs(estimator, pairs), estimator.intercept_)
    votes = _votes(graph, decision, pairs, count)
    if estimator.decision_function_shape == "ovo":
        return {"predict:index": argmax(graph, votes), "decision_function": decision}
    return {"predict:index": argmax(graph, votes), "decision_function": _ranked(graph, decision, votes, pairs, count)}


def _of_pairs(estimator: Estimator, pairs: list[tuple[int, int]]) -> npt.NDArray[np.float64]:
    """Return the weights of the support vectors in the decision of each pair, as libsvm stores them."""
    ends = np.cumsum([0, *estimator.n_support_])
    weights = np.zeros((len(estimator.support_vectors_), len(pairs)))
    for pair, (i, j) in enumerate(pairs):
        of_i, of_j = slice(ends[i], ends[i + 1]), slice(ends[j], ends[j + 1])
        weights[of_i, pair] = estimator.dual_coef_[j - 1, of_i]
        weights[of_j, pair] = estimator.dual_coef_[i, of_j]
    return weights


def _votes(graph: Graph, decision: Name, pairs: list[tuple[int, int]], count: int) -> Name:
    first = graph.cast(graph.op("Greater", decision, 0.0), TensorProto.DOUBLE)
    second = graph.op("Sub", 1.0, first)
    for_first, for_second = np.zeros((_TWO, len(pairs), count))
    for pair, (i, j) in enumerate(pairs):
        for_first[pair, i] = for_second[pair, j] = 1.0
    return graph.op("Add", graph.op("MatMul", first, for_first), graph.op("MatMul", second, for_second))


def _ranked(graph: Graph, decision: Name, votes: Name, pairs: list[tuple[int, int]], count: int) -> Name:
    """Add to the votes less than a vote, by how sure the pairs are."""
    signs = np.zeros((len(pairs), count))
    for pair, (i, j) in enumerate(pairs):
        signs[pair, i], signs[pair, j] = 1.0, -1.0
    sure = graph.op("MatMul", decision, signs)
    bound = graph.op("Mul", graph.op("Add", graph.op("Abs", sure), 1.0), 3.0)
    return graph.op("Add", votes, graph.op("Div", sure, bound))


def _weighed(
    lowering: Lowering,
    estimator: Estimator,
    rows: Rows,
    weights: npt.NDArray[np.float64],
    intercept: npt.NDArray[np.float64],
) -> Name:
    _check_kernel(estimator)
    similarities = _similarities(lowering.graph, estimator, lowering.numbers(rows))
    return lowering.graph.op("Add", lowering.graph.op("MatMul", similarities, weights), intercept)


def _similarities(graph: Graph, estimator: Estimator, tensor: Name) -> Name:
    vectors, gamma = estimator.support_vectors_, float(estimator._gamma)  # noqa: SLF001 -- what gamma="scale" came to
    product = graph.op("MatMul", tensor, vectors.T)
    if estimator.kernel == "linear":
        return product
    if estimator.kernel == "rbf":
        squares = graph.op("ReduceSumSquare", tensor, [1], keepdims=1)
        distances = graph.op("Sub", graph.op("Add", squares, (vectors**2).sum(axis=1)), graph.op("Mul", product, 2.0))
        return graph.op("Exp", graph.op("Mul", distances, -gamma))
    inner = graph.op("Add", graph.op("Mul", product, gamma), float(estimator.coef0))
    return graph.op("Tanh", inner) if estimator.kernel == "sigmoid" else graph.op("Pow", inner, float(estimator.degree))


def _check_kernel(estimator: Estimator) -> None:
    if estimator.kernel not in {"linear", "poly", "rbf", "sigmoid"}:
        raise NotLowerable(f"{type(estimator).__name__} has the kernel {estimator.kernel}")
