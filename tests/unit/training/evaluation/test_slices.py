from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from training.config import Config
from training.config.evaluation import EvaluationChoice
from training.errors import ConfigurationError
from training.evaluation.fairness import check_fairness
from training.evaluation.slices import groups_of, sliced
from training.metrics import Answers

N = 120
COLUMNS = pd.DataFrame(
    {
        "island": ["Biscoe"] * 60 + ["Dream"] * 50 + ["Torgersen"] * 10,
        "mass": np.arange(N, dtype=float),
        "count": np.arange(N) % 3,
        "fresh": [True, False] * 60,
        "sex": ["male"] * 50 + [None] * 20 + ["female"] * 50,
    }
)
TRUTH = np.arange(N) % 2
ANSWERS = Answers(TRUTH, np.where(np.arange(N) < 90, TRUTH, 1 - TRUTH), np.arange(2))


def sizes(column: str) -> dict[str, int]:
    return {value: int(rows.sum()) for value, rows in groups_of(column, COLUMNS).items()}


def choice(**settings: Any) -> EvaluationChoice:
    return EvaluationChoice.model_validate(settings)


def test_rows_are_divided_by_values_ranges_and_what_is_missing() -> None:
    assert sizes("island") == {"Biscoe": 60, "Dream": 50, "Torgersen": 10}
    assert sizes("mass") == {"up to 29.75": 30, "over 29.75 to 59.5": 30, "over 59.5 to 89.25": 30, "over 89.25": 30}
    assert sizes("count") == {"0": 40, "1": 40, "2": 40}
    assert sizes("fresh") == {"false": 60, "true": 60}
    assert sizes("sex") == {"female": 50, "male": 50, "(missing)": 20}


def test_every_row_is_in_one_group() -> None:
    for column in COLUMNS:
        assert (np.sum(list(groups_of(str(column), COLUMNS).values()), axis=0) == 1).all()


def test_ranges_of_equal_numbers_are_one() -> None:
    skewed = pd.DataFrame({"amount": [0.0] * 100 + list(range(1, 21))})
    assert {value: int(rows.sum()) for value, rows in groups_of("amount", skewed).items()} == {
        "up to 0": 100,
        "over 0": 20,
    }


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(
        ConfigurationError, match="evaluation names column 'age', which the rows lack; they have island,"
    ):
        groups_of("age", COLUMNS)


def test_a_slice_is_measured_and_a_small_one_is_named() -> None:
    found = sliced("island", ANSWERS, COLUMNS, ["accuracy"], choice())
    assert found.small == {"Torgersen": 10}
    assert [(each.value, each.rows, each.metrics["accuracy"]) for each in found.slices] == [
        ("Biscoe", 60, 1.0),
        ("Dream", 50, pytest.approx(0.6)),
    ]
    dream = found.slices[1].intervals["accuracy"]
    assert dream.low < 0.6 < dream.high
    assert not found.slices[0].intervals


def test_a_metric_that_a_slice_does_not_define_is_left_out() -> None:
    probabilities = np.column_stack([1 - ANSWERS.predicted, ANSWERS.predicted]).astype(float)
    answers = Answers(np.where(COLUMNS["island"] == "Dream", 1, TRUTH), ANSWERS.predicted, np.arange(2), probabilities)
    found = sliced("island", answers, COLUMNS, ["accuracy", "roc_auc"], choice())
    assert [list(each.metrics) for each in found.slices] == [["accuracy", "roc_auc"], ["accuracy"]]


def checked(**fairness: Any) -> Any:
    (check,) = check_fairness(ANSWERS, COLUMNS, choice(fairness=[fairness]))
    return check


def test_groups_that_differ_too_much_are_told() -> None:
    check = checked(column="island", metric="accuracy", max_difference=0.1, min_ratio=0.8)
    assert not check.passed
    assert check.sentence == (
        "accuracy by island is 0.6 of Dream and 1 of Biscoe, a difference of 0.4, expected at most 0.1 and "
        "a ratio of 0.6, expected at least 0.8"
    )
    assert check.figures["value of Dream"] == pytest.approx(0.6)
    assert check.figures["difference"] == pytest.approx(0.4)


def test_groups_that_are_alike_pass() -> None:
    assert checked(column="fresh", metric="accuracy", max_difference=0.1).passed
    assert checked(column="fresh", metric="accuracy", min_ratio=0.8).passed
    assert not checked(column="island", metric="accuracy", min_ratio=0.8).passed


def test_the_rate_of_a_label_is_compared() -> None:
    check = checked(column="fresh", metric="selection_rate", label="1", min_ratio=0.8)
    assert check.sentence == (
        "selection_rate of 1 by fresh is 0.25 of true and 0.75 of false, a ratio of 0.3333, expected at least 0.8"
    )


def test_a_label_that_nothing_is_predicted_as_is_selected_alike() -> None:
    never = Answers(TRUTH, np.zeros(N, dtype=int), np.arange(2))
    fairness = {"column": "fresh", "metric": "selection_rate", "label": 1, "min_ratio": 0.8}
    (check,) = check_fairness(never, COLUMNS, choice(fairness=[fairness]))
    assert check.passed


def test_a_label_that_is_none_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"evaluation\.fairness\.label is 'x'; expected one of 0, 1"):
        checked(column="fresh", metric="selection_rate", label="x", min_ratio=0.8)


def test_what_can_not_be_compared_does_not_pass() -> None:
    fairness = {"column": "island", "metric": "accuracy", "min_ratio": 0.8}
    (check,) = check_fairness(ANSWERS, COLUMNS, choice(fairness=[fairness], slices={"min_rows": 60}))
    assert (check.passed, check.sentence) == (
        False,
        "accuracy by island can't be compared: 1 groups have the 60 rows of slices.min_rows, expected two or more",
    )
    check = checked(column="fresh", metric="roc_auc", min_ratio=0.8)
    assert (check.passed, check.sentence) == (
        False,
        "roc_auc by fresh can't be compared: the rows of false do not define it",
    )


def test_columns_of_slices_and_fairness_are_asked_for(config: Callable[..., Config]) -> None:
    chosen = config(
        evaluation={
            "slices": {"columns": ["island", "sex"]},
            "fairness": [{"column": c, "metric": "accuracy", "min_ratio": 0.5} for c in ("sex", "age")],
        }
    )
    assert chosen.evaluation.columns == ("island", "sex", "age")
