import json
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor

from model.artifact import publish
from tests.unit.training.registry.fish import publish_fish
from training.errors import RegistryError
from training.registry import CHAMPION, Registry, Version
from training.registry.description import describe, differences
from training.registry.tables import table, text

one, two = Version("fish", 1), Version("fish", 2)


def test_a_version_is_described_by_what_it_was_made_of(registry: Registry) -> None:
    registry.move("fish", CHAMPION, one)
    described = describe(registry, one)
    assert described["aliases"] == ["champion"]
    assert described["metrics"] == {"mae": 1.0}
    assert described["estimator"] == "sklearn.dummy.DummyRegressor"
    assert described["environment"]["scikit-learn"] == version("scikit-learn")
    assert set(described["files"]) == {"model.joblib", "run.json"}
    json.dumps(described)


def test_one_without_a_mark_is_described_too(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    rows = np.array([[1.0], [2.0]])
    estimator = DummyRegressor().fit(rows, rows[:, 0])
    registry.publish("fish", lambda root: publish(estimator, rows, name="fish", root=root, accelerate=False))
    described = describe(registry, one)
    assert described["data"] == described["configuration"] == {}
    assert described["engine"] is None


def test_a_mark_that_is_no_object_is_a_sentence(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.publish("fish", lambda root: publish_fish(root, mark=[]))
    with pytest.raises(RegistryError, match=r"fish/1 has a run.json that is no object; expected what training writes"):
        describe(registry, one)


def test_versions_differ_in_what_they_were_made_of_and_measured_at(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    for answer, rows in ((1.0, 10), (2.0, 12)):
        mark = {"snapshot": {"sha256": str(answer)}, "configuration": {"split": {"seed": 0}, "rows": rows, "drop": []}}
        registry.publish("fish", partial(publish_fish, answer=answer, mark=mark))
    before, after = describe(registry, one), describe(registry, two)
    found = {each.key: (each.before, each.after) for each in differences(before, after)}
    assert found["data.sha256"] == ("1.0", "2.0")
    assert found["configuration.rows"] == (10, 12)
    assert found["metrics.mae"] == (1.0, 2.0)
    assert "configuration.split.seed" not in found
    assert not [key for key in found if key.startswith(("name", "version", "files", "created"))]
    assert differences(before, before) == []


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({"a": {"b": 1}}, {"a": {}}, [("a.b", 1, None)]),
        ({}, {"a": {"b": False}}, [("a.b", None, False)]),
        ({"a": [1, 2]}, {"a": [2, 1]}, [("a", [1, 2], [2, 1])]),
        ({"a": None}, {}, []),
    ],
)
def test_differences_are_found_at_any_depth(before: Any, after: Any, found: Any) -> None:
    assert differences(before, after) == found


def test_a_table_is_as_wide_as_it_must_be() -> None:
    rows = [("fish", None, 0.123456), ("crocodile", (1, 2), {"mae": 2.0, "none": []})]
    assert table(("NAME", "N", "X"), rows) == (
        "NAME       N     X\nfish       -     0.1235\ncrocodile  1, 2  mae 2, none -"
    )
    assert table(("", ""), [("a", 1)]) == "a  1"
    assert table(("A", "B"), []) == "A  B"


def test_text_is_one_line() -> None:
    assert text("a\n b") == "a b"
    assert text(0) == "0"
    assert text(value=False) == "False"
