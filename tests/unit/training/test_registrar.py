import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.unit.training.project import Project, Result
from tests.unit.training.registry.fish import publish_fish
from training.cli import main
from training.registry import CHALLENGER, CHAMPION, Registry, Version


class Commands:
    """``python -m training registry`` on a root with two versions of one model, the second of which is champion."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.registry = Registry(root)
        self._capsys = capsys
        for answer in (1.0, 2.0):
            mark = {"snapshot": {"sha256": f"{answer}"}, "configuration": {"name": "fish", "rows": 10 * answer}}
            version = self.registry.publish("fish", partial(publish_fish, answer=answer, mark=mark))
            self.registry.move("fish", CHALLENGER, version, why="published", by="ada")
            self.registry.move("fish", CHAMPION, version, why=f"as good as {answer}", by="ada")

    def __call__(self, *arguments: str) -> Result:
        code = main(["registry", *arguments, "--root", self.registry.root])
        return Result(code, *self._capsys.readouterr())

    def json(self, *arguments: str) -> Any:
        result = self(*arguments, "--json")
        assert result.code == 0
        return json.loads(result.out)


@pytest.fixture
def commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(tmp_path / "root", capsys)


def columns(result: Result) -> list[list[str]]:
    assert result.code == 0
    return [line.split() for line in result.out.splitlines()]


class TestList:
    def test_for_people(self, commands: Commands) -> None:
        header, first, second = columns(commands("list"))
        assert header == ["NAME", "VERSION", "ALIASES", "CREATED", "METRICS"]
        assert (first[:3], first[-2:]) == (["fish", "1", "-"], ["mae", "1"])
        assert second[:4] == ["fish", "2", "challenger,", "champion"]

    def test_for_machines(self, commands: Commands) -> None:
        first, second = commands.json("list", "fish")
        assert (first["version"], first["aliases"], first["metrics"]) == (1, [], {"mae": 1.0})
        assert second["aliases"] == ["challenger", "champion"]

    def test_of_an_empty_root_is_a_header(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["registry", "list", "--root", str(tmp_path)]) == 0
        assert capsys.readouterr().out.split() == ["NAME", "VERSION", "ALIASES", "CREATED", "METRICS"]


class TestShowAndDiff:
    def test_a_version_by_its_alias(self, commands: Commands) -> None:
        found = dict(line[:2] for line in columns(commands("show", "fish", "champion")) if len(line) > 1)
        assert (found["version"], found["data.sha256"], found["configuration.rows"]) == ("2", "2.0", "20")

    def test_for_machines(self, commands: Commands) -> None:
        assert commands.json("show", "fish", "1")["configuration"] == {"name": "fish", "rows": 10.0}

    def test_two_versions(self, commands: Commands) -> None:
        lines = columns(commands("diff", "fish", "1", "champion"))
        assert lines[0] == ["fish/1", "fish/2"]
        assert ["data.sha256", "1.0", "2.0"] in lines
        assert ["metrics.mae", "1", "2"] in lines
        assert {"key": "metrics.mae", "before": 1.0, "after": 2.0} in commands.json("diff", "fish", "1", "2")

    def test_what_is_not_there_is_a_sentence(self, commands: Commands) -> None:
        for command in (("show", "fish", "7"), ("diff", "fish", "1", "7")):
            result = commands(*command)
            assert (result.code, result.out) == (1, "")
            assert result.sentence == (
                f"sklearn-kserve-train: fish has no version 7 in {commands.registry.root}; its versions are 1, 2, its "
                f"aliases challenger: 2, champion: 2."
            )


class TestMoves:
    def test_back_and_forth_is_on_record(self, commands: Commands) -> None:
        back = commands("rollback", "fish", "--why", "wrong by noon", "--by", "grace")
        assert (back.code, back.out) == (0, "fish: champion 2 -> 1\n")
        forth = commands("promote", "fish", "challenger", "--why", "it was the weather")
        assert forth.out == "fish: champion 1 -> 2\n"
        history = commands.json("history", "fish")
        assert [(each["kind"], each["from"], each["to"], each["why"]) for each in history[-2:]] == [
            ("rollback", "2", "1", "wrong by noon"),
            ("move", "1", "2", "it was the weather"),
        ]
        assert [each["by"] for each in history[-3:-1]] == ["ada", "grace"]
        assert "grace    wrong by noon" in commands("history", "fish").out

    def test_where_it_is_already_is_nothing_to_do(self, commands: Commands) -> None:
        assert commands("promote", "fish", "2").out == "nothing to do: fish/2 is champion\n"
        assert commands.json("promote", "fish", "2") is None

    def test_answers_machines(self, commands: Commands) -> None:
        assert commands.json("rollback", "fish")["to"] == "1"
        assert commands.json("promote", "fish", "2")["to"] == "2"

    def test_that_has_no_way_back_is_refused(self, commands: Commands) -> None:
        assert commands("rollback", "fish").code == 0
        result = commands("rollback", "fish")
        assert (result.code, result.out) == (1, "")
        assert "fish has no earlier champion to go back to" in result.sentence

    def test_without_the_right_to_write_is_a_sentence(
        self, commands: Commands, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("training.registry.directory.write_file", refuse)
        result = commands("promote", "fish", "1")
        assert result.code == 1
        assert "can't be written: Permission denied; it is as it was" in result.sentence


class TestGc:
    def test_dry_run_and_then_for_good(self, commands: Commands) -> None:
        for _ in range(3):
            commands.registry.publish("fish", publish_fish)
        planned = commands.json("gc", "--keep", "1", "--dry-run")
        assert planned["models"] == [
            {
                "name": "fish",
                "kept": {"1": ["rollback"], "2": ["challenger", "champion"], "5": ["newest"]},
                "removed": [3, 4],
                "leftovers": [],
            }
        ]
        assert columns(commands("gc", "--keep", "1", "--dry-run"))[1] == ["fish", "1,", "2,", "5", "3,", "4", "-"]
        assert len(commands.registry.versions("fish")) == 5
        removed = commands.json("gc", "fish", "--keep", "1")
        assert {**removed, "dry_run": True} == planned
        assert [version.number for version in commands.registry.versions("fish")] == [1, 2, 5]

    def test_keeps_one_at_least(self, commands: Commands) -> None:
        result = commands("gc", "--keep", "0")
        assert result.code == 1
        assert result.sentence.endswith("0 of the newest versions were to be kept; expected 1 at least.")


class TestGcOfWork:
    """Snapshots and steps of real runs."""

    @pytest.fixture
    def work(self, project: Project) -> Path:
        for rows, seed in ((40, 0), (60, 1)):
            lines = [f"{i + 100 * (i % 2)},red,{'pear' if i % 2 else 'apple'}" for i in range(rows)]
            project.write_data("\n".join(["weight,colour,kind", *lines, ""]))
            project.write_config(split={"seed": seed})
            assert project.train().code == 0
        return project.root / ".runs"

    @staticmethod
    def count(work: Path) -> tuple[int, int]:
        return len(list(work.glob("snapshots/*/"))), len(list(work.glob("steps/*/*/*/")))

    def gc(self, project: Project, *arguments: str) -> None:
        assert main(["registry", "gc", "--root", str(project.root), *arguments]) == 0

    def test_keeps_what_a_version_was_made_of(self, project: Project, work: Path) -> None:
        before = self.count(work)
        assert before[0] == 2
        self.gc(project)
        assert self.count(work) == before
        registry = Registry(project.root)
        registry.move("fruit", CHAMPION, registry.publish("fruit", partial(publish_fish, name="fruit")))
        registry.move("fruit", CHALLENGER, registry.publish("fruit", partial(publish_fish, name="fruit")))
        self.gc(project, "--keep", "1", "--dry-run")
        assert self.count(work) == before
        self.gc(project, "--keep", "1")
        assert [version.number for version in registry.versions("fruit")] == [2, 3, 4]
        assert self.count(work) == (1, before[1] // 2)
        assert json.loads(registry.read(Version("fruit", 2), "run.json"))["snapshot"]["sha256"] in {
            path.name for path in work.glob("snapshots/*/")
        }

    def test_keeps_what_was_ingested_last_and_not_published(self, project: Project, work: Path) -> None:
        project.write_config(floor={"accuracy": 1.0}, split={"seed": 5, "test_size": 0.4})
        project.write_data(
            "weight,colour,kind\n" + "".join(f"{i},red,{'pear' if i % 3 else 'apple'}\n" for i in range(60))
        )
        assert project.train().code == 3
        before = self.count(work)
        assert before[0] == 3
        self.gc(project)
        assert self.count(work) == before

    def test_sweeps_what_a_killed_step_has_left_and_nothing_of_others(self, project: Project, work: Path) -> None:
        before = self.count(work)
        dead = work / "steps" / "fruit" / "fit" / ".0123456789abcdef.partial"
        foreign = work / "steps" / "fruit" / "fit" / "notes"
        for directory in (dead, foreign, work / "snapshots" / "mine"):
            directory.mkdir()
        self.gc(project)
        assert not dead.exists()
        assert self.count(work) == (before[0] + 1, before[1] + 1)

    def test_of_what_it_does_not_understand_removes_nothing(
        self, project: Project, work: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        record = next(work.glob("steps/fruit/fit/*/step.json"))
        record.write_text('{"decided_by": {"snapshot": "another way of writing it"}}')
        before = self.count(work)
        capsys.readouterr()
        assert main(["registry", "gc", "--root", str(project.root), "--keep", "1"]) == 1
        assert "can't be read as a work directory" in capsys.readouterr().err
        assert self.count(work) == before

    def test_a_bucket_has_no_work_directory_unless_one_is_named(self, project: Project) -> None:
        from training.registrar import _surplus  # the one decision that needs no bucket

        arguments = type("Arguments", (), {"work": None, "dry_run": True})()
        registry = type("Bucket", (), {"root": "s3://models"})()
        assert _surplus(registry, {}, arguments) == []


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "training", "registry", "list", "--root", str(tmp_path)]
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.parametrize(
    "arguments", [(), ("promote", "fish"), ("show", "fish"), ("list", "--keep", "3"), ("gc", "--keep", "x")]
)
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["registry", *arguments, "--root", "models"])
    assert ended.value.code == 2
