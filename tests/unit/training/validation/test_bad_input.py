"""What goes wrong with data, as whoever runs the command sees it: one sentence, nothing published, nothing lost."""

from pathlib import Path

import pandas as pd
import pytest

from tests.unit.training.project import FRUIT, Project

LINES = FRUIT.splitlines()
HEADER = LINES[0]


def fruit(changes: dict[int, str]) -> str:
    """Return the fruits with some rows replaced, by their numbers."""
    return "\n".join([changes.get(number, line) for number, line in enumerate(LINES)]) + "\n"


def test_an_undeclared_column_that_has_changed_its_type_is_said_before_anything_is_fitted(project: Project) -> None:
    project.train()
    project.write_data(FRUIT.replace("\n1", "\nheavy 1"))
    result = project.train()
    assert result.code == 1
    assert result.sentence == (
        "sklearn-kserve-train: column 'weight' holds texts, and the champion, version 1, was fitted on numbers; mend the "
        "data, or declare its kind under columns if that is meant"
    )
    assert "fit " not in result.err
    assert project.train(command="validate").sentence == result.sentence
    project.write_config(columns={"weight": "category"})
    assert project.train().code == 0
    assert project.versions() == ["1", "2"]


@pytest.mark.parametrize(
    ("data", "changes", "sentence"),
    [
        (
            "colour,kind\ngreen,pear\nred,apple\n",
            {"columns": {"weight": "number"}},
            "columns names column 'weight', which the data lack; they have colour, kind",
        ),
        (
            FRUIT.replace("\n1", "\nheavy 1"),
            {"columns": {"weight": "number"}},
            "20 of 40 rows fail a check, more than the share of 0.05 that quarantine.limit allows; most often column 'weight' has 'heavy 100' in row 1; expected a finite number (20 of them)",
        ),
        (
            FRUIT.replace("green", "violet"),
            {"columns": {"colour": {"kind": "category", "allowed": ["green", "yellow", "red"]}}},
            "17 of 40 rows fail a check, more than the share of 0.05 that quarantine.limit allows; most often column 'colour' has 'violet' in row 2; expected one of green, yellow, red (17 of them)",
        ),
        (
            FRUIT.replace("pear", "NaN").replace("apple", ""),
            {},
            "target 'kind' is missing in all 40 rows; expected a value in some",
        ),
        (
            FRUIT.replace("pear", "NaN"),
            {},
            "target 'kind' is 'apple' in every row; expected at least two classes",
        ),
        (
            fruit({7: "about 100,green,pear"}),
            {},
            "column 'weight' mixes numbers and other texts, such as '100' in row 1 and 'about 100' in row 7; declare it under columns: what is not of its kind is then quarantined",
        ),
    ],
    ids=["missing column", "changed type", "new category", "no target", "one class", "mixed types"],
)
def test_it_is_said_in_a_sentence(project: Project, data: str, changes: dict[str, object], sentence: str) -> None:
    project.write_data(data)
    project.write_config(**changes)
    result = project.train()
    assert result.code == 1
    assert result.sentence.partition("; /")[0] == f"sklearn-kserve-train: {sentence}"
    assert result.out == ""
    assert project.versions() == []


def test_the_rows_that_made_a_run_fail_are_where_its_sentence_says(project: Project) -> None:
    project.write_data(FRUIT.replace("\n1", "\nheavy 1"))
    project.write_config(columns={"weight": "number"})
    failures = Path(project.train().sentence.partition("; /")[2].removesuffix(" names each"))
    assert len(pd.read_csv("/" / failures)) == 20
    assert len(pd.read_parquet("/" / failures.with_name("quarantine.parquet"))) == 20


def test_a_constant_column_is_warned_of(project: Project) -> None:
    project.write_data("\n".join([f"{HEADER},planet", *(f"{line},earth" for line in LINES[1:])]))
    project.train(command="ingest")
    result = project.train(command="validate")
    assert result.code == 0
    assert "column 'planet' is 'earth' in every row, which tells nothing; list it under drop" in result.err.splitlines()


def test_few_bad_rows_are_put_aside_and_the_others_learned_from(project: Project) -> None:
    project.write_data(fruit({7: "about 100,green,pear"}))
    project.write_config(columns={"weight": "number"})
    project.train(command="ingest")
    result = project.train(command="validate")
    assert result.code == 0
    counts = "40 rows read, 0 duplicates and 0 rows without a target dropped, 1 quarantined, 39 kept"
    assert counts in result.err.splitlines()
    written = next(project.root.glob(".runs/steps/fruit/validate/*/quarantine.parquet"))
    assert pd.read_parquet(written).to_dict("records") == [
        {"row": 7, "weight": "about 100", "colour": "green", "kind": "pear"}
    ]
