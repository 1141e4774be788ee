"""Multi-layer perceptrons."""

from onnx import TensorProto
from sklearn.neural_network import MLPClassifier, MLPRegressor

from model.engine.lowering.context import Answers, Estimator, Lowering, NotLowerable, Rows, rule
from model.engine.lowering.graph import Graph, Name
from model.engine.lowering.scores import argmax, flat, logistic, two_sided

_ACTIVATIONS = {"relu": "Relu", "tanh": "Tanh"}


@rule(MLPClassifier)
def classifier(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Label by the likeliest class; of two, by more than half."""
    graph = lowering.graph
    if estimator._label_binarizer.y_type_.startswith("multilabel"):  # noqa: SLF001 -- likewise
        msg = "MLPClassifier was fitted on several labels"
        raise NotLowerable(msg)
    raw = _forward(lowering, estimator, rows)
    if estimator.out_activation_ == "softmax":
        probabilities = graph.op("Softmax", raw, axis=1)
        return {"predict:index": argmax(graph, probabilities), "predict_proba": probabilities}
    positive = logistic(graph, raw)
    more = graph.op("Greater", positive, 0.5)
    return {
        "predict:index": flat(graph, graph.cast(more, TensorProto.INT64)),
        "predict_proba": two_sided(graph, positive),
    }


@rule(MLPRegressor)
def regressor(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Predict what the last layer gives."""
    graph = lowering.graph
    raw = _forward(lowering, estimator, rows)
    if estimator.out_activation_ != "identity":
        raw = graph.op("Exp", raw) if estimator.out_activation_ == "exp" else _refused(estimator)
    return {"predict": flat(graph, raw) if estimator.n_outputs_ == 1 else raw}


def _refused(estimator: Estimator) -> Name:
    raise NotLowerable(f"{type(estimator).__name__} ends in {estimator.out_activation_}")


def _forward(lowering: Lowering, estimator: Estimator, rows: Rows) -> Name:
    graph: Graph = lowering.graph
    tensor = lowering.numbers(rows)
    layers = list(zip(estimator.coefs_, estimator.intercepts_, strict=True))
    for i, (weights, biases) in enumerate(layers):
        tensor = graph.op("Add", graph.op("MatMul", tensor, weights), biases)
        if i < len(layers) - 1 and estimator.activation != "identity":
            tensor = _activated(graph, tensor, estimator.activation)
    return tensor


def _activated(graph: Graph, tensor: Name, activation: str) -> Name:
    return logistic(graph, tensor) if activation == "logistic" else graph.op(_ACTIVATIONS[activation], tensor)
