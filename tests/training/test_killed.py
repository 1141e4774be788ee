"""
Training that is killed, or runs out of disk, at any of its steps: nothing is lost, and running again ends it.

A step is killed before some of its changes of the disk, and before each of them by ``make chaos``.
"""

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from model.artifact import verify
from tests.scale import scaled
from tests.training.trainer import Ended, Trainer

STEPS: Final = ("ingest", "validate", "fit", "evaluate", "publish", "promote")
FRUIT: Final = "weight,colour,kind\n" + "".join(
    f"{100 + i},{'green' if i % 2 else 'yellow'},pear\n{200 + i},{'red' if i % 3 else 'green'},apple\n"
    for i in range(30)
)


class Project:
    """A directory with data, a configuration, and the root of one try."""

    def __init__(self, directory: Path, train: Trainer) -> None:
        self.directory = directory
        self.root = directory / "root"
        self._config = directory / "fruit.yaml"
        self._train = train
        (directory / "fruit.csv").write_text(FRUIT)
        settings: dict[str, Any] = {"name": "fruit", "source": "fruit.csv", "target": "kind", "task": "classification"}
        # For which no engine is looked for, as that takes longer than all the rest.
        settings |= {"estimator": {"class": "sklearn.dummy.DummyClassifier"}}
        self._config.write_text(yaml.safe_dump(settings))

    def do(self, command: str, **trouble: float | None) -> Ended:
        return self._train(command, "--config", self._config, "--root", self.root, **trouble)  # type: ignore[arg-type]  # seconds or numbers

    def begin(self, step: str) -> None:
        """Have a root in which all was done before a step, and nothing after it."""
        shutil.rmtree(self.root, ignore_errors=True)
        kept = self.directory / f"before-{step}"
        if not kept.exists():
            for before in STEPS[: STEPS.index(step)]:
                assert self.do(before).code == 0
            self.root.mkdir(exist_ok=True)
            shutil.copytree(self.root, kept)
        else:
            shutil.copytree(kept, self.root)

    def check(self) -> None:
        """Hold the root to one sound version, which both aliases name, and nothing of what was killed."""
        verify(self.root / "fruit" / "1", require_manifest=True)
        assert sorted(path.name for path in (self.root / "fruit").iterdir() if not path.name.startswith(".")) == [
            "1",
            "aliases.json",
        ]
        aliases = json.loads((self.root / "fruit" / "aliases.json").read_bytes())
        assert {alias: aliases[alias] for alias in ("champion", "challenger")} == {"champion": "1", "challenger": "1"}
        left = [path for path in self.root.rglob("*") if "partial" in path.name or path.name.startswith(".publish")]
        assert not left


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with Trainer() as train:
        yield Project(tmp_path_factory.mktemp("killed"), train)


def done(ended: Ended) -> bool:
    assert "Traceback" not in ended.err
    return ended.code == 0


def some(positions: list[int]) -> list[int]:
    """Return a few of many, the first and the last among them, or under fire all."""
    few = scaled(7, len(positions))
    return sorted({positions[round(i * (len(positions) - 1) / max(few - 1, 1))] for i in range(few)})


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_was_killed_before_any_change_of_the_disk_is_done_again(project: Project, step: str) -> None:
    project.begin(step)
    whole = project.do(step)
    assert done(whole)
    changes = whole.changes
    assert changes
    # The parents of a directory are tried again and again, and the next change is of another kind.
    chosen = [position for position, change in enumerate(changes) if not change.startswith("os.mkdir")]
    for position in some(chosen):
        change = changes[position]
        project.begin(step)
        assert project.do(step, kill_at=position).killed, change
        assert done(project.do(step)), change
    assert done(project.do("run"))
    project.check()


def test_a_run_that_is_killed_at_any_moment_is_ended_by_the_next(project: Project) -> None:
    moments = random.Random(0)  # noqa: S311 -- no secret
    shutil.rmtree(project.root, ignore_errors=True)
    killed = 0
    for _ in range(6):
        killed += project.do("run", kill_after_seconds=moments.uniform(0.02, 0.4)).killed
    assert killed
    assert done(project.do("run"))
    project.check()


@pytest.mark.parametrize("step", STEPS)
def test_a_disk_that_is_full_is_said_in_a_sentence_and_costs_nothing(project: Project, step: str) -> None:
    project.begin(step)
    before = sorted((project.root / "fruit").glob("[0-9]*"))
    ended = project.do(step, largest_file=0 if step == "promote" else 200)  # a semaphore is a file of 32 bytes
    assert ended.code == 1
    assert "File too large" in ended.err.splitlines()[-1]
    assert "Traceback" not in ended.err
    assert sorted((project.root / "fruit").glob("[0-9]*")) == before
    assert done(project.do(step))
