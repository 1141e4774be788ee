"""From scores to labels and probabilities, as scikit-learn's classifiers and losses have it."""

from onnx import TensorProto

from model.engine.lowering.context import Answers
from model.engine.lowering.graph import Graph, Name


def column(graph: Graph, tensor: Name, index: int = 0) -> Name:
    """Return one column as a tensor of shape (n_samples,)."""
    return graph.op("Gather", tensor, graph.constant_int(index), axis=1)


def flat(graph: Graph, tensor: Name) -> Name:
    """Return a tensor of shape (n_samples, 1) as one of shape (n_samples,)."""
    return graph.op("Squeeze", tensor, [1])


def argmax(graph: Graph, scores: Name) -> Name:
    """Return the position of each row's highest score, the first of equal ones."""
    return graph.op("ArgMax", scores, axis=1, keepdims=0)


def above(graph: Graph, scores: Name, *, or_equal: bool = False) -> Name:
    """Return 1 where a score of shape (n_samples, 1) is above zero, else 0; of shape (n_samples,)."""
    compared = graph.op("GreaterOrEqual" if or_equal else "Greater", scores, 0.0)
    return flat(graph, graph.cast(compared, TensorProto.INT64))


def two_sided(graph: Graph, positive: Name) -> Name:
    """Return the probabilities of both classes, given those of the second of shape (n_samples, 1)."""
    return graph.op("Concat", graph.op("Sub", 1.0, positive), positive, axis=1)


def logistic(graph: Graph, tensor: Name) -> Name:
    """Return 1 / (1 + exp(-x)); onnxruntime's own Sigmoid loses what is near zero."""
    return graph.op("Div", 1.0, graph.op("Add", 1.0, graph.op("Exp", graph.op("Neg", tensor))))


def softmax(graph: Graph, scores: Name) -> Name:
    """Return probabilities of shape (n_samples, n_classes)."""
    return graph.op("Softmax", scores, axis=1)


def from_probabilities(graph: Graph, probabilities: Name) -> Answers:
    """Label each row by its likeliest class."""
    return {"predict:index": argmax(graph, probabilities), "predict_proba": probabilities}


def from_decision(graph: Graph, scores: Name, *, binary: bool, or_equal: bool = False) -> Answers:
    """Label each row by the sign of its one score, or by the highest of several."""
    if binary:
        return {"predict:index": above(graph, scores, or_equal=or_equal), "decision_function": flat(graph, scores)}
    return {"predict:index": argmax(graph, scores), "decision_function": scores}
