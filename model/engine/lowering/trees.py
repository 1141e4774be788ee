"""
Ensembles of decision trees as one operator, answering to the last bit as scikit-learn does.

ONNX's ``TreeEnsemble`` in float64 compares as scikit-learn's own loops do, provided that the input was rounded as they
round it, and adds up in the order of the trees.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper

from model.engine.lowering.context import Lowering
from model.engine.lowering.graph import Graph, Name

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[Any]


class Mode(IntEnum):
    """How a node compares a feature with its threshold, to go left; ONNX's numbers."""

    AT_MOST = 0
    BELOW = 1
    MEMBER = 6


@dataclass(frozen=True, slots=True)
class Tree:
    """
    One tree.

    Parameters
    ----------
    left, right : ndarray of shape (n_nodes,)
        Children; -1 in leaves.
    feature : ndarray of shape (n_nodes,)
    threshold : ndarray of shape (n_nodes,)
    missing_left : ndarray of shape (n_nodes,)
        Whether NaN goes left.
    value : ndarray of shape (n_nodes, n_values)
        What a leaf answers.
    members : mapping of int to ndarray
        Codes that go left, by node that splits on categories.
    mode : Mode
        Of all other nodes.
    """

    left: Ints
    right: Ints
    feature: Ints
    threshold: Floats
    missing_left: npt.NDArray[np.bool_]
    value: Floats
    members: Mapping[int, Floats] = field(default_factory=dict)
    mode: Mode = Mode.AT_MOST


def constant(value: float) -> Tree:
    """Return a tree that answers every row alike."""
    leaf = np.array([-1])
    return Tree(leaf, leaf, np.array([0]), np.zeros(1), np.zeros(1, dtype=bool), np.array([[value]]))


def as_float32(graph: Graph, tensor: Name) -> Name:
    """Round to float32, as scikit-learn's trees round their input, and return float64 again."""
    return graph.cast(graph.cast(tensor, TensorProto.FLOAT), TensorProto.DOUBLE)


def sums(
    lowering: Lowering, tensor: Name, trees: Sequence[Tree], targets: Sequence[int], dtype: Any = np.float64
) -> Name:
    """
    Add up the single values that trees answer.

    Parameters
    ----------
    lowering : Lowering
    tensor : str
    trees : sequence of Tree
    targets : sequence of int
        Which sum each tree adds to.
    dtype : dtype
        That is compared and added up in; of the tensor, too.

    Returns
    -------
    str
        A tensor of shape (n_samples, max(targets) + 1).
    """
    nodes = _Nodes(trees)
    weights = np.concatenate([tree.value[leaves, 0] for tree, leaves in zip(trees, nodes.leaves, strict=True)])
    counts = [len(leaves) for leaves in nodes.leaves]
    return nodes.operator(lowering.graph, tensor, np.repeat(targets, counts), weights.astype(dtype))


def mean(lowering: Lowering, tensor: Name, trees: Sequence[Tree]) -> Name:
    """
    Average what trees answer, which may be several values each.

    Returns
    -------
    str
        A tensor of shape (n_samples, n_values).
    """
    single = trees[0].value.shape[1] == 1
    total = sums(lowering, tensor, trees, [0] * len(trees)) if single else _totals(lowering.graph, tensor, trees)
    return lowering.graph.op("Div", total, float(len(trees)))


def _totals(graph: Graph, tensor: Name, trees: Sequence[Tree]) -> Name:
    nodes = _Nodes(trees)
    table = np.concatenate([tree.value[leaves] for tree, leaves in zip(trees, nodes.leaves, strict=True)])
    if np.isin(table, (0.0, 1.0)).all() and (table.sum(axis=1) == 1.0).all():
        return _votes(graph, tensor, nodes, table)
    counts = [len(leaves) for leaves in nodes.leaves]
    # A leaf of ONNX has one value: here its row in a table of all leaves' values.
    found = nodes.operator(graph, tensor, np.repeat(np.arange(len(trees)), counts), np.arange(sum(counts), dtype=float))
    values = graph.op("Gather", table, graph.cast(found, TensorProto.INT64), axis=0)
    # One after the other, as scikit-learn adds them up; ReduceSum takes another order.
    running = graph.op("CumSum", values, np.array(1))
    return graph.op("Gather", running, np.array(len(trees) - 1), axis=1)


def _votes(graph: Graph, tensor: Name, nodes: "_Nodes", table: Floats) -> Name:
    """Count leaves, where each is of one class, as in trees grown to the end: whole numbers add up alike in any order."""
    trees, classes = len(nodes.leaves), table.shape[1]
    if classes != 2:  # noqa: PLR2004 -- one count tells two classes
        return nodes.operator(graph, tensor, table.argmax(axis=1), np.ones(len(table)), classes)
    second = nodes.operator(graph, tensor, np.zeros(len(table), dtype=np.int64), table[:, 1])
    return graph.op("Concat", graph.op("Sub", float(trees), second), second, axis=1)


