"""Naive Bayes: joint log-likelihoods, normalized."""

import numpy as np
from sklearn.naive_bayes import BernoulliNB, ComplementNB, GaussianNB, MultinomialNB

from model.engine.lowering.context import Answers, Estimator, Lowering, Rows, rule
from model.engine.lowering.graph import Graph, Name
from model.engine.lowering.scores import argmax


@rule(GaussianNB)
def gaussian(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Squared distance from each class's mean."""
    graph = lowering.graph
    tensor = graph.op("Unsqueeze", lowering.numbers(rows), [1])
    squares = graph.op("Pow", graph.op("Sub", tensor, estimator.theta_), 2.0)
    distances = graph.op("ReduceSum", graph.op("Div", squares, estimator.var_), [2], keepdims=0)
    constant = -0.5 * np.log(2.0 * np.pi * estimator.var_).sum(axis=1) + np.log(estimator.class_prior_)
    return _from_joint(graph, graph.op("Sub", constant, graph.op("Mul", distances, 0.5)))


@rule(MultinomialNB)
def multinomial(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Weigh counts by each class's log-probabilities."""
    product = lowering.graph.op("MatMul", lowering.numbers(rows), estimator.feature_log_prob_.T)
    return _from_joint(lowering.graph, lowering.graph.op("Add", product, estimator.class_log_prior_))


@rule(ComplementNB)
def complement(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Weigh counts by what the other classes have little of."""
    product = lowering.graph.op("MatMul", lowering.numbers(rows), estimator.feature_log_prob_.T)
    if len(estimator.classes_) == 1:
        product = lowering.graph.op("Add", product, estimator.class_log_prior_)
    return _from_joint(lowering.graph, product)


@rule(BernoulliNB)
def bernoulli(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Weigh what is there, and what is not."""
    graph, tensor = lowering.graph, lowering.numbers(rows)
    if estimator.binarize is not None:
        tensor = graph.op("Where", graph.op("Greater", tensor, float(estimator.binarize)), 1.0, 0.0)
    absent = np.log(1 - np.exp(estimator.feature_log_prob_))
    product = graph.op("MatMul", tensor, (estimator.feature_log_prob_ - absent).T)
    return _from_joint(graph, graph.op("Add", product, estimator.class_log_prior_ + absent.sum(axis=1)))


def _from_joint(graph: Graph, joint: Name) -> Answers:
    total = graph.op("ReduceLogSumExp", joint, [1], keepdims=1)
    logarithms = graph.op("Sub", joint, total)
    return {
        "predict:index": argmax(graph, joint),
        "predict_proba": graph.op("Exp", logarithms),
        "predict_log_proba": logarithms,
    }
