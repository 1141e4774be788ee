"""Making the file that an engine runs; publishing needs the converters for this, serving does not."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

from model.engine.candidates import Candidate, Splits
from model.engine.lowered import Program
from model.engine.onnx import OnnxProgram
from model.engine.treelite import DTYPES, TreeliteProgram

EXTRA: Final = "sklearn-kserve[accelerate]"


class Refused(Exception):
    """An engine does not do; the message is half a sentence on why."""


class Made(NamedTuple):
    """A file's content, what runs it, and where its trees split."""

    content: bytes
    program: Program
    splits: Splits


def make_onnx(candidate: Candidate) -> Made:
    """
    Write an ONNX graph.

    Raises
    ------
    Refused
        There is none, or onnxruntime does not run it.
    """
    try:
        from model.engine.lowering import NotLowerable, lower  # noqa: PLC0415 -- needs an extra
    except ModuleNotFoundError as error:
        raise _not_installed(error) from error
    try:
        content, splits = lower(
            candidate.estimator, candidate.signature, candidate.inputs, candidate.known, candidate.rows[:1]
        )
    except NotLowerable as error:
        raise Refused(str(error)) from error
    return Made(content, _program(content, candidate), splits)


def _program(content: bytes, candidate: Candidate) -> Program:
    try:
        return OnnxProgram(content, getattr(candidate.estimator, "classes_", None))
    except ModuleNotFoundError as error:
        raise _not_installed(error) from error
    except Exception as error:
        raise Refused(f"onnxruntime does not run the graph: {_short(error)}") from error


def make_treelite(candidate: Candidate) -> Made:
    """
    Write a model of treelite's.

    Raises
    ------
    Refused
        The estimator is no ensemble of trees that treelite reads.
    """
    estimator = candidate.estimator
    while hasattr(estimator, "steps") and len(estimator.steps) == 1:
        estimator = estimator.steps[0][1]
    name = f"{type(estimator).__module__}.{type(estimator).__qualname__}"
    if name not in DTYPES or getattr(estimator, "n_outputs_", 1) > 1:
        raise Refused(f"treelite reads no {name}")
    if candidate.known:
        msg = "treelite is given no columns of categories"
        raise Refused(msg)
    try:
        import treelite  # noqa: PLC0415 -- an extra
    except ModuleNotFoundError as error:
        raise _not_installed(error) from error
    try:
        model = _read(treelite, estimator, name)
    except Exception as error:
        raise Refused(f"treelite does not read {name}: {_short(error)}") from error
    content = model.serialize_bytes()
    return Made(content, TreeliteProgram(content, estimator), _splits(model))


def _read(treelite: Any, estimator: Any, name: str) -> Any:
    if name.startswith("xgboost."):
        return treelite.frontend.from_xgboost(estimator.get_booster())
    if name.startswith("lightgbm."):
        return treelite.frontend.from_lightgbm(estimator.booster_)
    return treelite.sklearn.import_model(estimator)


def _splits(model: Any) -> Splits:
    """Return the thresholds of each column."""
    fields = ("cleft", "split_index", "threshold")
    trees = [model.get_tree_accessor(i) for i in range(model.num_tree)]
    children, columns, thresholds = (np.concatenate([tree.get_field(f) for tree in trees]) for f in fields)
    inner = children >= 0
    return [
        (int(column), np.unique(thresholds[inner & (columns == column)]).astype(np.float64))
        for column in np.unique(columns[inner])
    ]


def _not_installed(error: ModuleNotFoundError) -> Refused:
    return Refused(f"{error.name} is not installed here; install {EXTRA}")


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


MAKERS: Final[dict[str, Callable[[Candidate], Made]]] = {"onnx": make_onnx, "treelite": make_treelite}
"""By the name of the engine, the fastest first."""
