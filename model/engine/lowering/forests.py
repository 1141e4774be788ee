"""scikit-learn's decision trees, forests and gradient boosting: they round their input to float32."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor

from model.engine.lowering.context import Answers, Estimator, Lowering, NotLowerable, Rows, rule
from model.engine.lowering.graph import Graph, Name
from model.engine.lowering.scores import argmax, from_decision, from_probabilities, logistic, softmax, two_sided
from model.engine.lowering.trees import Tree, as_float32, constant, mean, note_splits, sums


@rule(
    DecisionTreeClassifier,
    ExtraTreeClassifier,
    RandomForestClassifier,
    ExtraTreesClassifier,
)
def classifier(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Average the class shares of the leaves."""
    means = _means(lowering, estimator, rows)
    if estimator.n_outputs_ == 1:
        return from_probabilities(lowering.graph, means)
    return _several_targets(lowering.graph, means, estimator.n_classes_)


@rule(
    DecisionTreeRegressor,
    ExtraTreeRegressor,
    RandomForestRegressor,
    ExtraTreesRegressor,
)
def regressor(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Average the values of the leaves."""
    means = _means(lowering, estimator, rows)
    return {"predict": lowering.graph.op("Squeeze", means, [1]) if estimator.n_outputs_ == 1 else means}


@rule(GradientBoostingClassifier)
def boosted_classifier(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Add up the values of the leaves."""
    graph = lowering.graph
    raw = _boosted(lowering, estimator, rows)
    binary = len(estimator.classes_) == 2  # noqa: PLR2004 -- one score tells two classes apart
    answers = from_decision(graph, raw, binary=binary, or_equal=True)
    if not binary:
        return answers | {"predict_proba": softmax(graph, raw)}
    scaled = graph.op("Mul", raw, 2.0) if estimator.loss == "exponential" else raw
    return answers | {"predict_proba": two_sided(graph, logistic(graph, scaled))}


@rule(GradientBoostingRegressor)
def boosted_regressor(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Add up the values of the leaves."""
    return {"predict": lowering.graph.op("Squeeze", _boosted(lowering, estimator, rows), [1])}


@rule(IsolationForest)
def isolation_forest(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Add up the depths of the leaves."""
    graph = lowering.graph
    numbers = lowering.numbers(rows)
    trees = [
        _tree(tree.tree_, (lengths + paths - 1.0).reshape(-1, 1), features)
        for tree, features, lengths, paths in zip(
            estimator.estimators_,
            estimator.estimators_features_,
            estimator._decision_path_lengths,  # noqa: SLF001 -- there is no public way to a leaf's depth
            estimator._average_path_length_per_tree,  # noqa: SLF001 -- likewise
            strict=True,
        )
    ]
    depths = sums(lowering, _compared(lowering, numbers, trees), trees, [0] * len(trees))
    normal = len(trees) * _average_path_length(estimator.max_samples_)
    if not normal:
        msg = "IsolationForest was fitted on single rows"
        raise NotLowerable(msg)
    isolated = graph.op("Pow", 2.0, graph.op("Neg", graph.op("Div", graph.op("Squeeze", depths, [1]), normal)))
    scores = graph.op("Neg", isolated)
    decision = graph.op("Sub", scores, float(estimator.offset_))
    inlier = graph.op("Where", graph.op("Less", decision, 0.0), np.array(-1), np.array(1))
    return {"predict": inlier, "decision_function": decision, "score_samples": scores}


def _means(lowering: Lowering, estimator: Estimator, rows: Rows) -> Name:
    numbers = lowering.numbers(rows)
    members = getattr(estimator, "estimators_", [estimator])
    trees = [_tree(member.tree_, member.tree_.value.reshape(member.tree_.node_count, -1)) for member in members]
    return mean(lowering, _compared(lowering, numbers, trees), trees)


def _boosted(lowering: Lowering, estimator: Estimator, rows: Rows) -> Name:
    initial = estimator.init_
    if not (isinstance(initial, DummyClassifier | DummyRegressor) or initial == "zero"):
        raise NotLowerable(f"{type(estimator).__name__} starts from another estimator")
    zeros = np.zeros((1, estimator.n_features_in_), dtype=np.float32)
    start = estimator._raw_predict_init(zeros)[0]  # noqa: SLF001 -- there is no public way to where it starts
    numbers = lowering.numbers(rows)
    stages = estimator.estimators_
    trees = [constant(value) for value in start]
    trees += [_tree(each.tree_, estimator.learning_rate * each.tree_.value[:, 0]) for each in stages.ravel()]
    return sums(lowering, _compared(lowering, numbers, trees), trees, [i % len(start) for i in range(len(trees))])


def _compared(lowering: Lowering, numbers: Name, trees: Sequence[Tree]) -> Name:
    """Return rows as trees compare them, in float32."""
    note_splits(lowering, numbers, trees)
    lowering.only_in_float32(numbers)
    return as_float32(lowering.graph, numbers)


def _tree(tree: Any, value: npt.NDArray[np.float64], features: npt.NDArray[np.int64] | None = None) -> Tree:
    feature = tree.feature if features is None else np.where(tree.feature < 0, 0, features[tree.feature])
    return Tree(
        left=tree.children_left,
        right=tree.children_right,
        feature=feature,
        threshold=tree.threshold,
        missing_left=np.asarray(tree.missing_go_to_left, dtype=bool),
        value=value,
    )


def _several_targets(graph: Graph, means: Name, counts: Sequence[int]) -> Answers:
    """Split the classes of several targets, each padded to as many as the one with the most."""
    width = max(counts)
    answers, labels = {}, []
    for i, count in enumerate(counts):
        probabilities = graph.columns(means, range(i * width, i * width + count))
        answers[f"predict_proba:{i}"] = probabilities
        labels.append(graph.op("Unsqueeze", argmax(graph, probabilities), [1]))
    return answers | {"predict:indices": graph.op("Concat", *labels, axis=1)}


def _average_path_length(samples: int) -> float:
    """Return the mean depth of an isolation tree grown on so many rows, as Liu, Ting and Zhou (2008) give it."""
    if samples <= 2:  # noqa: PLR2004 -- two rows take one split
        return float(samples - 1)
    return float(2.0 * (np.log(samples - 1.0) + np.euler_gamma) - 2.0 * (samples - 1.0) / samples)
