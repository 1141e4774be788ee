"""From the source to the version: the steps in their order, each done once."""

import logging
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from training.config import Config
from training.continuity import check_continuity, warn_of_columns
from training.errors import ConfigurationError, DataError, Refused
from training.ingest import Snapshot, take
from training.origin import Origin
from training.outcome import Outcome, measured
from training.publication import publication
from training.registry import CHALLENGER, CHAMPION, Registry, Version
from training.steps import EVALUATE, FIT, VALIDATE, Step, Workspace
from training.steps.evaluate import read_decision, read_evaluation
from training.steps.rows import kinds_of
from training.steps.workspace import locked
from training.tracking import tell
from training.work import Work

log = logging.getLogger(__name__)


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
        self.work = _work_at(root, work)
        self._base = base
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
            Nothing is promoted, and nothing published unless the promotion is what failed; but for a TrackingError:
            what there was to do is done, and somebody who is to be told of it can't be.
        """
        outcome = self._published()
        try:
            if self.config.promotion == "automatic" and self._promoted(outcome.version, why):
                log.info("the champion of %s is version %d", self.config.name, outcome.version.number)
        finally:
            self._tell()
        return outcome

    def ingest(self) -> Snapshot:
        """Take a snapshot of the source, which the steps after it go on from; to repeat one needs no source."""
        if self._repeats is not None:
            return self.snapshot
        with self._locked():
            snapshot = take(self.config.source, self._base, self.work.snapshots, consumer=self.config.name)
            self.work.note(self.config.name, snapshot, self.config.source)
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
            return self.work.snapshots.get(self._repeats)
        return self.work.newest(self.config.name, self.config.source)

    @cached_property
    def origin(self) -> Origin:
        """All that decides the version."""
        return Origin.of(self.config, self.snapshot)

    def done(self, step: Step) -> Path | None:
        """Return the directory of a step, if it was done of this snapshot and configuration."""
        with self._locked():
            return self._steps.done(step)

    def last(self, step: Step) -> datetime | None:
        """Return when a step was done last, of any snapshot and configuration."""
        return self._steps.last(step)

    def make(self, step: Step) -> Path:
        """
        Do a step, and those before it, unless that was done; return its directory.

        Raises
        ------
        DataError
            A column has changed its type since the champion was fitted.
        """
        with self._locked():
            return self._made(step)

    def published(self) -> Version | None:
        """Return the sound version that was published of this snapshot and configuration, if there is one."""
        return self.origin.find(self.registry, self.config.name)

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
        outcome = self._published()
        self._tell()
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
        TrackingError
            It is champion, and somebody who is to be told of it can't be.
        """
        version = self.published()
        if version is None:
            name = self.config.name
            raise DataError(f"no version of {name} was made of this snapshot and configuration; run publish first")
        if not self._promoted(version, why):
            return None
        self._tell()
        return version

    def _published(self) -> Outcome:
        with self._locked():
            if (earlier := self.published()) is not None:
                self._challenge(earlier, "found published, and never called challenger")
                return Outcome(earlier, {}, published=False)
            evaluated = self._accepted()
            warn_of_columns(kinds_of(self._steps.made(VALIDATE)), self.config, self.registry)
            metrics = read_evaluation(evaluated).metrics
            version = self.registry.publish(
                self.config.name,
                publication(
                    self.config.name,
                    self.origin,
                    validated=self._steps.made(VALIDATE),
                    fitted=self._steps.made(FIT),
                    evaluated=evaluated,
                ),
            )
            self._challenge(version, f"published: {measured(metrics)}")
            return Outcome(version, metrics, published=True)

    def _promoted(self, version: Version, why: str) -> bool:
        """Promote a version unless it is champion, or has been, and tell whether that was done."""
        with self._locked():
            if self._has_been(CHAMPION, version):
                return False
            accepted = f"accepted: {measured(read_evaluation(self._accepted()).metrics)}"
            self.registry.move(version.name, CHAMPION, version, why="; ".join(filter(None, (why, accepted))))
            return True

    def _made(self, step: Step) -> Path:
        """Do a step; columns are held to the champion of the moment, whoever was that when they were validated."""
        check_continuity(kinds_of(self._steps.made(VALIDATE)), self.config, self.registry)
        return self._steps.made(step)

    def _accepted(self) -> Path:
        """Return the directory of an evaluation that it may be published by, beside who is champion now."""
        evaluated = self._made(EVALUATE)
        decision = read_decision(evaluated)
        if not decision.accepted:
            raise Refused(f"{self.config.name} is not published: {'; '.join(decision.reasons)}")
        return evaluated

    def _challenge(self, version: Version, why: str) -> None:
        if not self._has_been(CHALLENGER, version):
            self.registry.move(version.name, CHALLENGER, version, why=why)

    def _has_been(self, alias: str, version: Version) -> bool:
        moves = self.registry.history(version.name)
        return any(move.alias == alias and move.after == str(version.number) for move in moves)

    def _tell(self) -> None:
        tell(self.config.tracking, self.registry, self.config.name)

    @cached_property
    def _steps(self) -> Workspace:
        return Workspace(self.work.directory, self.config, self.snapshot, self._besides, registry=self.registry)

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

    def _locked(self) -> Any:
        return locked(self.work.model(self.config.name))


def _work_at(root: str | Path, named: Path | None) -> Work:
    work = Work.of(root, named)
    if work is None:
        raise ConfigurationError(f"root is {root}, where steps leave no files; name a directory for them by --work")
    return work


__all__ = ["Run"]
