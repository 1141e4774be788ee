"""Clusters: the nearest center."""

import numpy as np
from onnx import TensorProto
from sklearn.cluster import KMeans, MiniBatchKMeans

from model.engine.lowering.context import Answers, Estimator, Lowering, Rows, rule
from model.engine.lowering.scores import argmax


@rule(KMeans, MiniBatchKMeans)
def k_means(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Choose the nearest center; the distances to all are the transformation."""
    graph, tensor, centers = lowering.graph, lowering.numbers(rows), estimator.cluster_centers_
    squares = (centers**2).sum(axis=1)
    # What is common to all centers is left out of the comparison, as scikit-learn leaves it out.
    nearness = graph.op("Sub", graph.op("Mul", graph.op("MatMul", tensor, centers.T), 2.0), squares)
    index = graph.cast(argmax(graph, nearness), TensorProto.INT32)
    distances = graph.op("Sub", graph.op("ReduceSumSquare", tensor, [1], keepdims=1), nearness)
    return {"predict": index, "transform": graph.op("Sqrt", graph.op("Max", distances, np.zeros(1)))}
