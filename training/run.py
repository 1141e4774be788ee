"""From the source to the version: the steps in their order, each done once."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

from model.artifact import publish
from model.errors import ArtifactError
from training.card import CARD, Documents, card
from training.config import Config
from training.errors import ConfigurationError, DataError, Refused, RegistryError, TrackingError
from training.ingest import Snapshot, SnapshotStore, take
from training.record import identity, readable, write_whole
from training.registry import CHALLENGER, CHAMPION, Registry, Version
from training.steps import EVALUATE, FIT, VALIDATE, Step, Workspace
from training.steps.evaluate import DECISION, EVALUATION, read_decision, read_evaluation
from training.steps.fit import FITTED, read_fitted, read_parts
from training.steps.rows import Rows, count
from training.steps.workspace import code_versions, locked
from training.tracking import Tracker

MARK: Final = "run.json"
"""File of a version that tells what it was made of."""
TAKEN: Final = "ingested.json"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """
    What a run came to.

    Parameters
    ----------
    version : Version
    metrics : mapping of str to float
        Measured in this run; empty where there was nothing to do.
    published : bool
        False where an earlier run of the same data and configuration had published it already.
    """

    version: Version
    metrics: Mapping[str, float]
    published: bool


class Run:
    """
    One configuration's way from the source to the version.

    Parameters
    ----------
    config : Config
    root : str or Path
        Model root: a directory, or where the registry knows it, a bucket.
    base : Path
        Directory that a relative source starts from.
    work : Path, optional
        Directory for snapshots and the files of steps; by default ``<root>/.runs``.
    repeats : str, optional
        SHA-256 of an earlier snapshot, to repeat what was done with it; by default the source is read.

    Raises
    ------
    ConfigurationError
        The root is no directory, and no work directory is named.
    """

    def __init__(
        self, config: Config, root: str | Path, *, base: Path, work: Path | None = None, repeats: str | None = None
    ) -> None:
        self.config = config
        self.registry = Registry(root)
        self._base = base
        self._work = work or _work_at(root)
        self._taken = self._work / "steps" / config.name / TAKEN
        self._repeats = repeats

    def all(self) -> Outcome:
        """
        Ingest, publish and, unless that is to be done by hand, promote.

        Raises
        ------
        TrainingError, ArtifactError
            Nothing is promoted, and nothing published unless the promotion is what failed.
        """
        self.ingest()
        return self.complete()

    def complete(self, why: str = "") -> Outcome:
        """
        Go on from the newest snapshot: publish and, unless that is to be done by hand, promote.

        Parameters
        ----------
        why : str
            For the registry's record of the promotion, beside what was measured.

        Raises
        ------
        TrainingError, ArtifactError
            Nothing is promoted, and nothing published unless the promotion is what failed.
        """
        outcome = self.publish()
        if self.config.promotion == "automatic" and (version := self.promote(why)) is not None:
            log.info("the champion of %s is version %d", version.name, version.number)
        return outcome

    def ingest(self) -> Snapshot:
        """Take a snapshot of the source, which the steps after it go on from; to repeat one needs no source."""
        if self._repeats is not None:
            return self.snapshot
        with self._locked():
            snapshot = take(self.config.source, self._base, self._snapshots, consumer=self.config.name)
            write_whole(self._taken, readable({"source": self._source, "sha256": snapshot.sha256}))
        self.snapshot = snapshot
        return snapshot

    @cached_property
    def snapshot(self) -> Snapshot:
        """
        The newest snapshot that was taken, or the one that is to be repeated.

        Raises
        ------
        DataError
            None was, or it is one of another source; or there is none to repeat.
        """
        if self._repeats is not None:
            return self._snapshots.get(self._repeats)
        try:
            taken = json.loads(self._taken.read_bytes())
        except FileNotFoundError as error:
            raise DataError(f"no snapshot of {self.config.name} has been taken; run ingest first") from error
        if taken["source"] != self._source:
            raise DataError(
                f"the snapshot of {self.config.name} is of another source than the configuration's; run ingest"
            )
        return self._snapshots.get(taken["sha256"])

    def done(self, step: Step) -> Path | None:
        """Return the directory of a step, if it was done of this snapshot and configuration."""
        with self._locked():
            return self._steps.done(step)

    def last(self, step: Step) -> datetime | None:
        """Return when a step was done last, of any snapshot and configuration."""
        return self._steps.last(step)

    def make(self, step: Step) -> Path:
        """Do a step, and those before it, unless that was done; return its directory."""
        with self._locked():
            return self._steps.made(step)

    def publish(self) -> Outcome:
        """
        Publish what was evaluated and call it challenger, unless it has been published.

        Raises
        ------
        Refused
            It is not good enough.
        TrackingError
            It is published, and somebody who is to be told of it can't be.
        """
        with self._locked():
            if (earlier := self.published()) is not None:
                self._challenge(earlier, "found published, and never called challenger")
                outcome = Outcome(earlier, {}, published=False)
            else:
                outcome = self._publish(self._accepted())
        self._track()
        return outcome

    def promote(self, why: str = "") -> Version | None:
        """
        Let the alias ``champion`` name what was published.

        Parameters
        ----------
        why : str
            For the registry's record, beside what was measured.

        Returns
        -------
        version : Version or None
            None where it is champion, or has been: who took it back had a reason.

        Raises
        ------
        DataError
            It has not been published.
        Refused
            There is another champion since it was compared, and beside that one it is not good enough.
        """
        name = self.config.name
        with self._locked():
            version = self.published()
            if version is None:
                raise DataError(f"no version of {name} was made of this snapshot and configuration; run publish first")
            if self._has_been(CHAMPION, version):
                return None
            evaluated = self._accepted()
            accepted = f"accepted: {measured(read_evaluation(evaluated).metrics)}"
            self.registry.move(name, CHAMPION, version, why="; ".join(filter(None, (why, accepted))))
        self._track()
        return version

    def published(self) -> Version | None:
        """
        Return the sound version that was published of this snapshot and configuration, if there is one.

        The versions themselves are asked, so that it doesn't matter where an earlier run was killed.
        """
        versions = reversed(self.registry.versions(self.config.name))
        return next((version for version in versions if self._made(version) and self._sound(version)), None)

    @cached_property
    def id(self) -> str:
        """Digest of all that decides the version."""
        deciding = {key: value for key, value in self.config.as_json().items() if key not in Config.AFTERWARDS}
        return identity({**self._ingredients, "configuration": deciding})

    @property
    def work(self) -> Path:
        """Directory for snapshots and the files of steps."""
        return self._work

    @property
    def made_of(self) -> Mapping[str, Any]:
        """All that decides the version: ``snapshot``, ``configuration`` and ``code``, as JSON values."""
        return self._ingredients

    @cached_property
    def _ingredients(self) -> dict[str, Any]:
        snapshot = self.snapshot
        return {
            "snapshot": {"source": snapshot.source, "sha256": snapshot.sha256, "bytes": snapshot.bytes},
            "configuration": self.config.as_json(),
            "code": code_versions(),
        }

    @property
    def _source(self) -> Any:
        return self.config.source.model_dump(mode="json")

    @property
    def _snapshots(self) -> SnapshotStore:
        return SnapshotStore(self._work / "snapshots")

    @cached_property
    def _steps(self) -> Workspace:
        return Workspace(self._work, self.config, self.snapshot, self._besides, registry=self.registry)

    @property
    def _besides(self) -> dict[str, dict[str, Any]]:
        """What decides the result of a step beside its settings: columns kept for others, and who is champion."""
        besides: dict[str, dict[str, Any]] = {}
        if self.config.sliced_aside:
            besides[VALIDATE.name] = {"sliced": list(self.config.sliced_aside)}
        champion = self.registry.aliases(self.config.name).get(CHAMPION)
        if champion is not None and self.config.evaluation.non_inferiority is not None:
            besides[EVALUATE.name] = {"champion": champion}
        return besides

    def _accepted(self) -> Path:
        """Return the directory of an evaluation that it may be published by, beside who is champion now."""
        evaluated = self._steps.made(EVALUATE)
        decision = read_decision(evaluated)
        if not decision.accepted:
            raise Refused(f"{self.config.name} is not published: {'; '.join(decision.reasons)}")
        return evaluated

    def _publish(self, evaluated: Path) -> Outcome:
        validated, fitted = self._steps.made(VALIDATE), self._steps.made(FIT)
        parts = read_parts(fitted, Rows.read(validated))
        metrics = read_evaluation(evaluated).metrics
        files = {
            MARK: readable({"run": self.id, **self._ingredients, "rows": count(validated)}),
            FITTED: (fitted / FITTED).read_bytes(),
            **{file: (evaluated / file).read_bytes() for file in (EVALUATION, DECISION)},
        }
        drawn = {path.name: path.read_bytes() for path in evaluated.glob("*.svg")}
        write = partial(
            publish,
            read_fitted(fitted),
            parts.X_train,
            name=self.config.name,
            metrics=metrics,
            extra_files={**files, CARD: lambda manifest: card(Documents.of(manifest, files), drawn)},
        )
        version = self.registry.publish(self.config.name, lambda root: write(root=root))
        self._challenge(version, f"published: {measured(metrics)}")
        return Outcome(version, metrics, published=True)

    def _challenge(self, version: Version, why: str) -> None:
        if not self._has_been(CHALLENGER, version):
            self.registry.move(version.name, CHALLENGER, version, why=why)

    def _track(self) -> None:
        """Tell those who follow the registry, who may be told later."""
        tracking = self.config.tracking
        if tracking.mlflow is None:
            return
        try:
            Tracker(tracking.mlflow, self.registry, experiment=tracking.experiment).mirror(self.config.name)
        except TrackingError as error:
            if tracking.required:
                raise
            log.warning("%s", error)

    def _has_been(self, alias: str, version: Version) -> bool:
        moves = self.registry.history(version.name)
        return any(move.alias == alias and move.after == str(version.number) for move in moves)

    def _made(self, version: Version) -> bool:
        """Whether a version was made of this run's snapshot and configuration; one by another hand was not."""
        try:
            mark = json.loads(self.registry.read(version, MARK))
        except (RegistryError, ArtifactError, ValueError):
            return False
        return isinstance(mark, dict) and mark.get("run") == self.id

    def _sound(self, version: Version) -> bool:
        try:
            self.registry.fetch(version)
        except (RegistryError, ArtifactError):
            return False
        return True

    def _locked(self) -> Any:
        return locked(self._taken.parent)


def _work_at(root: str | Path) -> Path:
    if "://" in str(root):
        raise ConfigurationError(f"root is {root}, where steps leave no files; name a directory for them by --work")
    return Path(root) / ".runs"


def measured(metrics: Mapping[str, float]) -> str:
    """Return metrics for a line of text."""
    return ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
