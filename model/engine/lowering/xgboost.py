"""XGBoost's trees, read from its own JSON: it compares and adds up in float32."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from model.engine.lowering.context import Answers, Estimator, Lowering, NotLowerable, Raw, Rows, rule
from model.engine.lowering.graph import Graph, Name
from model.engine.lowering.scores import flat, from_probabilities
from model.engine.lowering.trees import Mode, Tree, constant, note_splits, sums

_IDENTITY = {
    "reg:squarederror",
    "reg:absoluteerror",
    "reg:pseudohubererror",
    "reg:quantileerror",
    "reg:squaredlogerror",
}
_EXPONENTIAL = {"count:poisson", "reg:gamma", "reg:tweedie"}
_LOGISTIC = {"binary:logistic", "reg:logistic"}
_ONE = np.ones(1, dtype=np.float32)
_HALF = _ONE / 2


@rule("xgboost.sklearn.XGBClassifier", "xgboost.sklearn.XGBRFClassifier")
def classifier(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Add up the values of the leaves."""
    objective, raw = _raw(lowering, estimator, rows)
    graph = lowering.graph
    if objective in _LOGISTIC:
        return _two_classes(graph, raw)
    if objective not in {"multi:softprob", "multi:softmax"}:
        raise NotLowerable(f"XGBClassifier has the objective {objective}")
    return from_probabilities(graph, _softmax(graph, raw))


@rule("xgboost.sklearn.XGBRegressor", "xgboost.sklearn.XGBRFRegressor")
def regressor(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Add up the values of the leaves."""
    objective, raw = _raw(lowering, estimator, rows)
    graph, single = lowering.graph, flat(lowering.graph, raw)
    if objective in _IDENTITY:
        return {"predict": single}
    if objective in _EXPONENTIAL:
        return {"predict": _exponential(graph, single)}
    raise NotLowerable(f"XGBRegressor has the objective {objective}")


def _raw(lowering: Lowering, estimator: Estimator, rows: Rows) -> tuple[str, Name]:
    """Return the objective, and the sums of the leaves in float32."""
    learner = json.loads(estimator.get_booster().save_raw(raw_format="json"))["learner"]
    parameters, booster = learner["learner_model_param"], learner["gradient_booster"]
    if booster["name"] != "gbtree" or int(parameters["num_target"]) > 1 or not np.isnan(estimator.missing):
        msg = "XGBoost's model is no plain ensemble of trees"
        raise NotLowerable(msg)
    objective = learner["objective"]["name"]
    counts = [len(raw.known or ()) for raw in rows.columns] if isinstance(rows, Raw) else []
    starts = _starts(parameters, objective)
    trees = [constant(start) for start in starts] + _trees(learner, counts)
    targets = [*range(len(starts)), *booster["model"]["tree_info"][: len(trees) - len(starts)]]
    numbers = lowering.numbers_or_codes(rows)
    note_splits(lowering, numbers, trees)
    return objective, sums(lowering, _float32(lowering.graph, numbers), trees, targets, np.float32)


def _two_classes(graph: Graph, raw: Name) -> Answers:
    """Take the logistic function, every step in float32 as XGBoost does."""
    exponential = _exponential(graph, graph.op("Neg", raw))
    positive = graph.op("Div", _ONE, graph.op("Add", exponential, _ONE))
    label = graph.cast(graph.op("Greater", positive, _HALF), TensorProto.INT64)
    probabilities = graph.op("Concat", graph.op("Sub", _ONE, positive), positive, axis=1)
    return {"predict:index": flat(graph, label), "predict_proba": probabilities}


def _softmax(graph: Graph, raw: Name) -> Name:
    """Take the softmax; XGBoost adds up in float64, and rounds the sum."""
    exponentials = _exponential(graph, graph.op("Sub", raw, graph.op("ReduceMax", raw, [1], keepdims=1)))
    total = graph.op("ReduceSum", graph.cast(exponentials, TensorProto.DOUBLE), [1], keepdims=1)
    return graph.op("Div", exponentials, _float32(graph, total))


def _exponential(graph: Graph, tensor: Name) -> Name:
    """Return the exponential rounded to float32; onnxruntime's own of float32 is off by more."""
    return _float32(graph, graph.op("Exp", graph.cast(tensor, TensorProto.DOUBLE)))


def _float32(graph: Graph, tensor: Name) -> Name:
    return graph.cast(tensor, TensorProto.FLOAT)


def _starts(parameters: Mapping[str, Any], objective: str) -> list[float]:
    """Return what the sum of each class starts from; XGBoost keeps it as an answer, not as a sum."""
    given = parameters["base_score"]
    base = np.atleast_1d(np.array(json.loads(given) if isinstance(given, str) else given, dtype=np.float32))
    # NumPy's own logarithm of float32 is off by more than the C library's.
    if objective in _LOGISTIC:
        base = -np.log((1 / base - 1).astype(np.float64))
    elif objective in _EXPONENTIAL:
        base = np.log(base.astype(np.float64))
    count = max(1, int(parameters["num_class"]), len(base))
    return [float(start) for start in np.broadcast_to(base, count)]


def _trees(learner: Mapping[str, Any], counts: Sequence[int]) -> list[Tree]:
    model = learner["gradient_booster"]["model"]
    best = learner["attributes"].get("best_iteration")
    used = len(model["trees"]) if best is None else model["iteration_indptr"][int(best) + 1]
    return [_tree(tree, counts) for tree in model["trees"][:used]]


def _tree(tree: Mapping[str, Any], counts: Sequence[int]) -> Tree:
    left = np.array(tree["left_children"], dtype=np.int64)
    conditions = np.array(tree["split_conditions"], dtype=np.float32)
    feature = np.array(tree["split_indices"], dtype=np.int64)
    return Tree(
        left=left,
        right=np.array(tree["right_children"], dtype=np.int64),
        feature=np.where(left < 0, 0, feature),
        threshold=conditions,
        missing_left=np.array(tree["default_left"], dtype=bool),
        value=conditions.reshape(-1, 1),
        members=_members(tree, feature, counts),
        mode=Mode.BELOW,
    )


def _members(
    tree: Mapping[str, Any], feature: npt.NDArray[np.int64], counts: Sequence[int]
) -> dict[int, npt.NDArray[np.float32]]:
    """Return the codes that go left; XGBoost lists those that go right."""
    members = {}
    listed = zip(tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True)
    for node, start, size in listed:
        if feature[node] >= len(counts):
            msg = "XGBoost's trees split on categories of a computed column"
            raise NotLowerable(msg)
        right = tree["categories"][start : start + size]
        members[node] = np.setdiff1d(np.arange(counts[feature[node]]), right).astype(np.float32)
    return members
