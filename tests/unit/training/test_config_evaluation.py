from pathlib import Path
from typing import Any

import pytest

from training.config import Config
from training.config.card import CardText
from training.config.evaluation import Budget, EvaluationChoice, Fairness, Intervals, NonInferiority, Slices
from training.config.section import Section

LEAST = {"name": "fruit", "source": "fruit.csv", "target": "kind", "task": "classification"}
FAIR = {"column": "colour", "metric": "accuracy", "max_difference": 0.1}

SECTIONS: dict[str, type[Section]] = {
    "evaluation.intervals.": Intervals,
    "evaluation.slices.": Slices,
    "evaluation.fairness.": Fairness,
    "evaluation.non_inferiority.": NonInferiority,
    "evaluation.budget.": Budget,
    "card.": CardText,
}


@pytest.mark.parametrize(
    ("evaluation", "sentence"),
    [
        (
            {"fairness": [{"column": "colour", "metric": "accuracy"}]},
            "sets no limit; expected max_difference, min_ratio",
        ),
        (
            {"fairness": [{**FAIR, "metric": "selection_rate"}]},
            "selection_rate needs a label, and nothing else has one",
        ),
        ({"fairness": [{**FAIR, "label": "pear"}]}, "selection_rate needs a label, and nothing else has one"),
        ({"fairness": [{**FAIR, "metric": "rmse"}]}, "fairness.0.metric names 'rmse', which is not of this task"),
        (
            {"non_inferiority": {"metric": "exactness", "margin": 0.1}},
            "evaluation.non_inferiority.metric names 'exactness', which is unknown; expected one of accuracy, ",
        ),
        ({"non_inferiority": {"metric": "accuracy", "margin": 0}}, "greater than 0"),
        ({"intervals": {"confidence": 95}}, "less than 1"),
        ({"budget": {"seconds": 1}}, "Extra inputs are not permitted"),
    ],
)
def test_what_does_not_fit_is_named(evaluation: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=r"(?s).") as caught:
        Config.model_validate({**LEAST, "evaluation": evaluation})
    assert sentence in str(caught.value)


def test_a_rate_of_selection_is_of_classes() -> None:
    rate = {"column": "colour", "metric": "selection_rate", "label": "pear", "min_ratio": 0.8}
    assert Config.model_validate({**LEAST, "evaluation": {"fairness": [rate]}}).evaluation.fairness[0].label == "pear"
    with pytest.raises(ValueError, match="names 'selection_rate', which is not of this task"):
        Config.model_validate({**LEAST, "task": "regression", "evaluation": {"fairness": [rate]}})


def test_every_setting_is_documented() -> None:
    page = Path("docs/training/evaluation.md").read_text()
    keys = [
        "metrics",
        "floor",
        *(f"evaluation.{key}" for key in EvaluationChoice.model_fields if f"evaluation.{key}." not in SECTIONS),
    ]
    keys += [f"{prefix}{key}" for prefix, section in SECTIONS.items() for key in section.model_fields]
    assert [key for key in keys if f"| `{key}` |" not in page] == []
