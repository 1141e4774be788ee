"""The gate: an engine serves if its answers are scikit-learn's, on rows made to find where they are not."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from model.engine.base import Engine
from model.engine.lowered import Program
from model.signature import Inputs
from model.signature.answers import quiet
from model.signature.coding import Matrix
from model.signature.outputs import dense

RTOL: Final = 1e-5
ATOL: Final = 1e-6
_RUNS: Final = 15
_SLOW_SECONDS: Final = 0.05


@dataclass(slots=True)
class Compared:
    """
    What came of comparing a program with an estimator.

    Parameters
    ----------
    rows : dict of str to int
        Compared, by where they came from.
    left : int
        Rows that the program left to the estimator.
    differences : dict of str to float
        The largest difference, by method.
    failures : dict of str to str
        By method, half a sentence on what differs.
    """

    rows: dict[str, int] = field(default_factory=dict)
    left: int = 0
    differences: dict[str, float] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


class Gate:
    """
    Compares a program with an estimator.

    Parameters
    ----------
    program : Program
    estimator : fitted estimator
    inputs : Inputs
        Makes tables for the estimator out of rows of numbers.
    methods : sequence of str
    """

    def __init__(self, program: Program, estimator: Any, inputs: Inputs, methods: Sequence[str]) -> None:
        self._program = program
        self._estimator = estimator
        self._inputs = inputs
        self._methods = tuple(method for method in methods if method in program.methods)

    def compare(self, groups: Mapping[str, Matrix]) -> Compared:
        """Compare all answers to groups of rows."""
        compared = Compared(differences=dict.fromkeys(self._methods, 0.0))
        for name, rows in groups.items():
            inside, outside = split(rows, self._is_inside)
            compared.left += len(outside)
            compared.rows[name] = len(inside)
            if len(inside):
                self._compare(name, inside, compared)
        return compared

    def _is_inside(self, rows: Matrix) -> bool:
        return self._program.run(rows, self._methods) is not None

    def _compare(self, name: str, rows: Matrix, compared: Compared) -> None:
        answered, refused = split(rows, self._is_answered)
        if len(refused):
            reason = f"it answers {len(refused)} {name} rows that scikit-learn refuses"
            compared.failures = dict.fromkeys(self._methods, reason)
            return
        got = self._program.run(answered, self._methods) or {}
        for method in self._methods:
            difference, wrong = distance(self._answer(method, answered), got[method])
            compared.differences[method] = max(compared.differences[method], difference)
            if wrong:
                by = f", by up to {difference:.2g}" if difference else ""
                compared.failures.setdefault(method, f"{method} differs in {wrong} of {len(answered)} {name} rows{by}")

    def _is_answered(self, rows: Matrix) -> bool:
        try:
            self._answer(self._methods[0], rows)
        except Exception:  # noqa: BLE001 -- whatever it raises, it has refused
            return False
        return True

    def _answer(self, method: str, rows: Matrix) -> Any:
        with quiet():
            return getattr(self._estimator, method)(self._inputs.as_fitted(rows))


def split(rows: Matrix, holds: Callable[[Matrix], bool]) -> tuple[Matrix, Matrix]:
    """Return the rows of which something holds, and the others; of many at once it holds if it does of each."""
    if not len(rows) or holds(rows):
        return rows, rows[:0]
    if len(rows) == 1:
        return rows[:0], rows
    middle = len(rows) // 2
    (some, few), (more, others) = split(rows[:middle], holds), split(rows[middle:], holds)
    return np.vstack([some, more]), np.vstack([few, others])


def distance(expected: Any, got: Any) -> tuple[float, int]:
    """
    Return the largest difference of two answers, and how many rows differ by more than the tolerance.

    The difference of values over 1 is relative. Labels have to be equal, and the shapes of arrays.
    """
    if isinstance(expected, list):
        parts = [distance(*pair) for pair in zip(expected, got, strict=True)]
        return max(part[0] for part in parts), max(part[1] for part in parts)
    a, b = dense(expected), dense(got)
    if a.shape != b.shape or (a.dtype.kind in "fiub") != (b.dtype.kind in "fiub"):
        return 0.0, len(a)
    if a.dtype.kind != "f":
        return 0.0, _rows(a != b)
    close = np.isclose(b, a, rtol=RTOL, atol=ATOL, equal_nan=True)
    with np.errstate(invalid="ignore"):
        gaps = np.abs(np.where(a == b, 0.0, a - b)) / np.maximum(1.0, np.abs(a))
    finite = gaps[np.isfinite(gaps)]
    return float(finite.max(initial=0.0)), _rows(~close)


def _rows(wrong: npt.NDArray[np.bool_]) -> int:
    return int(wrong.reshape(len(wrong), -1).any(axis=1).sum())


def microseconds(engine: Engine, table: Any, method: str) -> float:
    """Return the time that an engine takes for a small table, the median of a few."""
    seconds: list[float] = []
    with quiet():
        engine.run(table, [method])
        while len(seconds) < _RUNS and sum(seconds) < _SLOW_SECONDS:
            start = time.perf_counter()
            engine.run(table, [method])
            seconds.append(time.perf_counter() - start)
    return round(float(np.median(seconds)) * 1e6, 1)
