"""Estimators made of others."""

from collections.abc import Sequence

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 -- makes the halving searches importable
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
)
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.preprocessing import StandardScaler

from model.engine.lowering.context import Answers, Estimator, Lowering, NotLowerable, Rows, rule
from model.engine.lowering.graph import Graph, Name
from model.engine.lowering.scores import argmax, column, from_probabilities, logistic

_TWO = 2


@rule(GridSearchCV, HalvingGridSearchCV, HalvingRandomSearchCV, RandomizedSearchCV)
def search(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Lower the best estimator."""
    return lowering.lower(estimator.best_estimator_, rows)


@rule(VotingClassifier)
def voting_classifier(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Average the probabilities, or count the votes."""
    graph, weights = lowering.graph, estimator._weights_not_none  # noqa: SLF001 -- weights of those not dropped
    if estimator.voting == "soft":
        parts = [lowering.answer(member, rows, "predict_proba") for member in estimator.estimators_]
        answers = from_probabilities(graph, _average(graph, parts, weights))
        return answers | ({"transform": graph.op("Concat", *parts, axis=1)} if estimator.flatten_transform else {})
    labels = [lowering.answer(member, rows, "predict:index") for member in estimator.estimators_]
    # The members' own classes are positions among all.
    chosen = [
        graph.op("Gather", np.asarray(member.classes_, dtype=np.int64), label)
        for member, label in zip(estimator.estimators_, labels, strict=True)
    ]
    votes = [graph.op("Gather", np.eye(len(estimator.classes_)), each, axis=0) for each in chosen]
    return {"predict:index": argmax(graph, _average(graph, votes, weights)), "transform": _columns(graph, chosen)}


@rule(VotingRegressor)
def voting_regressor(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Average the predictions."""
    parts = [lowering.answer(member, rows, "predict") for member in estimator.estimators_]
    weights = estimator._weights_not_none  # noqa: SLF001 -- weights of those not dropped
    return {"predict": _average(lowering.graph, parts, weights), "transform": _columns(lowering.graph, parts)}


@rule(StackingClassifier, StackingRegressor)
def stacking(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Give the answers of the members to the last estimator."""
    graph = lowering.graph
    binary = len(getattr(estimator, "classes_", ())) == _TWO
    parts = [
        _stacked(graph, lowering.answer(member, rows, method), method, binary=binary)
        for member, method in zip(estimator.estimators_, estimator.stack_method_, strict=True)
    ]
    if estimator.passthrough:
        parts.append(lowering.numbers(rows))
    joined = graph.op("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]
    return lowering.lower(estimator.final_estimator_, joined) | {"transform": joined}


@rule(BaggingClassifier)
def bagging_classifier(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Average the probabilities."""
    if any(len(member.classes_) != estimator.n_classes_ for member in estimator.estimators_):
        raise NotLowerable("a member of BaggingClassifier has not seen all classes")
    return from_probabilities(
        lowering.graph, _average(lowering.graph, _bagged(lowering, estimator, rows, "predict_proba"))
    )


@rule(BaggingRegressor)
def bagging_regressor(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Average the predictions."""
    return {"predict": _average(lowering.graph, _bagged(lowering, estimator, rows, "predict"))}


@rule(CalibratedClassifierCV)
def calibrated(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Average the calibrated probabilities."""
    parts = [_calibrated(lowering, member, rows) for member in estimator.calibrated_classifiers_]
    return from_probabilities(lowering.graph, _average(lowering.graph, parts))


@rule(MultiOutputClassifier)
def multi_output_classifier(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Lower the estimator of each target."""
    each = [lowering.lower(member, rows) for member in estimator.estimators_]
    labels = _columns(lowering.graph, [answers["predict:index"] for answers in each])
    shares = {f"predict_proba:{i}": a["predict_proba"] for i, a in enumerate(each) if "predict_proba" in a}
    return {"predict:indices": labels} | (shares if len(shares) == len(each) else {})


@rule(MultiOutputRegressor)
def multi_output_regressor(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Lower the estimator of each target."""
    parts = [lowering.answer(member, rows, "predict") for member in estimator.estimators_]
    return {"predict": _columns(lowering.graph, parts)}


@rule(TransformedTargetRegressor)
def transformed_target(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Undo the scaling of the target."""
    graph, scaler = lowering.graph, estimator.transformer_
    prediction = lowering.answer(estimator.regressor_, rows, "predict")
    inverse = getattr(scaler, "inverse_func", None)
    if inverse in (np.exp, np.expm1) and not scaler.inv_kw_args:
        raised = graph.op("Exp", prediction)
        return {"predict": raised if inverse is np.exp else graph.op("Sub", raised, 1.0)}
    if type(scaler) is not StandardScaler or estimator._training_dim != 1:  # noqa: SLF001 -- the target's dimensions
        raise NotLowerable(f"TransformedTargetRegressor undoes {type(scaler).__name__}")
    scaled = graph.op("Mul", prediction, float(scaler.scale_[0])) if scaler.with_std else prediction
    return {"predict": graph.op("Add", scaled, float(scaler.mean_[0])) if scaler.with_mean else scaled}


def _average(graph: Graph, parts: Sequence[Name], weights: Sequence[float] | None = None) -> Name:
    if len(parts) == 1:
        return parts[0]  # as it is, in whatever precision
    factors = [1.0] * len(parts) if weights is None else [float(weight) for weight in weights]
    weighed = [part if f == 1 else graph.op("Mul", part, f) for part, f in zip(parts, factors, strict=True)]
    total = weighed[0]
    for part in weighed[1:]:
        total = graph.op("Add", total, part)
    return graph.op("Div", total, float(sum(factors)))


def _columns(graph: Graph, parts: Sequence[Name]) -> Name:
    return graph.op("Concat", *(graph.op("Unsqueeze", part, [1]) for part in parts), axis=1)


def _stacked(graph: Graph, answer: Name, method: str, *, binary: bool) -> Name:
    if method == "predict_proba":
        # The first of two classes says nothing that the second does not.
        return graph.columns(answer, [1]) if binary else answer
    return graph.op("Unsqueeze", answer, [1]) if binary or method == "predict" else answer


def _bagged(lowering: Lowering, estimator: Estimator, rows: Rows, method: str) -> list[Name]:
    tensor, width = lowering.numbers(rows), estimator.n_features_in_
    chosen = estimator.estimators_features_
    parts = [
        tensor if list(features) == list(range(width)) else lowering.graph.columns(tensor, features)
        for features in chosen
    ]
    return [lowering.answer(member, part, method) for member, part in zip(estimator.estimators_, parts, strict=True)]


def _calibrated(lowering: Lowering, member: Estimator, rows: Rows) -> Name:
    graph, count = lowering.graph, len(member.classes)
    if member.method != "sigmoid" or len(member.estimator.classes_) != count:
        raise NotLowerable(f"CalibratedClassifierCV calibrates by {member.method}")
    answers = lowering.lower(member.estimator, rows)
    scores = answers.get("decision_function") or answers["predict_proba"]
    if count == _TWO:
        single = scores if "decision_function" in answers else column(graph, scores, 1)
        positive = graph.op("Unsqueeze", _sigmoid(graph, single, member.calibrators[0]), [1])
        return graph.op("Concat", graph.op("Sub", 1.0, positive), positive, axis=1)
    shares = _columns(graph, [_sigmoid(graph, column(graph, scores, i), c) for i, c in enumerate(member.calibrators)])
    total = graph.op("ReduceSum", shares, [1], keepdims=1)
    nothing = graph.op("Equal", total, 0.0)
    return graph.op("Where", nothing, 1.0 / count, graph.op("Div", shares, graph.op("Where", nothing, 1.0, total)))


def _sigmoid(graph: Graph, scores: Name, calibrator: Estimator) -> Name:
    slope, intercept = float(calibrator.a_), float(calibrator.b_)
    return logistic(graph, graph.op("Neg", graph.op("Add", graph.op("Mul", scores, slope), intercept)))
