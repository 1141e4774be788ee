import hashlib
from collections.abc import Callable
from pathlib import Path

from training.config import Config
from training.config.source import Format
from training.ingest import Part, Snapshot
from training.steps import Job, Step, Workspace


class Kitchen:
    """Two steps that count how often they are done."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.first = Step("first", (), ("target",), self._make("first"))
        self.second = Step("second", (self.first,), ("floor",), self._make("second"))

    def _make(self, name: str) -> Callable[[Job], None]:
        def make(job: Job) -> None:
            self.done.append(name)
            (job.output / "file").write_text(f"{name} of {sorted(job.inputs)}")

        return make


def workspace(directory: Path, config: Config, content: bytes = b"") -> Workspace:
    part = Part(directory / "fruit.csv", "fruit.csv", hashlib.sha256(content).hexdigest(), len(content))
    return Workspace(directory, config, Snapshot("fruit.csv", Format.CSV, (part,), "2026-01-01T00:00:00+00:00"))
