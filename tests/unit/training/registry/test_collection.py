from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from model.artifact.staging import staging
from tests.unit.training.registry.fish import publish_fish
from training.errors import RegistryError
from training.registry import CHALLENGER, CHAMPION, Collected, Registry, Version
from training.registry.collection import Collection
from training.registry.directory import DirectoryRoot

LONG_AGO = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    registry = Registry(tmp_path / "root")
    for _ in range(6):
        registry.publish("fish", publish_fish)
    return registry


def collection(registry: Registry, newest: int = 1) -> Collection:
    return registry.collection("fish", newest=newest, before=LONG_AGO)


def move(registry: Registry, alias: str, *numbers: int) -> None:
    for number in numbers:
        registry.move("fish", alias, Version("fish", number))


def numbers(registry: Registry) -> list[int]:
    return [version.number for version in registry.versions("fish")]


def test_keeps_what_an_alias_names_the_way_back_and_the_newest(registry: Registry) -> None:
    move(registry, CHAMPION, 2, 3)
    move(registry, CHALLENGER, 4)
    collected = collection(registry).collect()
    assert collected.kept == {2: ("rollback",), 3: ("champion",), 4: ("challenger",), 6: ("newest",)}
    assert collected.removed == (1, 5)
    assert numbers(registry) == [2, 3, 4, 6]
    assert registry.rollback("fish").after == "2"


def test_a_dry_run_says_the_same_and_writes_nothing(registry: Registry) -> None:
    move(registry, CHAMPION, 2, 3)
    before = {path: path.stat().st_mtime_ns for path in Path(registry.root).rglob("*")}
    planned = collection(registry).plan()
    assert {path: path.stat().st_mtime_ns for path in Path(registry.root).rglob("*")} == before
    assert planned == collection(registry).collect()


def test_keeps_so_many_of_the_newest(registry: Registry) -> None:
    assert collection(registry, newest=4).collect().removed == (1, 2)
    assert collection(registry, newest=4).collect().removed == ()
    assert collection(registry, newest=9).collect() == Collected("fish", dict.fromkeys((3, 4, 5, 6), ("newest",)))


def test_nothing_to_do_writes_nothing(registry: Registry) -> None:
    collection(registry, newest=9).collect()
    assert not (Path(registry.root) / "fish" / "aliases.json").exists()


def test_keeps_the_newest_whatever_is_asked_for(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="0 of the newest versions were to be kept; expected 1 at least"):
        collection(registry, newest=0)


def test_keeps_an_alias_that_was_written_by_hand(registry: Registry) -> None:
    (Path(registry.root) / "fish" / "aliases.json").write_text('{"canary": 2}')
    assert collection(registry).collect().kept == {2: ("canary",), 6: ("newest",)}
    assert registry.aliases("fish") == {"canary": "2"}


def test_an_alias_of_what_is_not_there_is_no_reason(registry: Registry) -> None:
    (Path(registry.root) / "fish" / "aliases.json").write_text('{"canary": 22}')
    assert collection(registry).plan().kept == {6: ("newest",)}


@pytest.mark.parametrize("step", ["write", "remove"])
def test_a_promoter_in_the_middle_keeps_its_version_or_is_refused(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """One is promoted right before it is written down as removed, or right after."""
    promoter = Registry(registry.root)
    refused: list[str] = []
    real = getattr(DirectoryRoot, step)

    def in_the_middle(*arguments: object) -> object:
        monkeypatch.undo()
        try:
            move(promoter, CHAMPION, 1)
        except RegistryError as error:
            refused.append(str(error))
        return real(*arguments)

    monkeypatch.setattr(DirectoryRoot, step, in_the_middle)
    collection(registry).collect()
    if step == "write":
        assert not refused
        assert numbers(registry) == [1, 6]
        assert registry.aliases("fish") == {"champion": "1"}
    else:
        assert refused == ["fish/1 is being removed; no alias was moved, name another version."]
        assert numbers(registry) == [6]
        assert registry.aliases("fish") == {}


def test_one_that_was_killed_is_finished_by_the_next(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(DirectoryRoot, "remove", killed)
        with pytest.raises(KeyboardInterrupt):
            collection(registry, newest=5).collect()
    with pytest.raises(RegistryError, match="fish/1 is being removed"):
        move(registry, CHAMPION, 1)
    assert collection(registry, newest=6).collect().removed == (1,)
    assert numbers(registry) == [2, 3, 4, 5, 6]
    assert '"removed"' not in (Path(registry.root) / "fish" / "aliases.json").read_text()


def test_two_at_once_remove_the_same_once(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    other = collection(Registry(registry.root), newest=2)
    real = DirectoryRoot.remove

    def in_the_middle(*arguments: object) -> None:
        monkeypatch.undo()
        other.collect()
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(DirectoryRoot, "remove", in_the_middle)
    collection(registry, newest=2).collect()
    assert numbers(registry) == [5, 6]
    assert '"removed"' not in (Path(registry.root) / "fish" / "aliases.json").read_text()


def test_sweeps_what_a_killed_publisher_has_left_and_no_living_one(registry: Registry) -> None:
    directory = Path(registry.root) / "fish"
    (directory / ".publish-dead").mkdir()
    (directory / ".publish-dead" / "model.joblib").touch()
    assert collection(registry).plan().leftovers == (".publish-dead",)
    with staging(directory) as living:
        (directory / ".publish-dead").mkdir(exist_ok=True)
        assert collection(registry).collect().leftovers == (".publish-dead",)
        assert sorted(directory.glob(".publish-*")) == [living.path]


def test_a_version_that_can_not_be_removed_is_a_sentence(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("training.registry.directory.remove", refuse)
    with pytest.raises(RegistryError, match="fish/1 can't be removed: Permission denied; mend its permissions"):
        collection(registry).collect()
