"""
What the rules of lowering share: the graph in the making, the rows an estimator is given, and the rules by class.

A rule takes the lowering, a fitted estimator and its rows, and returns the tensors of what the estimator's methods
answer, by name. After a colon stands how the answer is written: ``predict:index`` is the position of a label in
``classes_``, ``predict:sign`` is 1 where the label is positive, ``predict_proba:0`` the first of several arrays.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from model.engine.lowered import FLOAT32_MAX
from model.engine.lowering.graph import INPUT, Graph, Name, NotLowerable
from model.engine.onnx import INSIDE
from model.signature import Column, Inputs, Signature
from model.signature.coding import Known, Matrix

Answers = dict[str, Name]
Estimator = Any


@dataclass(frozen=True, slots=True)
class RawColumn:
    """
    A column as a request brings it.

    Parameters
    ----------
    position : int
        In the graph's input.
    column : Column
    known : Known or None
        The values that its codes stand for, none at all where they are dates or texts; None for a column of numbers.
    """

    position: int
    column: Column
    known: Known | None

    @property
    def plain(self) -> bool:
        """Whether its codes are the numbers that an array of floats would hold."""
        return self.known in (None, (False, True))


@dataclass(frozen=True, slots=True)
class Raw:
    """Rows as a request brings them, or some of their columns."""

    columns: tuple[RawColumn, ...]

    def take(self, indices: Sequence[int]) -> "Raw":
        """Return some of the columns."""
        return Raw(tuple(self.columns[index] for index in indices))

    @property
    def positions(self) -> list[int]:
        """Where the columns stand in the graph's input."""
        return [column.position for column in self.columns]


Rows = Name | Raw
"""What an estimator is given: a tensor of numbers, or columns as they came."""


@dataclass(frozen=True, slots=True)
class Splits:
    """
    Where a feature of trees is split.

    Parameters
    ----------
    position : int or None
        Of the column in the graph's input; None where the trees see what is computed from it.
    thresholds : ndarray
    """

    position: int | None
    thresholds: npt.NDArray[np.float64]


