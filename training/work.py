"""The work directory: snapshots, the files of steps, and what was ingested last for each model."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from training.config.source import Source
from training.errors import DataError
from training.ingest import Snapshot, SnapshotStore
from training.record import readable, write_whole

_INGESTED: Final = "ingested.json"


@dataclass(frozen=True, slots=True)
class Work:
    """
    A work directory.

    Parameters
    ----------
    directory : Path
    """

    directory: Path

    @classmethod
    def of(cls, root: str | Path, named: Path | None = None) -> "Work | None":
        """Return the one that was named, or else that of a model root; None of a bucket, where steps leave no files."""
        if named is None and "://" in str(root):
            return None
        return cls(named or Path(root) / ".runs")

    @property
    def snapshots(self) -> SnapshotStore:
        """What was taken of sources."""
        return SnapshotStore(self.directory / "snapshots")

    def model(self, name: str) -> Path:
        """Return the directory of a model's steps; who changes what is in it holds it by ``locked``."""
        return self.directory / "steps" / name

    def models(self) -> list[Path]:
        """Return the directories of all models, in order."""
        steps = self.directory / "steps"
        return sorted(child for child in steps.iterdir() if child.is_dir()) if steps.is_dir() else []

    def note(self, name: str, snapshot: Snapshot, source: Source) -> None:
        """Note what was ingested for a model."""
        content = {"source": source.model_dump(mode="json"), "sha256": snapshot.sha256}
        write_whole(self.model(name) / _INGESTED, readable(content))

    def ingested(self, name: str) -> str | None:
        """Return the digest of the snapshot that was ingested last for a model, None where none was."""
        noted = self._noted(name)
        return None if noted is None else str(noted["sha256"])

    def newest(self, name: str, source: Source) -> Snapshot:
        """
        Return the snapshot that was ingested last for a model.

        Raises
        ------
        DataError
            None was, or it is one of another source, or it is damaged.
        """
        noted = self._noted(name)
        if noted is None:
            raise DataError(f"no snapshot of {name} has been taken; run ingest first")
        if noted["source"] != source.model_dump(mode="json"):
            raise DataError(f"the snapshot of {name} is of another source than the configuration's; run ingest")
        return self.snapshots.get(noted["sha256"])

    def _noted(self, name: str) -> Any:
        try:
            return json.loads((self.model(name) / _INGESTED).read_bytes())
        except FileNotFoundError:
            return None


__all__ = ["Work"]
