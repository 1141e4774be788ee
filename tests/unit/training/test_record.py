import json
from pathlib import Path

import pytest

from training.errors import TrainingError
from training.record import RunRecord


def test_the_id_is_decided_by_the_ingredients_alone(tmp_path: Path) -> None:
    first = RunRecord(tmp_path, "fruit", {"a": 1, "b": 2})
    assert first.id == RunRecord(tmp_path / "elsewhere", "fruit", {"b": 2, "a": 1}).id
    assert first.id != RunRecord(tmp_path, "fruit", {"a": 1, "b": 3}).id


def test_a_step_file_is_written_whole(tmp_path: Path) -> None:
    record = RunRecord(tmp_path, "fruit", {})
    with record.opened():
        record.write("cleaning", {"rows": 3})
    assert json.loads((tmp_path / ".runs" / record.id / "cleaning.json").read_bytes()) == {"rows": 3}
    assert not list(tmp_path.rglob("*.partial"))


def test_a_root_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    record = RunRecord(tmp_path / "file", "fruit", {})
    with pytest.raises(TrainingError, match=r"file/\.runs/\w{16} cannot be written: Not a directory"), record.opened():
        pytest.fail("it was opened")


def test_a_version_that_another_hand_wrote_is_not_ours(tmp_path: Path) -> None:
    record = RunRecord(tmp_path, "fruit", {})
    for version, content in (("1", "no JSON"), ("2", "[]"), ("3", '{"run": "another"}')):
        (tmp_path / "fruit" / version).mkdir(parents=True)
        (tmp_path / "fruit" / version / "run.json").write_text(content)
    (tmp_path / "fruit" / "4" / "run.json").mkdir(parents=True)
    assert record.published() is None


def test_a_version_that_is_not_sound_does_not_count(tmp_path: Path) -> None:
    record = RunRecord(tmp_path, "fruit", {})
    (tmp_path / "fruit" / "1").mkdir(parents=True)
    (tmp_path / "fruit" / "1" / "run.json").write_text(json.dumps(record.mark))
    assert record.published() is None
