import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier

from model.artifact import publish
from training.columns import Kind
from training.config import Config
from training.continuity import check_continuity, warn_of_columns
from training.errors import DataError
from training.registry import CHAMPION, Registry

Make = Callable[..., Config]

X = pd.DataFrame(
    {
        "weight": [1.5, 2.5, 3.5, 4.5],
        "rings": [1, 2, 3, 4],
        "colour": ["red", "green", "red", "green"],
        "fresh": [True, False, True, False],
        "bruised": np.array([True, np.nan, False, True], dtype=object),
        "picked": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"]),
    }
)
KINDS = {
    "weight": Kind.NUMBER,
    "rings": Kind.NUMBER,
    "colour": Kind.CATEGORY,
    "fresh": Kind.BOOLEAN,
    "bruised": Kind.BOOLEAN,
    "picked": Kind.DATE,
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("root")
    model = DummyClassifier().fit(X, [0, 1, 0, 1])
    registry = Registry(root)
    version = registry.publish("fruit", lambda at: publish(model, X, name="fruit", root=at, accelerate=False))
    registry.move("fruit", CHAMPION, version)
    return root


def test_columns_that_are_as_they_were_are_taken(root: Path, config: Make) -> None:
    check_continuity(KINDS, config(), Registry(root))
    check_continuity({**KINDS, "colour": Kind.TEXT}, config(), Registry(root))


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("weight", Kind.CATEGORY, "holds texts, and the champion, version 1, was fitted on numbers;"),
        ("rings", Kind.DATE, "holds dates, and the champion, version 1, was fitted on numbers;"),
        ("colour", Kind.NUMBER, "holds numbers, and the champion, version 1, was fitted on texts;"),
        ("fresh", Kind.NUMBER, "holds numbers, and the champion, version 1, was fitted on truth values;"),
        ("bruised", Kind.TEXT, "holds texts, and the champion, version 1, was fitted on truth values;"),
        ("picked", Kind.CATEGORY, "holds texts, and the champion, version 1, was fitted on dates;"),
    ],
)
def test_a_column_of_another_type_is_refused_unless_it_is_declared(
    root: Path, config: Make, name: str, kind: Kind, said: str
) -> None:
    kinds = {**KINDS, name: kind}
    with pytest.raises(DataError, match=f"column {name!r} {said} mend the data, or declare its kind under columns"):
        check_continuity(kinds, config(), Registry(root))
    with pytest.raises(DataError):
        check_continuity(kinds, config(columns={name: {"missing": "drop"}}), Registry(root))
    check_continuity(kinds, config(columns={name: str(kind)}), Registry(root))


def test_a_column_that_the_champion_does_not_take_is_no_matter(root: Path, config: Make) -> None:
    check_continuity({"stem": Kind.DATE}, config(), Registry(root))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (list(KINDS), []),
        ([*KINDS, "stem"], ["this one adds 'stem' among its columns"]),
        (["weight", "rings", "colour", "fresh"], ["this one lacks 'bruised', 'picked' among its columns"]),
        (["weight", "stem"], ["this one lacks 'rings', 'colour', 'fresh', 'bruised', 'picked' and adds 'stem' among"]),
    ],
)
def test_columns_that_come_or_go_are_told(
    root: Path, config: Make, caplog: pytest.LogCaptureFixture, names: list[str], said: list[str]
) -> None:
    caplog.set_level(logging.WARNING, "training")
    warn_of_columns(names, config(), Registry(root))
    assert len(caplog.messages) == len(said)
    assert all(part in message for part, message in zip(said, caplog.messages, strict=True))


def test_without_a_champion_there_is_nothing_to_go_on_with(tmp_path: Path, config: Make) -> None:
    check_continuity(KINDS, config(), Registry(tmp_path))
    warn_of_columns(KINDS, config(), Registry(tmp_path))


def test_a_champion_that_is_damaged_is_said_and_replaced(
    tmp_path: Path, root: Path, config: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "training")
    damaged = tmp_path / "fruit" / "1"
    damaged.mkdir(parents=True)
    (damaged / "manifest.json").write_text("{")
    (tmp_path / "fruit" / "aliases.json").write_bytes((root / "fruit" / "aliases.json").read_bytes())
    check_continuity({**KINDS, "weight": Kind.DATE}, config(), Registry(tmp_path))
    assert "columns are not held to those of the champion: " in caplog.text
