"""LightGBM's trees, read from its own JSON: it compares and adds up in float64."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from model.engine.lowering.context import Answers, Estimator, Lowering, NotLowerable, Rows, rule
from model.engine.lowering.graph import Name
from model.engine.lowering.scores import flat, from_probabilities, logistic, softmax, two_sided
from model.engine.lowering.trees import Tree, note_splits, sums

_IDENTITY = {"regression", "regression_l1", "huber", "fair", "quantile", "mape"}
_EXPONENTIAL = {"poisson", "gamma", "tweedie"}


@rule("lightgbm.sklearn.LGBMClassifier")
def classifier(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Add up the values of the leaves."""
    objective, raw = _raw(lowering, estimator, rows)
    graph, (name, *parameters) = lowering.graph, objective
    if name == "binary":
        slope = next((float(p.partition(":")[2]) for p in parameters if p.startswith("sigmoid:")), 1.0)
        probabilities = two_sided(graph, logistic(graph, raw if slope == 1 else graph.op("Mul", raw, slope)))
        return from_probabilities(graph, probabilities)
    if name != "multiclass":
        raise NotLowerable(f"LGBMClassifier has the objective {name}")
    return from_probabilities(graph, softmax(graph, raw))


@rule("lightgbm.sklearn.LGBMRegressor")
def regressor(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Add up the values of the leaves."""
    (name, *parameters), raw = _raw(lowering, estimator, rows)
    single = flat(lowering.graph, raw)
    if name in _IDENTITY and "sqrt" not in parameters:
        return {"predict": single}
    if name in _EXPONENTIAL:
        return {"predict": lowering.graph.op("Exp", single)}
    raise NotLowerable(f"LGBMRegressor has the objective {name}")


def _raw(lowering: Lowering, estimator: Estimator, rows: Rows) -> tuple[list[str], Name]:
    """Return the words of the objective, and the sums of the leaves."""
    model = estimator.booster_.dump_model()
    if model["average_output"] or not model.get("objective"):
        msg = "LightGBM's model is no plain boosted ensemble"
        raise NotLowerable(msg)
    trees = [_Reader().read(tree["tree_structure"]) for tree in model["tree_info"]]
    numbers = lowering.numbers_or_codes(rows)
    note_splits(lowering, numbers, trees)
    count = model["num_tree_per_iteration"]
    return model["objective"].split(), sums(lowering, numbers, trees, [i % count for i in range(len(trees))])


class _Reader:
    """Numbers the nodes of a nested tree."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, int, float, bool, float]] = []
        self._members: dict[int, Any] = {}

    def read(self, root: Mapping[str, Any]) -> Tree:
        self._add(root)
        left, right, feature, threshold, missing_left, value = map(np.array, zip(*self._rows, strict=True))
        return Tree(left, right, feature, threshold, missing_left, value.reshape(-1, 1), self._members)

    def _add(self, node: Mapping[str, Any]) -> int:
        index = len(self._rows)
        if "leaf_coeff" in node:
            msg = "LightGBM's leaves are linear models"
            raise NotLowerable(msg)
        self._rows.append((-1, -1, 0, 0.0, False, node.get("leaf_value", 0.0)))
        if "split_feature" in node:
            threshold, missing_left = self._split(index, node)
            left, right = self._add(node["left_child"]), self._add(node["right_child"])
            self._rows[index] = (left, right, node["split_feature"], threshold, missing_left, 0.0)
        return index

    def _split(self, index: int, node: Mapping[str, Any]) -> tuple[float, bool]:
        """Return threshold, and whether a missing value goes left."""
        if node["decision_type"] == "==":
            self._members[index] = np.array([float(code) for code in node["threshold"].split("||")])
            return 0.0, False
        threshold = float(node["threshold"])
        if node["missing_type"] == "Zero":
            msg = "LightGBM takes zeros for missing values"
            raise NotLowerable(msg)
        # Where none were missing in training, NaN is taken for 0.
        return threshold, node["default_left"] if node["missing_type"] == "NaN" else threshold >= 0
