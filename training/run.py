"""From the source to the version: the steps in their order, each done once."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from model.artifact import publish, verify
from model.errors import ArtifactError
from training.config import Config
from training.errors import DataError, Refused
from training.ingest import source
from training.ingest.source import Snapshot
from training.ingest.store import SnapshotStore
from training.record import identity, readable, write_whole
from training.steps import EVALUATE, FIT, VALIDATE, Step, Workspace
from training.steps.evaluate import read_decision, read_evaluation
from training.steps.fit import read_fitted, read_parts
from training.steps.rows import Rows
from training.steps.workspace import code_versions, locked

MARK: Final = "run.json"
"""File of a version that tells what it was made of."""
_TAKEN: Final = "ingested.json"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """
    What a run came to.

    Parameters
    ----------
    version : Path
        Directory of the version.
    metrics : mapping of str to float
        Measured in this run; empty where there was nothing to do.
    published : bool
        False where an earlier run of the same data and configuration had published it already.
    """

    version: Path
    metrics: Mapping[str, float]
    published: bool


class Run:
    """
    One configuration's way from the source to the version.

    Parameters
    ----------
    config : Config
    root : Path
        Model root.
    base : Path
        Directory that a relative source starts from.
    work : Path, optional
        Directory for snapshots and the files of steps; by default ``<root>/.runs``.
    """

    def __init__(self, config: Config, root: Path, *, base: Path, work: Path | None = None) -> None:
        self.config = config
        self.root = root
        self._base = base
        self._work = work or root / ".runs"
        self._taken = self._work / "steps" / config.name / _TAKEN

    def ingest(self) -> Snapshot:
        """Take a snapshot of the source, which the steps after it go on from."""
        snapshot = source.read(self.config.source, self._base)
        log.info("read %s, sha256 %s", snapshot, snapshot.sha256)
        with self._locked():
            SnapshotStore(self._work / "snapshots").add(snapshot)
            write_whole(self._taken, readable({"source": self.config.source, "sha256": snapshot.sha256}))
        self.snapshot = snapshot
        return snapshot

    @cached_property
    def snapshot(self) -> Snapshot:
        """
        The newest snapshot that was taken.

        Raises
        ------
        DataError
            None was, or it is one of another source.
        """
        try:
            taken = json.loads(self._taken.read_bytes())
        except FileNotFoundError as error:
            raise DataError(f"no snapshot of {self.config.name} has been taken; run ingest first") from error
        if taken["source"] != self.config.source:
            raise DataError(
                f"the snapshot of {self.config.name} is of {taken['source']!r}, and source is {self.config.source!r}; run ingest"
            )
        return SnapshotStore(self._work / "snapshots").get(taken["sha256"])

    def make(self, step: Step) -> Path:
        """Do a step, and those before it, unless that was done; return its directory."""
        with self._locked():
            return self._steps.made(step)

    def publish(self) -> Outcome:
        """
        Publish what was evaluated, unless it has been.

        Raises
        ------
        Refused
            It is not good enough.
        """
        with self._locked():
            if (earlier := self.published()) is not None:
                return Outcome(earlier, {}, published=False)
            evaluated = self._steps.made(EVALUATE)
            decision = read_decision(evaluated)
            if not decision["accepted"]:
                raise Refused(f"{self.config.name} is not published: {'; '.join(decision['reasons'])}")
            return self._publish(read_evaluation(evaluated)["metrics"])

    def published(self) -> Path | None:
        """
        Return the sound version that was published of this snapshot and configuration, if there is one.

        The versions themselves are asked, so that it doesn't matter where an earlier run was killed.
        """
        marks = (self.root / self.config.name).glob(f"*/{MARK}")
        versions = (path.parent for path in marks if _run_of(path) == self.id)
        return next((version for version in versions if version.name.isdecimal() and _sound(version)), None)

    @cached_property
    def id(self) -> str:
        """Digest of all that decides the version."""
        return identity(self._ingredients)

    @cached_property
    def _ingredients(self) -> dict[str, Any]:
        snapshot = self.snapshot
        return {
            "snapshot": {"source": snapshot.source, "sha256": snapshot.sha256, "bytes": len(snapshot.content)},
            "configuration": self.config.as_json(),
            "code": code_versions(),
        }

    @cached_property
    def _steps(self) -> Workspace:
        return Workspace(self._work, self.config, self.snapshot)

    def _publish(self, metrics: Mapping[str, float]) -> Outcome:
        parts = read_parts(self._steps.made(FIT), Rows.read(self._steps.made(VALIDATE)))
        version = publish(
            read_fitted(self._steps.made(FIT)),
            parts.X_train,
            name=self.config.name,
            root=self.root,
            metrics=metrics,
            extra_files={MARK: readable({"run": self.id, **self._ingredients})},
        )
        return Outcome(version, metrics, published=True)

    def _locked(self) -> Any:
        return locked(self._taken.parent)


def run(config: Config, root: Path, *, base: Path, work: Path | None = None) -> Outcome:
    """
    Train and publish, unless the same data, configuration and code have been published already.

    Parameters
    ----------
    config, root, base, work
        See ``Run``.

    Raises
    ------
    TrainingError, ArtifactError
        Nothing is published.
    """
    steps = Run(config, root, base=base, work=work)
    steps.ingest()
    return steps.publish()


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
