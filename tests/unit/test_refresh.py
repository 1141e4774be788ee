"""What a look at a model's directory changes while the model answers, and what it leaves as it is."""

import gc
import pickle
import shutil
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor
from structlog.testing import capture_logs

from model import store
from model.artifact import LoadPolicy
from model.errors import ArtifactError, NotFound, NotReady
from model.metrics import Metrics
from model.repository import ModelRepository, ModelState, State
from model.servable import Servable, load_servable

Log = list[Any]


class Disk:
    """Versions of the model ``fish`` below a root; each answers its number, or what it is told to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.directory = root / "fish"

    def write(self, version: str, constant: float | None = None) -> None:
        directory = self.directory / version
        directory.mkdir(parents=True, exist_ok=True)
        value = float(version or 0) if constant is None else constant
        estimator = DummyRegressor(strategy="constant", constant=value).fit(np.zeros((2, 1)), [0, 0])
        (directory / "model.pkl").write_bytes(pickle.dumps(estimator))

    def spoil(self, version: str, content: bytes = b"no pickle") -> None:
        directory = self.directory / version
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "model.pkl").write_bytes(content)

    def delete(self, version: str) -> None:
        shutil.rmtree(self.directory / version)

    def promote(self, text: str) -> None:
        (self.directory / "aliases.json").write_text(f'{{"champion": {text}}}' if text.isdigit() else text)


class Served(ModelRepository):
    """A repository that remembers what it has loaded."""

    def __init__(self, disk: Disk, max_versions: int = 3) -> None:
        self.loads: list[str] = []
        self.numbers = Metrics()
        super().__init__(store.model_directories(disk.root), self._load, self.numbers, max_versions=max_versions)
        for name in self:
            self.load(name)
        self.loads.clear()

    def _load(self, directory: Path, name: str, version: str) -> Servable:
        self.loads.append(version)
        return load_servable(directory, name, LoadPolicy(), version=version or None)

    def look(self, times: int = 2) -> None:
        """Look so often that a change that has ended is taken."""
        for _ in range(times):
            self.refresh("fish")

    def versions(self) -> list[str]:
        return [servable.version for servable in self.servables("fish")]

    def answer(self, version: str = "") -> float:
        constant: float = self.select("fish", version).artifact.estimator.constant
        return constant

    def line(self, version: str) -> ModelState:
        (line,) = [line for line in self.index() if line.version == version]
        return line

    def counted(self, name: str) -> dict[str, float]:
        """Return a metric of the model by its last label."""
        samples = [sample for family in self.numbers.collect() for sample in family.samples if sample.name == name]
        return {list(sample.labels.values())[-1]: sample.value for sample in samples}


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    disk = Disk(tmp_path / "models")
    for version in ("1", "2", "3"):
        disk.write(version)
    return disk


@pytest.fixture
def served(disk: Disk) -> Served:
    return Served(disk)


def errors(log: Log) -> list[str]:
    return [line["event"] for line in log if line["log_level"] == "error"]


class TestNothingNew:
    def test_leaves_the_same_objects_and_loads_nothing(self, served: Served) -> None:
        before = served.servables()
        with capture_logs() as log:
            served.look(5)
        assert all(now is then for now, then in zip(served.servables(), before, strict=True))
        assert (served.loads, log) == ([], [])
        assert served.counted("model_swaps_total") == {"success": 0, "failure": 0}


class TestANewVersion:
    def test_answers_once_two_looks_have_found_it_the_same(self, served: Served, disk: Disk) -> None:
        disk.write("4")
        served.look(1)
        assert (served.answer(), served.line("4").state) == (3.0, State.LOADING)
        with pytest.raises(NotReady, match=r"^Model 'fish' is loading; try again later\.$"):
            served.select("fish", "4")
        with capture_logs() as log:
            served.look(1)
        assert (served.answer(), served.line("4").state) == (4.0, State.READY)
        assert served.loads == ["4"]
        swap = {"event": "another version answers", "model": "fish", "version": "4", "before": "3"}
        assert swap | {"log_level": "info"} in log

    def test_is_let_alone_while_it_is_being_written(self, served: Served, disk: Disk) -> None:
        for size in range(1, 9):
            disk.spoil("4", bytes(size))
            served.look(1)
        assert (served.loads, served.counted("model_swaps_total")["failure"]) == ([], 0)
        disk.write("4")
        served.look()
        assert served.answer() == 4.0

    def test_is_counted_as_a_swap_and_shown_from_then_on(self, served: Served, disk: Disk) -> None:
        assert set(served.counted("model_last_load_timestamp_seconds")) == {"1", "2", "3"}
        disk.write("4")
        served.look()
        assert served.counted("model_swaps_total") == {"success": 1, "failure": 0}
        assert set(served.counted("model_last_load_timestamp_seconds")) == {"2", "3", "4"}

    def test_leaves_nothing_of_the_one_it_has_replaced(self, served: Served, disk: Disk) -> None:
        oldest = weakref.ref(served.select("fish", "1"))
        estimator = weakref.ref(served.select("fish", "1").artifact.estimator)
        gc.disable()  # Memory is given back at once, not when there is time for it.
        try:
            disk.write("4")
            served.look()
            assert (oldest(), estimator()) == (None, None)
        finally:
            gc.enable()


class TestABadVersion:
    def test_leaves_the_old_one_and_is_reported_once(self, served: Served, disk: Disk) -> None:
        disk.spoil("4")
        with capture_logs() as log:
            served.look(6)
        assert (served.answer(), served.loads) == (3.0, ["4"])
        assert errors(log) == ["version refused"]
        assert served.line("4").state is State.UNAVAILABLE
        assert "can't be loaded" in served.line("4").reason
        assert served.counted("model_swaps_total") == {"success": 0, "failure": 1}
        assert served.counted("model_loads_total")["failure"] == 1

    def test_is_tried_again_when_any_of_its_files_changes(self, served: Served, disk: Disk) -> None:
        disk.spoil("4")
        served.look()
        (disk.directory / "4" / "notes.txt").touch()
        served.look()
        assert served.loads == ["4", "4"]
        disk.write("4")
        served.look()
        assert (served.answer(), served.line("4")) == (4.0, ModelState("fish", "4", State.READY))

    def test_is_tried_again_when_told_to(self, served: Served, disk: Disk) -> None:
        disk.spoil("4")
        served.look()
        served.load("fish")
        assert served.loads.count("4") == 2

    def test_takes_no_place_among_those_kept(self, served: Served, disk: Disk) -> None:
        for version in ("4", "5", "6"):
            disk.spoil(version)
        served.look()
        assert served.versions() == ["1", "2", "3"]

    def test_in_place_of_the_last_good_one_leaves_that_one(self, disk: Disk) -> None:
        served = Served(disk)
        for version in ("1", "2", "3"):
            disk.delete(version)
        disk.spoil("4")
        served.look()
        assert (served.answer(), served.versions()) == (3.0, ["1", "2", "3"])
        disk.write("4")
        served.look()
        assert (served.answer(), served.versions()) == (4.0, ["4"])


class TestChangedFiles:
    def test_are_loaded_under_the_same_number(self, served: Served, disk: Disk) -> None:
        disk.write("3", constant=3.5)
        served.look(1)
        assert (served.answer(), served.line("3").state) == (3.0, State.READY)
        served.look(1)
        assert (served.answer(), served.loads) == (3.5, ["3"])
        assert served.counted("model_swaps_total")["success"] == 1

    def test_that_are_refused_leave_it_as_it_was(self, served: Served, disk: Disk) -> None:
        disk.spoil("3")
        served.look(4)
        assert (served.answer(), served.loads) == (3.0, ["3"])
        assert served.line("3").state is State.READY
        assert "can't be loaded" in served.line("3").reason
        disk.write("3")
        served.look()
        assert served.line("3").reason == ""

    def test_of_a_version_nobody_asks_for_are_no_swap(self, served: Served, disk: Disk) -> None:
        disk.write("1", constant=1.5)
        served.look()
        assert served.answer("1") == 1.5
        assert served.counted("model_swaps_total")["success"] == 0

    def test_of_an_artifact_without_versions_are_loaded(self, tmp_path: Path) -> None:
        disk = Disk(tmp_path)
        disk.write("")
        served = Served(disk)
        disk.write("", constant=7.0)
        served.look()
        assert served.answer() == 7.0
        disk.spoil("")
        served.look()
        assert served.answer() == 7.0
        assert served.counted("model_swaps_total") == {"success": 1, "failure": 1}

    def test_to_versions_from_an_artifact_without_any(self, tmp_path: Path) -> None:
        disk = Disk(tmp_path)
        disk.write("")
        served = Served(disk)
        disk.write("1")
        served.look()
        assert served.versions() == ["1"]

    def test_that_cannot_be_looked_at_are_taken_for_the_same(
        self, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("model.survey.fingerprint", lambda _: None)
        served.look(3)
        assert (served.answer(), served.loads) == (3.0, [])


class TestTheAlias:
    def test_that_is_moved_moves_the_answer_at_the_next_look(self, served: Served, disk: Disk) -> None:
        for champion in ("1", "2", "1"):
            disk.promote(champion)
            served.look(1)
            assert served.answer() == float(champion)
        assert served.loads == []
        assert served.counted("model_swaps_total")["success"] == 3

    def test_that_is_taken_away_leaves_it_to_the_newest(self, served: Served, disk: Disk) -> None:
        disk.promote("1")
        served.look(1)
        (disk.directory / "aliases.json").unlink()
        served.look(1)
        assert served.answer() == 3.0

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"champion": "x"}'])
    def test_that_can_not_be_read_stays_where_it_was(self, served: Served, disk: Disk, text: str) -> None:
        disk.promote("1")
        served.look(1)
        disk.promote(text)
        with capture_logs() as log:
            served.look(3)
        assert served.answer() == 1.0
        assert errors(log) == ["aliases ignored"]

    def test_to_a_version_that_is_being_loaded_moves_then(self, served: Served, disk: Disk) -> None:
        """In between neither the newest answers, which nobody has promoted, nor nobody."""
        disk.promote("1")
        served.look(1)
        disk.write("5")
        disk.write("4")
        disk.promote("4")
        with capture_logs() as log:
            served.look(1)
            assert served.answer() == 1.0
            served.look(1)
        assert served.answer() == 4.0
        assert errors(log) == []

    def test_to_a_version_that_does_not_answer_moves_nothing(self, served: Served, disk: Disk) -> None:
        disk.promote("2")
        served.look(1)
        disk.promote("9")
        with capture_logs() as log:
            served.look(3)
        assert served.answer() == 2.0, "and not the newest, which nobody may have promoted"
        assert errors(log) == ["the alias names a version that does not answer; another does"]

    def test_back_to_a_version_that_is_no_longer_kept_moves_when_that_is_loaded(self, disk: Disk) -> None:
        served = Served(disk, max_versions=1)
        disk.promote("2")
        served.look()
        assert served.versions() == ["2", "3"]
        disk.promote("1")
        served.look(1)
        assert served.answer() == 2.0
        served.look(1)
        assert (served.answer(), served.versions()) == (1.0, ["1", "3"])


class TestTheLimit:
    def test_keeps_the_newest_and_reads_no_other_at_start(self, disk: Disk) -> None:
        disk.spoil("4")
        served = Served(disk, max_versions=2)
        assert served.versions() == ["2", "3"]
        assert set(served.counted("model_last_load_timestamp_seconds")) == {"2", "3"}
        assert served.counted("model_loads_total") == {"success": 2, "failure": 1}

    def test_keeps_the_champion_too(self, disk: Disk) -> None:
        disk.promote("1")
        served = Served(disk, max_versions=1)
        assert (served.versions(), served.answer()) == (["1", "3"], 1.0)

    def test_says_what_is_not_loaded_for_its_sake(self, disk: Disk) -> None:
        served = Served(disk, max_versions=1)
        reason = "Not loaded: of the versions that answer, the newest 1 and the champion are kept."
        assert served.index() == [
            ModelState("fish", "1", State.UNAVAILABLE, reason),
            ModelState("fish", "2", State.UNAVAILABLE, reason),
            ModelState("fish", "3", State.READY),
        ]
        with pytest.raises(NotFound) as caught:
            served.select("fish", "2")
        assert str(caught.value) == (
            "Model 'fish' version 2 is no longer loaded; expected one of '3', for no more are kept."
        )

    def test_makes_room_for_a_new_version_when_that_answers(self, disk: Disk) -> None:
        served = Served(disk, max_versions=2)
        disk.write("4")
        served.look(1)
        assert served.versions() == ["2", "3"]
        served.look(1)
        assert served.versions() == ["3", "4"]

    def test_lets_an_older_version_in_where_a_newer_one_has_gone(self, disk: Disk) -> None:
        served = Served(disk, max_versions=1)
        disk.delete("3")
        with capture_logs() as log:
            served.look(1)
            assert served.answer() == 3.0
            served.look(1)
        assert (served.answer(), served.versions()) == (2.0, ["2"])
        assert errors(log) == []


class TestDeleted:
    def test_a_version_is_unloaded_with_its_metrics(self, served: Served, disk: Disk) -> None:
        disk.delete("3")
        with capture_logs() as log:
            served.look(1)
        assert (served.answer(), served.versions()) == (2.0, ["1", "2"])
        assert set(served.counted("model_last_load_timestamp_seconds")) == {"1", "2"}
        assert {"event": "unloaded", "model": "fish", "version": "3", "log_level": "info"} in log
        with pytest.raises(NotFound):
            served.select("fish", "3")

    @pytest.mark.parametrize("whole", ["versions", "model"])
    def test_as_a_whole_a_model_goes_on_and_says_so_once(self, served: Served, disk: Disk, whole: str) -> None:
        disk.promote("2")
        served.look(1)
        before = served.servables()
        if whole == "model":
            disk.directory.rename(disk.root / "away")
        else:
            (disk.root / "away").mkdir()
            for path in list(disk.directory.iterdir()):
                path.rename(disk.root / "away" / path.name)
        with capture_logs() as log:
            served.look(4)
        assert served.servables() == before
        assert served.answer() == 2.0, "without aliases.json too, for nobody has taken the champion away"
        assert served.all_ready()
        assert errors(log) == ["the model's directory is of no use"]
        assert served.line("").state is State.UNAVAILABLE
        shutil.rmtree(disk.directory, ignore_errors=True)
        (disk.root / "away").rename(disk.directory)
        with capture_logs() as log:
            served.look(3)
        assert (served.servables(), served.loads) == (before, [])
        assert [line["event"] for line in log] == ["the model's directory is there again"]
        assert [line.reason for line in served.index()] == ["", "", ""]

    def test_an_artifact_without_versions_goes_on(self, tmp_path: Path) -> None:
        disk = Disk(tmp_path)
        disk.write("", constant=7.0)
        served = Served(disk)
        shutil.rmtree(disk.directory)
        served.look(3)
        assert served.answer() == 7.0
        (line,) = served.index()
        assert line.state is State.READY
        assert "is no directory that can be read (No such file or directory)" in line.reason


def test_a_directory_that_cannot_be_listed_changes_nothing(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(directory: Path) -> dict[str, Path]:
        raise ArtifactError(f"{directory.name} can't be listed: stale file handle; mend its disk.")

    before = served.servables()
    with monkeypatch.context() as context, capture_logs() as log:
        context.setattr("model.survey.version_directories", fail)
        served.look(3)
    assert served.servables() == before
    assert errors(log) == ["the model's directory is of no use"]
    served.look(1)
    assert (served.servables(), served.loads) == (before, [])


def test_what_was_unloaded_stays_so_until_it_is_loaded(served: Served, disk: Disk) -> None:
    served.unload("fish")
    disk.write("4")
    served.look(3)
    assert (served.servables(), served.loads) == ([], [])
    served.discover({})
    served.discover({"fish": disk.directory})
    served.look(3)
    assert served.loads == []
    served.load("fish")
    assert served.answer() == 4.0


class TestDiscovered:
    def test_a_model_answers_under_its_name(self, served: Served, disk: Disk) -> None:
        other = Disk(disk.root)
        other.directory = disk.root / "bird"
        other.write("7")
        served.discover(store.model_directories(disk.root))
        served.refresh("bird")
        with pytest.raises(NotReady, match="is loading"):
            served.select("bird")
        assert ModelState("bird", "7", State.LOADING) in served.index()
        served.refresh("bird")
        assert served.select("bird").version == "7"
        assert served.promised() == ["fish", "bird"]

    def test_a_model_that_fails_leaves_the_server_ready(self, served: Served, disk: Disk) -> None:
        (disk.root / "bird" / "1").mkdir(parents=True)
        served.discover(store.model_directories(disk.root))
        for _ in range(2):
            served.refresh("bird")
        assert not served.ready("bird")
        assert served.all_ready()
        assert served.promised() == ["fish"]

    def test_a_model_that_fails_is_forgotten_when_it_goes(self, served: Served, disk: Disk) -> None:
        served.discover({"fish": disk.directory, "bird": disk.root / "bird"})
        served.refresh("bird")
        served.discover({"fish": disk.directory})
        assert list(served) == ["fish"]

    def test_a_model_that_answers_is_not_forgotten(self, served: Served) -> None:
        served.discover({})
        assert served.answer() == 3.0

    def test_a_server_without_models_is_ready_once_one_answers(self, tmp_path: Path) -> None:
        disk = Disk(tmp_path)
        served = Served(disk)
        assert not served.all_ready()
        disk.write("1")
        served.discover(store.model_directories(tmp_path))
        served.look()
        assert served.all_ready()