def note_splits(lowering: Lowering, tensor: Name, trees: Sequence[Tree]) -> None:
    """Tell where the trees split ``tensor``, for rows to be tried there."""
    features = np.concatenate([_compared(tree, tree.feature) for tree in trees])
    thresholds = np.concatenate([_compared(tree, tree.threshold) for tree in trees])
    for feature in np.unique(features):
        lowering.note_splits(tensor, int(feature), np.unique(thresholds[features == feature]).astype(np.float64))


def _compared(tree: Tree, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    inner = tree.left >= 0
    inner[list(tree.members)] = False
    return values[inner]


class _Nodes:
    """The arrays that ONNX describes all trees by, inner nodes and leaves numbered apart."""

    def __init__(self, trees: Sequence[Tree]) -> None:
        self.leaves = [np.flatnonzero(tree.left < 0) for tree in trees]
        self._parts: dict[str, list[npt.NDArray[Any]]] = {}
        self._members: list[Floats] = []
        self._roots: list[int] = []
        nodes = leaves = 0
        for tree, own in zip(trees, self.leaves, strict=True):
            self._roots.append(nodes)
            nodes += self._add(tree, own, nodes, leaves)
            leaves += len(own)

    def _add(self, tree: Tree, leaves: Ints, first_node: int, first_leaf: int) -> int:
        """Add a tree, and return how many nodes it has."""
        inner = np.flatnonzero(tree.left >= 0)
        if not len(inner):
            self._add_lone_leaf(first_leaf)
            return 1
        place = np.empty(len(tree.left), dtype=np.int64)
        place[inner] = first_node + np.arange(len(inner))
        place[leaves] = first_leaf + np.arange(len(leaves))
        is_leaf = tree.left < 0
        modes = np.full(len(inner), tree.mode, dtype=np.uint8)
        for i, node in enumerate(inner.tolist() if tree.members else ()):
            if node in tree.members:
                modes[i] = Mode.MEMBER
                self._members += [tree.members[node], np.array([np.nan])]
        left, right = tree.left[inner], tree.right[inner]
        self._append(
            features=tree.feature[inner],
            splits=np.where(modes == Mode.MEMBER, 0, tree.threshold[inner]),
            modes=modes,
            missing=tree.missing_left[inner],
            true=place[left],
            true_leaf=is_leaf[left],
            false=place[right],
            false_leaf=is_leaf[right],
        )
        return len(inner)

    def _add_lone_leaf(self, leaf: int) -> None:
        one = np.array([1])
        mode = np.array([Mode.AT_MOST], dtype=np.uint8)
        zero = np.zeros(1)
        self._append(
            features=one * 0,
            splits=zero,
            modes=mode,
            missing=one,
            true=one * leaf,
            true_leaf=one,
            false=one * leaf,
            false_leaf=one,
        )

    def _append(self, **parts: npt.NDArray[Any]) -> None:
        for name, part in parts.items():
            self._parts.setdefault(name, []).append(part)

    def _joined(self, name: str, dtype: Any = np.int64) -> npt.NDArray[Any]:
        return np.concatenate(self._parts[name]).astype(dtype)

    def operator(self, graph: Graph, tensor: Name, targets: Ints, weights: Floats, count: int | None = None) -> Name:
        """Add the operator; weights and thresholds are of the same dtype as ``tensor``, ``count`` is that of targets."""
        attributes: dict[str, Any] = {}
        if self._members:
            members = np.concatenate(self._members)[:-1].astype(weights.dtype)
            attributes["membership_values"] = numpy_helper.from_array(members)
        return graph.op(
            "TreeEnsemble",
            tensor,
            domain="ai.onnx.ml",
            n_targets=count or int(targets.max()) + 1,
            tree_roots=self._roots,
            nodes_featureids=self._joined("features").tolist(),
            nodes_splits=numpy_helper.from_array(self._joined("splits", weights.dtype)),
            nodes_modes=helper.make_tensor("modes", TensorProto.UINT8, *_flat(self._joined("modes", np.uint8))),
            nodes_missing_value_tracks_true=self._joined("missing").tolist(),
            nodes_truenodeids=self._joined("true").tolist(),
            nodes_trueleafs=self._joined("true_leaf").tolist(),
            nodes_falsenodeids=self._joined("false").tolist(),
            nodes_falseleafs=self._joined("false_leaf").tolist(),
            leaf_targetids=targets.tolist(),
            leaf_weights=numpy_helper.from_array(weights),
            **attributes,
        )


def _flat(values: npt.NDArray[Any]) -> tuple[list[int], list[int]]:
    return [len(values)], values.tolist()
