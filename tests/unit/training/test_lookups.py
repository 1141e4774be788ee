"""Look-ups by configuration: the same step in training as in serving."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from model.artifact import LoadPolicy
from model.servable import load_servable
from tests.unit.training.project import Project
from training.config.lookups import LookupChoice, joined_twice

PRICES = {
    "columns": {"price": "number", "taste": "category"},
    "address": "PRICES_URL",
    "table": "prices",
    "key": "sort",
}
ROWS = "sort,weight,kind\n" + "".join(f"sort{i % 8},{100 + i},{'pear' if i % 8 < 4 else 'apple'}\n" for i in range(64))


@pytest.fixture
def prices(project: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Prices that tell the kinds apart, which nothing else does."""
    path = project.directory / "prices.db"
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("CREATE TABLE prices (sort TEXT, price REAL, taste TEXT)")
        rows = [(f"sort{i}", 1.0 if i < 4 else 9.0, "sweet") for i in range(8)]
        connection.executemany("INSERT INTO prices VALUES (?, ?, ?)", rows)
    connection.close()
    monkeypatch.setenv("PRICES_URL", f"sqlite:///{path}")
    project.write_data(ROWS)
    project.write_config(columns={"sort": "text"}, lookups={"prices": PRICES}, floor={"accuracy": 0.95})
    return path


def test_what_is_looked_up_is_learned_from_and_served(project: Project, prices: Path) -> None:
    assert project.train().code == 0
    version = project.root / "fruit" / "1"
    servable = load_servable(version, "fruit", LoadPolicy())
    rows = pd.DataFrame({"sort": ["sort0", "sort7", "unknown"], "weight": [130.0, 130.0, 130.0]})
    answers = servable.run(rows, servable.outputs.select([]))["predict"]
    assert answers.tolist()[:2] == ["pear", "apple"]
    manifest = json.loads((version / "manifest.json").read_bytes())
    assert manifest["golden"]["lookups"]["prices"]["sort0"] == [1.0, "sweet"]
    assert "sqlalchemy" in manifest["modules"]
    assert [column["name"] for column in manifest["signature"]["inputs"]] == ["sort", "weight"]


def test_nothing_is_fitted_while_the_source_is_down(project: Project, prices: Path) -> None:
    prices.unlink()
    prices.mkdir()
    result = project.train()
    assert result.code == 1
    assert "The source of the look-up 'prices' does not answer: unable to open database file" in result.sentence
    assert not project.versions()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"lookups": {"a b": PRICES}}, "lookups has the name 'a b'; expected letters"),
        ({"lookups": {"p": {**PRICES, "key": "kind"}}}, "lookups.p.key is 'kind', which is the target or left out"),
        ({"lookups": {"p": {**PRICES, "columns": {"kind": "text"}}}}, "lookups.p joins 'kind', which is the target"),
        ({"lookups": {"p": {**PRICES, "defaults": {"x": 1}}}}, "lookups.p.defaults names 'x', which its columns lack"),
        ({"lookups": {"p": PRICES, "q": PRICES}}, "two of lookups join 'price'"),
        ({"lookups": {"p": {**PRICES, "address": "sqlite:///f.db"}}}, "lookups.p.address"),
        ({"lookups": {"p": {**PRICES, "sauce": 1}}}, "'lookups.p.sauce' is unknown; expected one of source, address"),
    ],
)
def test_a_look_up_that_does_not_fit_is_named(project: Project, changes: dict[str, Any], sentence: str) -> None:
    project.write_config(**changes)
    result = project.train()
    assert result.code == 1
    assert sentence in result.sentence


def test_two_look_ups_may_join_different_columns() -> None:
    choices = [LookupChoice(**{**PRICES, "columns": {name: "number"}}) for name in ("a", "b")]
    assert joined_twice(choices) is None
    assert joined_twice([*choices, choices[0]]) == "a"
