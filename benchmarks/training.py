"""What training costs as rows grow: time, CPU time and memory of each step, every one a process of its own."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from datetime import date as Date  # noqa: N812 -- a field is called date
from importlib.metadata import version
from pathlib import Path
from typing import Final, Self

import numpy as np
import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict

from benchmarks.candidates import ENVIRONMENTS, REPOSITORY
from benchmarks.errors import Void
from benchmarks.machine import describe
from benchmarks.results import Machine, slug

ROWS: Final = (10_000, 100_000, 1_000_000)
MOST_ROWS: Final = 10_000_000
STEPS: Final = ("ingest", "validate", "fit", "evaluate")
COLUMNS: Final = 20
"""Eighteen numbers and two categories, each with 2 % missing, and a target of two classes beside them."""

SUFFIX: Final = "-training"
"""Of the names of files of results."""

_NUMBERS: Final = 18
_CHUNK: Final = 250_000
_MIB: Final = 1024
"""KiB, which the kernel counts memory in."""
_PACKAGES: Final = ("scikit-learn", "pandas", "numpy", "pyarrow")


class Cost(BaseModel):
    """One step on so many rows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: int
    step: str
    seconds: float
    cpu_seconds: float
    peak_rss_mib: float


class TrainingRun(BaseModel):
    """Every step on every number of rows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    date: Date
    machine: Machine
    versions: dict[str, str]
    data_mib: dict[int, float]
    costs: list[Cost]

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read a file of ``benchmarks/results``."""
        return cls.model_validate_json(file.read_bytes())

    def write(self, directory: Path) -> Path:
        """Write it to a file called by date and machine, and return the file."""
        directory.mkdir(parents=True, exist_ok=True)
        file = directory / f"{self.date}-{slug(self.machine)}{SUFFIX}.json"
        file.write_text(self.model_dump_json(indent=2) + "\n")
        return file


def measure(sizes: list[int], say: Callable[[str], None]) -> TrainingRun:
    """
    Train on each number of rows.

    Raises
    ------
    Void
        A step did not end with 0.
    """
    load, costs, data = os.getloadavg()[0], [], {}
    for rows in sizes:
        place = ENVIRONMENTS / "training" / str(rows)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        try:
            data[rows] = round(_write(place / "rows.csv", rows) / _MIB / _MIB, 1)
            for cost in _train(place, rows):
                costs.append(cost)
                say(f"{rows:,} rows, {cost.step}: {cost.seconds:.1f} s, {cost.peak_rss_mib:,.0f} MiB")
        finally:
            shutil.rmtree(place)
    versions = {name: version(name) for name in _PACKAGES}
    machine = describe(load)
    return TrainingRun(date=datetime.now(UTC).date(), machine=machine, versions=versions, data_mib=data, costs=costs)


def _write(file: Path, rows: int) -> int:
    """Write rows in parts, so that to make them takes no more memory than to read them, and return the bytes."""
    for start in range(0, rows, _CHUNK):
        made(start, min(_CHUNK, rows - start)).to_csv(file, mode="a", header=not start, index=False)
    return file.stat().st_size


def made(seed: int, rows: int) -> pd.DataFrame:
    """Return so many rows, the same for the same seed."""
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(rows, _NUMBERS)).round(6)
    told = numbers[:, 0] + numbers[:, 1] * numbers[:, 2] + random.normal(size=rows)
    table = pd.DataFrame(numbers, columns=[f"x{i}" for i in range(_NUMBERS)])
    for name in ("colour", "region"):
        table[name] = random.choice([f"{name}-{i}" for i in range(8)], size=rows)
    return table.mask(random.random(table.shape) < 0.02).assign(target=np.where(told > 0, "yes", "no"))  # noqa: PLR2004 -- the share that is missing


def _train(place: Path, rows: int) -> Iterator[Cost]:
    settings = {"name": "rows", "source": "rows.csv", "target": "target", "task": "classification"}
    (place / "rows.yaml").write_text(yaml.safe_dump(settings))
    for step in STEPS:
        yield _cost(step, rows, place)


def _cost(step: str, rows: int, place: Path) -> Cost:
    files = ("--config", str(place / "rows.yaml"), "--root", str(place / "models"))
    command = [sys.executable, "-m", "training", step, *files]
    began = time.perf_counter()
    with (place / "log").open("ab") as log:
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=log, stderr=log)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Void(f"{step} of {rows:,} rows failed: {(place / 'log').read_text().splitlines()[-1]}")
    return Cost(
        rows=rows,
        step=step,
        seconds=round(time.perf_counter() - began, 2),
        cpu_seconds=round(used.ru_utime + used.ru_stime, 2),
        peak_rss_mib=round(used.ru_maxrss / _MIB, 1),
    )
