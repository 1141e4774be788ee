"""scikit-learn's histogram gradient boosting: it compares in float64, and splits on categories, too."""

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from model.engine.lowering.context import Answers, Estimator, Lowering, NotLowerable, Rows, rule
from model.engine.lowering.graph import Name
from model.engine.lowering.scores import flat, from_decision, logistic, softmax, two_sided
from model.engine.lowering.trees import Tree, constant, note_splits, sums

_WORD = 32
"""Categories in one number of a bitset."""


@rule(HistGradientBoostingClassifier)
def classifier(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Add up the values of the leaves."""
    graph = lowering.graph
    raw = _raw(lowering, estimator, rows)
    binary = estimator.n_trees_per_iteration_ == 1
    probabilities = two_sided(graph, logistic(graph, raw)) if binary else softmax(graph, raw)
    return from_decision(graph, raw, binary=binary) | {"predict_proba": probabilities}


@rule(HistGradientBoostingRegressor)
def regressor(lowering: Lowering, estimator: Estimator, rows: Rows) -> Answers:
    """Add up the values of the leaves, and take the inverse of the loss's link."""
    raw = flat(lowering.graph, _raw(lowering, estimator, rows))
    link = type(estimator._loss.link).__name__  # noqa: SLF001 -- there is no public way to the link
    if link not in {"IdentityLink", "LogLink"}:
        raise NotLowerable(f"HistGradientBoostingRegressor has the link {link}")
    return {"predict": raw if link == "IdentityLink" else lowering.graph.op("Exp", raw)}


def _raw(lowering: Lowering, estimator: Estimator, rows: Rows) -> Name:
    preprocessor = estimator._preprocessor  # noqa: SLF001 -- what encodes categories before the trees
    tensor = lowering.numbers(rows) if preprocessor is None else lowering.transform(preprocessor, rows)
    baseline = np.asarray(estimator._baseline_prediction).ravel()  # noqa: SLF001 -- there is no public way to it
    trees = [constant(value) for value in baseline]
    for iteration in estimator._predictors:  # noqa: SLF001 -- there is no public way to the trees
        trees += [_tree(predictor.nodes, predictor.raw_left_cat_bitsets) for predictor in iteration]
    note_splits(lowering, tensor, trees)
    return sums(lowering, tensor, trees, [i % len(baseline) for i in range(len(trees))])


def _tree(nodes: npt.NDArray[np.void], bitsets: npt.NDArray[np.uint32]) -> Tree:
    leaf = nodes["is_leaf"].astype(bool)
    return Tree(
        left=np.where(leaf, -1, nodes["left"].astype(np.int64)),
        right=np.where(leaf, -1, nodes["right"].astype(np.int64)),
        feature=nodes["feature_idx"].astype(np.int64),
        threshold=nodes["num_threshold"],
        missing_left=nodes["missing_go_to_left"].astype(bool),
        value=nodes["value"].reshape(-1, 1),
        members={
            int(node): _members(bitsets[nodes["bitset_idx"][node]])
            for node in np.flatnonzero(nodes["is_categorical"].astype(bool) & ~leaf)
        },
    )


def _members(bitset: npt.NDArray[np.uint32]) -> npt.NDArray[np.float64]:
    return np.array([i for i in range(len(bitset) * _WORD) if bitset[i // _WORD] >> (i % _WORD) & 1], dtype=np.float64)
