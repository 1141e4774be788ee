from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from training.config import Config
from training.evaluation import Evaluation, evaluate
from training.evaluation.pictures import pictures_of
from training.metrics import Answers

LEAST = {"name": "fruit", "source": "fruit.csv", "target": "kind", "task": "classification"}


def classified(labels: list[str], rows: int = 200) -> Evaluation:
    generator = np.random.default_rng(0)
    known = np.array(sorted(labels), dtype=object)
    probabilities = generator.dirichlet(np.ones(len(known)), rows)
    truth = known[generator.integers(0, len(known), rows)]
    answers = Answers(truth, known[probabilities.argmax(axis=1)], known, probabilities)
    return evaluate(answers, _no_columns(rows), Config.model_validate(LEAST))


def estimated() -> Evaluation:
    generator = np.random.default_rng(0)
    answers = Answers(generator.normal(size=200), generator.normal(size=200))
    return evaluate(answers, _no_columns(200), Config.model_validate({**LEAST, "task": "regression"}))


def _no_columns(rows: int) -> pd.DataFrame:
    return pd.DataFrame(index=range(rows))


def drawn(evaluation: Evaluation) -> dict[str, bytes]:
    return {picture.name: picture.svg() for picture in pictures_of(evaluation)}


def test_a_classification_has_its_pictures_and_a_regression_others() -> None:
    classification = [picture.name for picture in pictures_of(classified(["a", "b", "c"]))]
    assert classification == ["confusion.svg", "roc.svg", "precision-recall.svg", "reliability.svg"]
    assert [picture.name for picture in pictures_of(estimated())] == ["predictions.svg", "residuals.svg"]


def test_they_are_the_same_each_time_and_need_nothing_else() -> None:
    for evaluation in (classified(["a", "b", "c"]), estimated()):
        first = drawn(evaluation)
        assert first == drawn(evaluation)
        for svg in first.values():
            tree = ET.fromstring(svg)  # noqa: S314 -- our own
            kinds = {element.tag.rpartition("}")[2] for element in tree.iter()}
            assert not kinds & {"script", "text", "foreignObject"}
            targets = [value for e in tree.iter() for name, value in e.attrib.items() if name.endswith("href")]
            assert all(target.startswith(("#", "data:image/png")) for target in targets)


def test_a_record_that_was_written_draws_the_same() -> None:
    evaluation = classified(["a", "b"])
    assert drawn(Evaluation.model_validate_json(evaluation.model_dump_json())) == drawn(evaluation)


@pytest.mark.parametrize(
    "labels",
    [["$x$", "$\\frac"], ["<script>", "&"], ["日本", "λ"], ["a" * 200, "b"], [f"label {i}" for i in range(14)]],
)
def test_any_label_is_drawn(labels: list[str]) -> None:
    assert all(svg.startswith(b"<?xml") for svg in drawn(classified(labels)).values())


def test_what_they_show_is_said() -> None:
    said = {picture.name: picture.description for picture in pictures_of(classified(["a", "b"]))}
    assert " of 200 rows are predicted as they are. Most often " in said["confusion.svg"]
    assert "for b; guessing has 0.5" in said["roc.svg"]
    residuals = {picture.name: picture.description for picture in pictures_of(estimated())}["residuals.svg"]
    assert residuals.startswith("How far the expected kind is above the predicted one: between -")
