import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from model.errors import ArtifactError, UntrustedArtifact
from model.store import default_version
from tests.unit.training.registry.fish import publish_fish
from training.errors import RegistryError
from training.registry import CHALLENGER, CHAMPION, Registry, Version


def versions(*numbers: int) -> list[Version]:
    return [Version("fish", number) for number in numbers]


one, two, three = versions(1, 2, 3)


class TestVersions:
    def test_are_those_that_were_published(self, registry: Registry) -> None:
        assert registry.names() == ["fish"]
        assert registry.versions("fish") == [one, two, three]

    def test_are_in_numeric_order(self, registry: Registry) -> None:
        root = Path(registry.root)
        shutil.copytree(root / "fish" / "3", root / "fish" / "10")
        assert registry.versions("fish") == versions(1, 2, 3, 10)

    def test_of_an_unknown_model_or_root_are_none(self, registry: Registry, tmp_path: Path) -> None:
        assert registry.versions("bird") == []
        assert Registry(tmp_path / "elsewhere").names() == []

    def test_what_has_no_manifest_is_none(self, registry: Registry) -> None:
        directory = Path(registry.root) / "fish"
        (directory / "4").mkdir()
        (directory / "notes").mkdir()
        (directory / ".publish-1234").mkdir()
        (directory.parent / ".runs").mkdir()
        (directory.parent / "empty").mkdir()
        assert registry.versions("fish") == [one, two, three]
        assert registry.names() == ["fish"]

    def test_a_name_that_leads_elsewhere_is_refused(self, registry: Registry) -> None:
        for ask in (registry.versions, registry.aliases, registry.history):
            with pytest.raises(ArtifactError, match=r"'\.\./fish' is no model name"):
                ask("../fish")

    def test_one_is_found_by_its_number_or_alias(self, registry: Registry) -> None:
        registry.move("fish", CHAMPION, two)
        assert registry.version("fish", "3") == three
        assert registry.version("fish", CHAMPION) == two

    @pytest.mark.parametrize(("called", "wanted"), [("4", "version 4"), ("challenger", "alias 'challenger'")])
    def test_one_that_is_not_there_is_answered_by_those_that_are(
        self, registry: Registry, called: str, wanted: str
    ) -> None:
        registry.move("fish", CHAMPION, two)
        with pytest.raises(RegistryError) as refused:
            registry.version("fish", called)
        assert str(refused.value) == (
            f"fish has no {wanted} in {registry.root}; its versions are 1, 2, 3, its aliases champion: 2."
        )

    def test_a_root_that_is_a_file_is_a_sentence(self, tmp_path: Path) -> None:
        (tmp_path / "root").touch()
        with pytest.raises(RegistryError, match="can't be listed: Not a directory; expected a directory"):
            Registry(tmp_path / "root").names()


class TestReading:
    def test_manifest(self, registry: Registry) -> None:
        assert registry.manifest(two).version == 2

    def test_file_of_a_version(self, registry: Registry) -> None:
        assert json.loads(registry.read(one, "run.json")) == {"answer": 1.0}

    def test_file_that_was_changed_is_refused(self, registry: Registry) -> None:
        (Path(registry.root) / "fish" / "1" / "run.json").write_text("{}")
        with pytest.raises(UntrustedArtifact, match=r"fish/1/run.json has sha256 44136fa.*, and the manifest says"):
            registry.read(one, "run.json")

    def test_file_that_the_manifest_does_not_name_is_refused(self, registry: Registry) -> None:
        (Path(registry.root) / "fish" / "1" / "notes").touch()
        with pytest.raises(RegistryError, match="fish/1 has no notes; expected one of the files"):
            registry.read(one, "notes")

    def test_version_that_is_not_there(self, registry: Registry) -> None:
        with pytest.raises(RegistryError, match=r"fish/9 has no manifest.json; expected a version that was published"):
            registry.manifest(Version("fish", 9))

    def test_fetch_gives_the_directory_itself(self, registry: Registry) -> None:
        assert registry.fetch(two) == Path(registry.root) / "fish" / "2"

    @pytest.mark.parametrize("file", ["model.joblib", "run.json"])
    def test_fetch_refuses_what_the_manifest_does_not_vouch_for(self, registry: Registry, file: str) -> None:
        with (Path(registry.root) / "fish" / "2" / file).open("ab") as damaged:
            damaged.write(b" ")
        with pytest.raises(UntrustedArtifact, match=f"{file} has sha256"):
            registry.fetch(two)

    def test_a_file_that_can_not_be_read_is_a_sentence(self, registry: Registry) -> None:
        (Path(registry.root) / "fish" / "aliases.json").mkdir()
        with pytest.raises(RegistryError, match=r"aliases.json can't be read: Is a directory; mend its permissions."):
            registry.aliases("fish")


