"""What a run leaves behind: its step files, and its mark in the version it publishes."""

import fcntl
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from model.artifact import verify
from model.errors import ArtifactError
from training.errors import TrainingError

MARK: Final = "run.json"
"""File of a version, and step file of a run, that tells what the run was made of."""

_ID_LENGTH: Final = 16


class RunRecord:
    """
    The record of one run.

    Parameters
    ----------
    root : Path
        Model root; step files go to ``<root>/.runs/<run id>/``.
    name : str
        Name of the model.
    ingredients : mapping
        All that decides the result, as JSON values; the run id is their digest.
    """

    def __init__(self, root: Path, name: str, ingredients: Mapping[str, Any]) -> None:
        self._versions = root / name
        self.id = hashlib.sha256(_canonical(ingredients)).hexdigest()[:_ID_LENGTH]
        self.directory = root / ".runs" / self.id
        self.mark = {"run": self.id, **ingredients}

    @contextmanager
    def opened(self) -> Iterator[None]:
        """
        Hold the run's directory; another process with the same run waits, and then finds it done.

        Raises
        ------
        TrainingError
            The directory can't be written.
        """
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            lock = (self.directory / "lock").open("w")
        except OSError as error:
            raise TrainingError(f"{self.directory} cannot be written: {error.strerror}") from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def write(self, step: str, content: Mapping[str, Any]) -> None:
        """Write ``<step>.json`` whole or not at all."""
        path = self.directory / f"{step}.json"
        partial = path.with_suffix(".partial")
        partial.write_bytes(readable(content))
        partial.replace(path)

    def published(self) -> Path | None:
        """
        Return the sound version that this run has published, if it has.

        The version itself is asked, so that it doesn't matter where an earlier run was killed.
        """
        versions = (path.parent for path in self._versions.glob(f"*/{MARK}") if _run_of(path) == self.id)
        return next((version for version in versions if version.name.isdecimal() and _sound(version)), None)


def readable(content: Mapping[str, Any]) -> bytes:
    """Return JSON for people."""
    return (json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _canonical(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _run_of(path: Path) -> str | None:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return content.get("run") if isinstance(content, dict) else None


def _sound(version: Path) -> bool:
    try:
        verify(version, require_manifest=True)
    except ArtifactError:
        return False
    return True
