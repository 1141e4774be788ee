"""What of a work directory is still good for something: the snapshots and steps that a version was made of."""

import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from training.errors import TrainingError
from training.steps.workspace import RECORD, locked
from training.work import Work

_SNAPSHOT: Final = re.compile(r"[0-9a-f]{64}")
_STEP: Final = re.compile(r"\.?[0-9a-f]{16}(\.partial)?")
"""Names of directories, of steps also while they are made; what is called otherwise is none of ours."""


@dataclass(frozen=True, slots=True)
class Retention:
    """
    A work directory, and the versions whose snapshots and steps are kept in it.

    What was ingested last for a model is kept as well, with all steps that were done on it.

    Parameters
    ----------
    work : Work
    marks : sequence of mapping
        What each version that is kept was made of: its ``run.json``.
    """

    work: Work
    marks: tuple[Mapping[str, Any], ...]

    def surplus(self) -> list[Path]:
        """
        Return the directories that nothing refers to, in order.

        Raises
        ------
        TrainingError
            The work directory can't be read.
        """
        try:
            return sorted([*self._surplus_snapshots(), *self._surplus_steps()])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TrainingError(
                f"{self.work.directory} can't be read as a work directory: {error}; nothing of it was removed."
            ) from error

    def remove(self) -> list[Path]:
        """Remove them, while no step is made, and return them."""
        with ExitStack() as locks:
            for directory in self.work.models():
                locks.enter_context(locked(directory))
            surplus = self.surplus()
            for directory in surplus:
                shutil.rmtree(directory, ignore_errors=True)
        return surplus

    def _surplus_snapshots(self) -> Iterator[Path]:
        wanted = {_snapshot(mark) for mark in self.marks} | {
            self.work.ingested(model.name) for model in self.work.models()
        }
        for directory in _directories(self.work.snapshots.directory):
            if _SNAPSHOT.fullmatch(directory.name) and directory.name not in wanted:
                yield directory

    def _surplus_steps(self) -> Iterator[Path]:
        for model in self.work.models():
            taken = self.work.ingested(model.name)
            marks = [mark for mark in self.marks if mark["configuration"]["name"] == model.name]
            for step in _directories(model):
                for directory in _directories(step):
                    if _STEP.fullmatch(directory.name) and not _wanted(directory, taken, marks):
                        yield directory


def _wanted(directory: Path, taken: str | None, marks: Iterable[Mapping[str, Any]]) -> bool:
    try:
        decided_by = json.loads((directory / RECORD).read_bytes())["decided_by"]
    except FileNotFoundError:
        return False  # of a step that was killed
    snapshot = decided_by["snapshot"]["sha256"]
    if snapshot == taken:
        return True
    settings = decided_by["configuration"]
    return any(
        _snapshot(mark) == snapshot and settings == {key: mark["configuration"].get(key) for key in settings}
        for mark in marks
    )


def _snapshot(mark: Mapping[str, Any]) -> str:
    sha256: str = mark["snapshot"]["sha256"]
    return sha256


def _directories(path: Path) -> list[Path]:
    return sorted(child for child in path.iterdir() if child.is_dir()) if path.is_dir() else []


__all__ = ["Retention"]
