"""Whether a model serves groups of rows alike."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from training.config.evaluation import SELECTION_RATE, EvaluationChoice, Fairness
from training.evaluation.answering import label_called, spelled
from training.evaluation.decision import Check
from training.evaluation.resampling import scores
from training.evaluation.slices import groups_of
from training.metrics import Answers


def check_fairness(answers: Answers, columns: pd.DataFrame, choice: EvaluationChoice) -> Iterator[Check]:
    """
    Hold the groups of each column that fairness is asked of against each other.

    Groups of fewer rows than a slice needs are left out; where fewer than two are left, or a group defines no value,
    nothing can be said, and the check is not passed.

    Raises
    ------
    ConfigurationError
        There is no such column or label.
    """
    for fairness in choice.fairness:
        groups = groups_of(fairness.column, columns)
        large = {name: answers.at(rows) for name, rows in groups.items() if rows.sum() >= choice.slices.min_rows}
        yield _check(fairness, {name: _value(fairness, group) for name, group in large.items()}, choice)


def _check(fairness: Fairness, values: dict[str, float], choice: EvaluationChoice) -> Check:
    what = fairness.metric if fairness.label is None else f"{SELECTION_RATE} of {spelled(fairness.label)}"
    of = f"{what} by {fairness.column}"
    figures = {
        "metric": what,
        "column": fairness.column,
        **{f"value of {name}": value for name, value in values.items()},
    }
    if len(values) < 2:  # noqa: PLR2004 -- what is alike
        sentence = f"{of} can't be compared: {len(values)} groups have the {choice.slices.min_rows} rows of slices.min_rows, expected two or more"
        return Check(name="fairness", passed=False, sentence=sentence, figures=figures)
    undefined = [name for name, value in values.items() if not np.isfinite(value)]
    if undefined:
        sentence = f"{of} can't be compared: the rows of {undefined[0]} do not define it"
        return Check(
            name="fairness", passed=False, sentence=sentence, figures={"metric": what, "column": fairness.column}
        )
    low, high = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
    difference = values[high] - values[low]
    ratio = values[low] / values[high] if values[high] > 0 else 1.0
    limits = _limits(fairness, difference, ratio)
    return Check(
        name="fairness",
        passed=all(met for met, _ in limits),
        sentence=f"{of} is {values[low]:.4g} of {low} and {values[high]:.4g} of {high}, {' and '.join(said for _, said in limits)}",
        figures={
            **figures,
            "difference": difference,
            "max_difference": fairness.max_difference,
            "ratio": ratio,
            "min_ratio": fairness.min_ratio,
        },
    )


def _limits(fairness: Fairness, difference: float, ratio: float) -> list[tuple[bool, str]]:
    limits = []
    if fairness.max_difference is not None:
        said = f"a difference of {difference:.4g}, expected at most {fairness.max_difference:g}"
        limits.append((difference <= fairness.max_difference, said))
    if fairness.min_ratio is not None:
        said = f"a ratio of {ratio:.4g}, expected at least {fairness.min_ratio:g}"
        limits.append((ratio >= fairness.min_ratio, said))
    return limits


def _value(fairness: Fairness, group: Answers) -> float:
    if fairness.metric != SELECTION_RATE or fairness.label is None:
        return scores([fairness.metric], group)[fairness.metric]
    return float(np.mean(group.predicted == label_called(fairness.label, group.labels, "evaluation.fairness.label")))