class TestMove:
    def test_aliases_are_what_the_server_reads(self, registry: Registry) -> None:
        registry.move("fish", CHAMPION, one)
        registry.move("fish", CHALLENGER, three)
        registry.move("fish", CHAMPION, two)
        assert registry.aliases("fish") == {"champion": "2", "challenger": "3"}
        assert default_version(Path(registry.root) / "fish") == "2"

    def test_none_are_set_at_first(self, registry: Registry) -> None:
        assert registry.aliases("fish") == {}
        assert registry.history("fish") == []

    def test_is_on_record_for_whoever_asks_a_year_later(self, registry: Registry) -> None:
        registry.move("fish", CHAMPION, one, why="the first one", by="ada")
        registry.move("fish", CHALLENGER, two, why="published")
        registry.move("fish", CHAMPION, two, why="better by 3 %", by="grace")
        history = registry.history("fish")
        assert [(move.number, move.alias, move.before, move.after, move.why) for move in history] == [
            (1, "champion", None, "1", "the first one"),
            (2, "challenger", None, "2", "published"),
            (3, "champion", "1", "2", "better by 3 %"),
        ]
        assert [history[0].by, history[2].by] == ["ada", "grace"]
        assert "@" in history[1].by
        assert [move.at for move in history] == sorted(move.at for move in history)

    def test_of_a_user_without_a_name_gives_the_number(
        self, registry: Registry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
            monkeypatch.delenv(variable, raising=False)
        monkeypatch.setattr(os, "getuid", lambda: 987654)
        move = registry.move("fish", CHAMPION, one)
        assert move is not None
        assert move.by.startswith("987654@")

    def test_to_where_the_alias_is_already_is_none(self, registry: Registry) -> None:
        assert registry.move("fish", CHAMPION, one) is not None
        assert registry.move("fish", CHAMPION, one) is None
        assert len(registry.history("fish")) == 1

    def test_to_a_version_that_is_not_there_is_refused(self, registry: Registry) -> None:
        with pytest.raises(RegistryError, match="has no fish/7; no alias was moved, its versions are 1, 2, 3"):
            registry.move("fish", CHAMPION, Version("fish", 7))
        assert registry.aliases("fish") == {}

    def test_of_another_alias_or_model_is_refused(self, registry: Registry) -> None:
        with pytest.raises(RegistryError, match="'stable' is no alias; expected one of champion, challenger"):
            registry.move("fish", "stable", one)
        with pytest.raises(RegistryError, match="fish/1 is no version of bird"):
            registry.move("bird", CHAMPION, one)

    def test_keeps_what_was_written_by_hand(self, registry: Registry) -> None:
        (Path(registry.root) / "fish" / "aliases.json").write_text('{"champion": 3, "canary": "1", "old": null}')
        registry.move("fish", CHALLENGER, two)
        assert registry.aliases("fish") == {"champion": "3", "canary": "1", "challenger": "2"}

    def test_after_aliases_were_written_by_hand_goes_on_counting(self, registry: Registry) -> None:
        registry.move("fish", CHAMPION, one)
        (Path(registry.root) / "fish" / "aliases.json").write_text('{"champion": 2}')
        registry.move("fish", CHAMPION, three)
        assert [(move.number, move.before, move.after) for move in registry.history("fish")] == [
            (1, None, "1"),
            (2, "2", "3"),
        ]

    def test_that_could_not_be_written_leaves_all_as_it_was(
        self, registry: Registry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        registry.move("fish", CHAMPION, one)

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("training.registry.directory.write_file", full)
        with pytest.raises(RegistryError, match="can't be written: No space left on device; it is as it was"):
            registry.move("fish", CHAMPION, two)
        monkeypatch.undo()
        assert registry.aliases("fish") == {"champion": "1"}
        assert len(registry.history("fish")) == 1

    def test_whose_process_was_killed_right_after_is_in_the_history(self, registry: Registry) -> None:
        registry.move("fish", CHAMPION, one)
        registry.move("fish", CHAMPION, two)
        history = Path(registry.root) / "fish" / ".moves"
        (history / "000002.json").unlink()
        assert [move.after for move in registry.history("fish")] == ["1", "2"]
        registry.move("fish", CHAMPION, three)
        assert sorted(path.name for path in history.iterdir()) == ["000001.json", "000002.json", "000003.json"]
        assert [move.after for move in registry.history("fish")] == ["1", "2", "3"]

    def test_a_damaged_record_is_a_sentence(self, registry: Registry) -> None:
        registry.move("fish", CHAMPION, one)
        registry.move("fish", CHAMPION, two)
        (Path(registry.root) / "fish" / ".moves" / "000001.json").write_text("{")
        with pytest.raises(RegistryError, match=r"\.moves/000001.json is no record of a move; restore or remove it"):
            registry.history("fish")


class TestRollback:
    def test_goes_back_to_the_champion_before(self, registry: Registry) -> None:
        for version in (one, two):
            registry.move("fish", CHALLENGER, version)
            registry.move("fish", CHAMPION, version)
        move = registry.rollback("fish", why="wrong by noon", by="ada")
        assert (move.kind, move.before, move.after, move.why, move.by) == ("rollback", "2", "1", "wrong by noon", "ada")
        assert registry.aliases("fish") == {"champion": "1", "challenger": "2"}

    def test_done_again_goes_back_further(self, registry: Registry) -> None:
        for version in (one, two, three):
            registry.move("fish", CHAMPION, version)
        assert [registry.rollback("fish").after for _ in range(2)] == ["2", "1"]
        with pytest.raises(RegistryError, match="fish has no earlier champion to go back to; promote"):
            registry.rollback("fish")

    def test_never_leads_to_what_was_rolled_back(self, registry: Registry) -> None:
        registry.move("fish", CHAMPION, one)
        registry.move("fish", CHAMPION, two)
        registry.rollback("fish")
        registry.move("fish", CHAMPION, three)
        assert registry.rollback("fish").after == "1"

    def test_without_a_champion_is_refused(self, registry: Registry) -> None:
        with pytest.raises(RegistryError, match="fish has no earlier champion"):
            registry.rollback("fish")

    def test_of_a_champion_written_by_hand_is_refused(self, registry: Registry) -> None:
        registry.move("fish", CHAMPION, one)
        registry.move("fish", CHAMPION, two)
        (Path(registry.root) / "fish" / "aliases.json").write_text('{"champion": 3}')
        with pytest.raises(RegistryError, match="champion is 3, and the last move on record was to 2: somebody has"):
            registry.rollback("fish")

    def test_to_a_version_that_is_gone_is_refused(self, registry: Registry) -> None:
        registry.move("fish", CHAMPION, one)
        registry.move("fish", CHAMPION, two)
        shutil.rmtree(Path(registry.root) / "fish" / "1")
        with pytest.raises(RegistryError, match="has no fish/1; no alias was moved, its versions are 2, 3"):
            registry.rollback("fish")
        assert registry.aliases("fish") == {"champion": "2"}


class TestPublish:
    def test_returns_the_version(self, registry: Registry) -> None:
        assert registry.publish("fish", publish_fish) == Version("fish", 4)
        assert str(registry.versions("fish")[-1]) == "fish/4"

    def test_of_another_model_is_refused(self, registry: Registry) -> None:
        with pytest.raises(RegistryError, match="bird/1 was published, and a version of 'fish' was expected"):
            registry.publish("fish", lambda root: publish_fish(root, name="bird"))

    def test_of_what_is_no_name_is_refused_before_anything_is_written(self, registry: Registry) -> None:
        with pytest.raises(ArtifactError, match=r"'\.fish' is no model name"):
            registry.publish(".fish", lambda _: pytest.fail("was called"))


class TestWithoutTheRightToWrite:
    @pytest.fixture
    def read_only(self, registry: Registry) -> Iterator[Registry]:
        registry.move("fish", CHAMPION, one)
        before = snapshot(Path(registry.root))
        yield registry
        assert snapshot(Path(registry.root)) == before

    def test_reading_writes_nothing(self, read_only: Registry) -> None:
        read_only.names(), read_only.versions("fish"), read_only.aliases("fish"), read_only.history("fish")
        read_only.version("fish", CHAMPION), read_only.manifest(one), read_only.read(one, "run.json")
        read_only.fetch(one)


def snapshot(root: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in root.rglob("*")}
