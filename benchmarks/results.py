"""What a run has found, as it is kept in ``benchmarks/results``."""

from datetime import date
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict


class Machine(BaseModel):
    """What was measured on: enough to judge the figures by, nothing that names the machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cpu: str
    cores: int
    memory_gib: int
    system: str
    python: str
    load_before: float
    load_after: float


class Measurement(BaseModel):
    """One load on one server."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    """CPU time of the server for one request."""


class Start(BaseModel):
    """One start of one server."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cold_start_seconds: float
    rss_mib: float


class Run(BaseModel):
    """
    A whole run.

    Lists hold an entry per round, in order, so that figures of one round can be set against each other.
    """

    model_config = ConfigDict(extra="forbid")

    date: date
    quick: bool
    seconds: float
    concurrency: int
    machine: Machine
    versions: dict[str, dict[str, str]]
    starts: dict[str, list[Start]] = {}
    workloads: dict[str, dict[str, list[Measurement]]] = {}

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read a file of ``benchmarks/results``."""
        return cls.model_validate_json(file.read_bytes())

    def write(self, directory: Path) -> Path:
        """Write the run to a file called by its date and the machine's CPU, and return the file."""
        directory.mkdir(parents=True, exist_ok=True)
        file = directory / f"{self.date}-{slug(self.machine)}{'-quick' if self.quick else ''}.json"
        file.write_text(self.model_dump_json(indent=2) + "\n")
        return file


def slug(machine: Machine) -> str:
    """Return a name for a kind of machine."""
    words = "".join(letter if letter.isalnum() else " " for letter in machine.cpu.lower()).split()
    return "-".join([*words[:4], f"{machine.cores}-cores"])
