"""What the gate counts as a difference."""

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeRegressor

from model.engine.parity import Gate, distance, split
from model.signature import Inputs
from model.signature.infer import infer_signature


@pytest.mark.parametrize(
    ("expected", "got", "difference", "wrong"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0, 0),
        ([1.0, np.nan], [1.0, np.nan], 0.0, 0),
        ([-np.inf, 2.0], [-np.inf, 2.0], 0.0, 0),
        ([1.0, 2.0], [1.0, 2.00001], 5e-6, 0),
        ([1.0, 0.2], [1.0, 0.201], 1e-3, 1),
        ([1.0, np.nan], [1.0, 2.0], 0.0, 1),
        ([1.0, np.inf], [1.0, 1e300], 0.0, 1),
        (["a", "b"], ["a", "c"], 0.0, 1),
        ([1, 2, 3], [1, 3, 2], 0.0, 2),
        ([True, False], [True, True], 0.0, 1),
        ([[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [5.0, 9.0]], 1.25, 1),
        ([1.0, 2.0], [[1.0], [2.0]], 0.0, 2),
        (["1", "2"], [1, 2], 0.0, 2),
    ],
)
def test_answers_differ_by_row(expected: Any, got: Any, difference: float, wrong: int) -> None:
    gap, rows = distance(np.array(expected), np.array(got))
    assert gap == pytest.approx(difference)
    assert rows == wrong


def test_answers_for_several_targets_differ_as_the_worst_does() -> None:
    a, b = np.array([0.1, 0.2]), np.array([0.1, 0.7])
    gap, rows = distance([a, a], [a, b])
    assert gap == pytest.approx(0.5)
    assert rows == 1


def test_rows_are_told_apart_one_by_one() -> None:
    rows = np.arange(9.0).reshape(-1, 1)
    even, odd = split(rows, lambda some: bool((some % 2 == 0).all()))
    assert even.ravel().tolist() == [0, 2, 4, 6, 8]
    assert odd.ravel().tolist() == [1, 3, 5, 7]


class Program:
    """Answers what it is told to."""

    name = "onnx"
    methods = frozenset({"predict"})

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def run(self, matrix: Any, methods: Any) -> Any:
        answer = self._answer(matrix)
        return None if answer is None else {"predict": answer}


def gate(estimator: Any, answer: Any, X: Any) -> Gate:
    return Gate(Program(answer), estimator, Inputs(infer_signature(estimator, X)), ["predict", "score_samples"])


@pytest.fixture
def regression(numbers: Any) -> Any:
    return LinearRegression().fit(numbers, numbers[:, 0])


def test_rows_answered_where_scikit_learn_refuses_are_a_failure(numbers: Any, regression: Any) -> None:
    holed = numbers[:3].copy()
    holed[1, 1] = np.nan
    compared = gate(regression, lambda rows: np.nan_to_num(rows[:, 0]), numbers).compare({"missing": holed})
    assert compared.failures == {"predict": "it answers 1 missing rows that scikit-learn refuses"}


def test_rows_left_to_scikit_learn_are_counted(numbers: Any, regression: Any) -> None:
    def cautious(rows: Any) -> Any:
        return regression.predict(rows) if (rows[:, 0] > 0).all() else None

    compared = gate(regression, cautious, numbers).compare({"given": numbers})
    positive = int((numbers[:, 0] > 0).sum())
    assert (compared.rows, compared.left) == ({"given": positive}, len(numbers) - positive)
    assert compared.failures == {}


def test_a_single_row_that_differs_is_found(numbers: Any) -> None:
    tree = DecisionTreeRegressor(max_depth=2).fit(numbers, numbers[:, 0])

    def nearly(rows: Any) -> Any:
        answers = tree.predict(rows)
        answers[7] += 0.5
        return answers

    compared = gate(tree, nearly, numbers).compare({"given": numbers})
    assert compared.failures == {"predict": "predict differs in 1 of 200 given rows, by up to 0.5"}
    assert compared.differences == {"predict": pytest.approx(0.5)}
