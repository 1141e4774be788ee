"""Networks that a pipeline ends in: their own graph, set into ours."""

from onnx import TensorProto, load_model_from_string

from model.engine.lowering.context import Answers, Estimator, Lowering, Rows, rule
from model.engine.lowering.graph import Name
from model.engine.lowering.scores import from_probabilities
from model.network import NetworkClassifier, NetworkRegressor


@rule(NetworkClassifier)
def classifier(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Label by the likeliest class."""
    return from_probabilities(lowering.graph, _answers(lowering, estimator, rows))


@rule(NetworkRegressor)
def regressor(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Predict what the network gives."""
    return {"predict": lowering.graph.op("Reshape", _answers(lowering, estimator, rows), [-1])}


def _answers(lowering: Lowering, estimator: Estimator, rows: Rows) -> Name:
    graph, numbers = lowering.graph, lowering.numbers(rows)
    lowering.only_in_float32(numbers)
    network = load_model_from_string(estimator.graph.content)
    (answers,) = graph.include(network, graph.cast(numbers, TensorProto.FLOAT))
    # Where it is beyond what float32 holds inside, what the likeliest class is depends on who asks.
    lowering.only_where(graph.op("Not", graph.op("IsNaN", graph.op("Reshape", answers, [0, -1]))))
    return graph.cast(answers, TensorProto.DOUBLE)
