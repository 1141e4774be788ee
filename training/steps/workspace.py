"""Where steps leave their files: a directory for each, under the digest of all that decides what is in it."""

import fcntl
import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from training.config import Config
from training.errors import TrainingError
from training.ingest import Snapshot
from training.record import digest_of, directory_made_whole, identity, readable
from training.registry import Registry
from training.steps.code import code_versions
from training.steps.step import Job, Step

RECORD: Final = "step.json"

log = logging.getLogger(__name__)


class Workspace:
    """
    The steps of one configuration on one snapshot.

    A step that was done is found again, whoever did it and however a later one ended; a setting that changes makes
    anew what it decides, and nothing else.

    Parameters
    ----------
    directory : Path
        Work directory; files go to ``<directory>/steps/<name>/<step>/<key>/``.
    config : Config
    snapshot : Snapshot
    besides : mapping of str to mapping, optional
        JSON values that decide the result of a step as well, by its name: such as the champion it is compared with.
    registry : Registry, optional
        Given to the steps.
    """

    def __init__(
        self,
        directory: Path,
        config: Config,
        snapshot: Snapshot,
        besides: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        registry: Registry | None = None,
    ) -> None:
        self._directory = directory / "steps" / config.name
        self._config = config
        self._configuration = config.as_json()
        self._snapshot = snapshot
        self._besides = besides or {}
        self._registry = registry

    def done(self, step: Step) -> Path | None:
        """Return the directory of a step that was done, every file of it as it was written."""
        place = self._place(step)
        if not (place / RECORD).exists():
            return None
        if not _sound(place):
            log.warning("%s is damaged, and is done again", place)
            return None
        return place

    def last(self, step: Step) -> datetime | None:
        """Return when a step was done last, whatever decided its result."""
        records = (self._directory / step.name).glob(f"[!.]*/{RECORD}")
        return max((datetime.fromtimestamp(record.stat().st_mtime, UTC) for record in records), default=None)

    def made(self, step: Step) -> Path:
        """Return the directory of a step, doing it and what it needs unless that was done."""
        if (place := self.done(step)) is not None:
            return place
        inputs = {needed.name: self.made(needed) for needed in step.needs}
        place = self._place(step)
        began = time.monotonic()
        with directory_made_whole(place) as partial:
            besides = self._besides.get(step.name, {})
            step.make(Job(self._config, self._snapshot, inputs, partial, self._registry, besides))
            files = {path.name: digest_of(path) for path in sorted(partial.iterdir())}
            record = {"decided_by": self._ingredients(step), "files": files, "seconds": time.monotonic() - began}
            (partial / RECORD).write_bytes(readable(record))
        return place

    def key(self, step: Step) -> str:
        """Return the digest that a step's directory is named by."""
        return identity(self._ingredients(step))

    def _place(self, step: Step) -> Path:
        return self._directory / step.name / self.key(step)

    def _ingredients(self, step: Step) -> dict[str, Any]:
        settings = step.decided_by(self._configuration)
        return {
            "step": step.name,
            "configuration": settings,
            "needs": {needed.name: self.key(needed) for needed in step.needs},
            "snapshot": {"sha256": self._snapshot.sha256, "format": self._snapshot.format},
            "code": code_versions(settings),
            **self._besides.get(step.name, {}),
        }


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """
    Hold a directory; another process that wants it waits, and then finds what was done.

    Raises
    ------
    TrainingError
        The directory can't be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = (directory / "lock").open("w")
    except OSError as error:
        raise TrainingError(f"{directory} cannot be written: {error.strerror}") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sound(place: Path) -> bool:
    try:
        files = json.loads((place / RECORD).read_bytes())["files"]
        return all(digest_of(place / name) == digest for name, digest in files.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
