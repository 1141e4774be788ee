import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.training.steps.kitchen import Kitchen, workspace
from training.config import Config
from training.errors import TrainingError
from training.steps import STEPS, Job, Step
from training.steps.workspace import RECORD, locked

Make = Callable[..., Config]


@pytest.fixture
def kitchen() -> Kitchen:
    return Kitchen()


def test_a_step_is_done_once_and_what_it_needs_before_it(tmp_path: Path, config: Make, kitchen: Kitchen) -> None:
    place = workspace(tmp_path, config()).made(kitchen.second)
    assert workspace(tmp_path, config()).made(kitchen.second) == place
    assert kitchen.done == ["first", "second"]
    assert (place / "file").read_text() == "second of ['first']"
    assert place.parent == tmp_path / "steps" / "fruit" / "second"


def test_a_setting_makes_anew_what_it_decides(tmp_path: Path, config: Make, kitchen: Kitchen) -> None:
    workspace(tmp_path, config()).made(kitchen.second)
    workspace(tmp_path, config(floor={"accuracy": 0.5})).made(kitchen.second)
    assert kitchen.done == ["first", "second", "second"]
    workspace(tmp_path, config(target="colour")).made(kitchen.second)
    assert kitchen.done[3:] == ["first", "second"]
    workspace(tmp_path, config(duplicates="keep")).made(kitchen.second)
    assert len(kitchen.done) == 5


def test_other_rows_make_everything_anew(tmp_path: Path, config: Make, kitchen: Kitchen) -> None:
    for content in (b"one", b"other"):
        workspace(tmp_path, config(), content).made(kitchen.second)
    assert kitchen.done == ["first", "second"] * 2


def test_what_was_changed_is_done_again(
    tmp_path: Path, config: Make, kitchen: Kitchen, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "training")
    place = workspace(tmp_path, config()).made(kitchen.first)
    (place / "file").write_text("damage")
    assert workspace(tmp_path, config()).done(kitchen.first) is None
    assert workspace(tmp_path, config()).made(kitchen.first) == place
    assert (place / "file").read_text() == "first of []"
    assert f"{place} is damaged, and is done again" in caplog.messages


@pytest.mark.parametrize("record", ["", "[]", "{}", '{"files": {"none": "0"}}', '{"files": 3}'])
def test_a_record_that_is_none_does_not_count(tmp_path: Path, config: Make, kitchen: Kitchen, record: str) -> None:
    place = workspace(tmp_path, config()).made(kitchen.first)
    (place / RECORD).write_text(record)
    assert workspace(tmp_path, config()).done(kitchen.first) is None


def test_a_step_that_failed_leaves_nothing_that_counts(tmp_path: Path, config: Make) -> None:
    def fail(job: Job) -> None:
        (job.output / "half").touch()
        raise TrainingError

    step = Step("first", (), (), fail)
    with pytest.raises(TrainingError):
        workspace(tmp_path, config()).made(step)
    assert workspace(tmp_path, config()).done(step) is None


def test_a_record_tells_what_decided_it(tmp_path: Path, config: Make, kitchen: Kitchen) -> None:
    place = workspace(tmp_path, config()).made(kitchen.first)
    record = json.loads((place / RECORD).read_bytes())
    assert record["decided_by"]["configuration"] == {"target": "kind"}
    assert set(record["decided_by"]["code"]) == {"sklearn-kserve", "scikit-learn", "python"}
    assert list(record["files"]) == ["file"]


def test_every_setting_decides_a_step() -> None:
    decided = {key for step in STEPS for key in step.settings}
    assert decided == set(Config.model_fields) - {"name", "source", "card"} - Config.AFTERWARDS


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(TrainingError, match=r"file/work cannot be written: Not a directory"),
        locked(tmp_path / "file" / "work"),
    ):
        pytest.fail("it was held")