@dataclass(slots=True)
class Lowering:
    """
    One estimator on its way to a graph.

    Parameters
    ----------
    signature : Signature
    inputs : Inputs
        Turns a matrix of numbers into the table that the estimator was fitted on.
    known : dict of str to Known
        Values of each column that is not one of numbers.
    example : ndarray of shape (1, n_features)
        A row that the estimator answers.
    """

    signature: Signature
    inputs: Inputs
    known: dict[str, Known]
    example: Matrix
    graph: Graph = field(init=False)
    inside: list[Name] = field(default_factory=list)
    """Tensors of shape (n_samples, n): whether scikit-learn's answer to a row is that of the graph."""
    splits: list[Splits] = field(default_factory=list)
    foreign: set[str] = field(default_factory=set)
    """Classes that another converter has lowered."""
    _origins: dict[Name, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.graph = Graph(len(self.signature.inputs))

    def rows(self) -> Raw:
        """Return the graph's input."""
        columns = self.signature.inputs
        return Raw(tuple(RawColumn(i, column, self.known.get(column.name)) for i, column in enumerate(columns)))

    def lower(self, estimator: Estimator, rows: Rows) -> Answers:
        """
        Add an estimator to the graph.

        Raises
        ------
        NotLowerable
            There is no rule for it, or its rule does not cover how it was fitted.
        """
        own = RULES.get(full_name(estimator), _FALLBACK[0])
        return own(self, estimator, rows)

    def transform(self, estimator: Estimator, rows: Rows) -> Name:
        """Add a transformer to the graph, and return what it makes of the rows."""
        return self.answer(estimator, rows, "transform")

    def answer(self, estimator: Estimator, rows: Rows, method: str) -> Name:
        """Add an estimator to the graph, and return what one of its methods answers."""
        answers = self.lower(estimator, rows)
        if method not in answers:
            raise NotLowerable(f"{method} of {type(estimator).__name__} has no graph")
        return answers[method]

    def numbers(self, rows: Rows) -> Name:
        """Return rows as a tensor of numbers, as ``np.asarray(X, dtype=float)`` does."""
        if isinstance(rows, str):
            return rows
        for raw in rows.columns:
            if not raw.plain:
                raise NotLowerable(f"column {raw.column.name!r} holds no numbers, and is used as it comes")
        positions = rows.positions
        whole = positions == list(range(len(self.signature.inputs)))
        tensor = INPUT if whole else self.graph.columns(INPUT, positions)
        self._origins[tensor] = positions
        return tensor

    def numbers_or_codes(self, rows: Rows) -> Name:
        """Return rows as a tensor of numbers, where categories are their positions, and missing ones NaN."""
        if isinstance(rows, str) or all(raw.plain for raw in rows.columns):
            return self.numbers(rows)
        return self.graph.op("Concat", *(self._codes(raw) for raw in rows.columns), axis=1)

    def _codes(self, raw: RawColumn) -> Name:
        column = self.graph.columns(INPUT, [raw.position])
        if raw.known is None:
            return column
        if raw.column.dtype != "category":
            raise NotLowerable(f"column {raw.column.name!r} holds no numbers, and is used as it comes")
        missing = self.graph.op("Equal", column, float(raw.known.index(None) if None in raw.known else len(raw.known)))
        return self.graph.op("Where", missing, np.nan, column)

    def note_splits(self, tensor: Name, feature: int, thresholds: npt.NDArray[np.float64]) -> None:
        """Remember where trees split a column of a tensor, for rows to be tried there."""
        origin = self._origins.get(tensor)
        self.splits.append(Splits(None if origin is None else origin[feature], thresholds))

    def only_in_float32(self, tensor: Name) -> None:
        """Leave rows to scikit-learn where a computed number is beyond what float32 holds, for its trees refuse those."""
        if tensor in self._origins:  # the input itself, which the engine has looked at
            return
        held = self.graph.op("LessOrEqual", self.graph.op("Abs", tensor), FLOAT32_MAX)
        self.only_where(self.graph.op("Or", held, self.graph.op("IsNaN", tensor)))

    def only_where(self, condition: Name) -> None:
        """Leave rows to scikit-learn where a boolean tensor of shape (n_samples, n) is false anywhere."""
        self.inside.append(condition)

    def model(self, answers: Answers) -> bytes:
        """Return the graph as a file's content; ``inside`` is among its outputs if it is not true of all rows."""
        outputs = {f"{name}": tensor for name, tensor in answers.items()}
        if self.inside:
            graph = self.graph
            numbers = [graph.cast(condition, TensorProto.INT64) for condition in self.inside]
            joined = numbers[0] if len(numbers) == 1 else graph.op("Concat", *numbers, axis=1)
            outputs[INSIDE] = graph.op("ReduceMin", joined, [0, 1], keepdims=0)
        return self.graph.model(outputs)


Rule = Callable[[Lowering, Estimator, Rows], Answers]
RULES: Final[dict[str, Rule]] = {}
"""By the full name of the exact class: a subclass may answer otherwise."""


def full_name(estimator: Estimator) -> str:
    """Return the full name of an estimator's class."""
    return _name_of(type(estimator))


def rule(*classes: type | str) -> Callable[[Rule], Rule]:
    """Make a function the rule of some classes, of libraries that may not be there by their full names."""

    def register(function: Rule) -> Rule:
        RULES.update({each if isinstance(each, str) else _name_of(each): function for each in classes})
        return function

    return register


def _name_of(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _no_rule(_: Lowering, estimator: Estimator, __: Rows) -> Answers:
    raise NotLowerable(f"there is no graph for {full_name(estimator)}")


_FALLBACK: Final[list[Rule]] = [_no_rule]


def fallback(function: Rule) -> Rule:
    """Make a function the rule of all classes that have none."""
    _FALLBACK[0] = function
    return function


__all__ = [
    "RULES",
    "Answers",
    "Estimator",
    "Lowering",
    "NotLowerable",
    "Raw",
    "RawColumn",
    "Rows",
    "Splits",
    "fallback",
    "full_name",
    "rule",
]
