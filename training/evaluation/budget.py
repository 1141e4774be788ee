"""What a version takes of a server, measured on the engine that it would run."""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np
import pandas as pd

from model.artifact import LoadPolicy, load, publish, read_manifest
from model.artifact.serving import Served
from training.config.evaluation import Budget
from training.evaluation.candidate import Candidate
from training.evaluation.decision import Check

_RUNS: Final = 500
_SECONDS: Final = 3.0
"""Time after which no more runs of one size are made."""
_LEAST_RUNS: Final = 20
_WARM_UP: Final = 5
_LOADS: Final = 3


def check_budget(candidate: Candidate, budget: Budget, directory: Path) -> Iterator[Check]:
    """
    Publish a model where nobody sees it, and hold what it takes against a budget.

    Parameters
    ----------
    candidate : Candidate
    budget : Budget
    directory : Path
        For the version; whoever calls removes it.

    Raises
    ------
    ArtifactError
        It can't be published.
    """
    version = publish(candidate.estimator, candidate.sample, name="candidate", root=directory)
    engine, spent = spent_by(version, candidate.X)
    for name, limit in budget:
        if limit is not None:
            said = f"{name} is {spent[name]:.3g}, expected at most {limit:g}; the engine is {engine}"
            figures = {"name": name, "value": spent[name], "limit": limit, "engine": engine}
            yield Check(name="budget", passed=spent[name] <= limit, sentence=said, figures=figures)


def spent_by(version: Path, rows: pd.DataFrame) -> tuple[str, Mapping[str, float]]:
    """
    Measure a version.

    Returns
    -------
    engine : str
        That answers.
    spent : mapping of str to float
        What each key of ``Budget`` is about.
    """
    artifact = load(version, policy=LoadPolicy(require_manifest=True))
    seconds = [_seconds(lambda: load(version, policy=LoadPolicy(require_manifest=True))) for _ in range(_LOADS)]
    size = sum((version / name).stat().st_size for name in read_manifest(version).files)
    served = Served(artifact)
    one, many = _latencies(served, rows, 1), _latencies(served, rows, 64)
    return served.engine.name, {
        "p50_milliseconds": _percentile(one, 50),
        "p99_milliseconds": _percentile(one, 99),
        "p50_milliseconds_of_64_rows": _percentile(many, 50),
        "p99_milliseconds_of_64_rows": _percentile(many, 99),
        "megabytes": size / 1e6,
        "load_seconds": median(seconds),
    }


def _latencies(served: Served, rows: pd.DataFrame, size: int) -> list[float]:
    """Time answers to as many rows at once, other ones each time."""
    starts = np.linspace(0, max(0, len(rows) - size), num=16).astype(int)
    requests = [served.request(rows.iloc[np.arange(start, start + size) % len(rows)]) for start in starts]
    seconds: list[float] = []
    for request in requests[:_WARM_UP]:
        served.answer(request)
    while len(seconds) < _LEAST_RUNS or (len(seconds) < _RUNS and sum(seconds) < _SECONDS):
        request = requests[len(seconds) % len(requests)]
        seconds.append(_seconds(lambda: served.answer(request)))  # noqa: B023 -- called before the next is bound
    return seconds


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _percentile(seconds: list[float], percent: int) -> float:
    """Return milliseconds."""
    return float(np.percentile(seconds, percent)) * 1000
