"""What a request costs this server as one thing grows: its rows, its features, the models beside it, the workers."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from pydantic import BaseModel, ConfigDict
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks import fit
from benchmarks.candidates import Candidate
from benchmarks.errors import Void
from benchmarks.load import Generator
from benchmarks.machine import cores, describe
from benchmarks.results import Machine, Measurement, slug
from benchmarks.rounds import measurement
from benchmarks.servers import Server, served
from benchmarks.wire import Labels, Rows, v2
from benchmarks.workloads import CONCURRENCY
from model.artifact import publish

ROWS: Final = (1, 10, 100, 1_000, 10_000)
FEATURES: Final = (10, 30, 100, 300, 1_000)
MODELS: Final = (1, 10, 50, 200)
WORKERS: Final = (1, 2)
_SAMPLE_ROWS: Final = 400

Models = Iterable[tuple[str, Any, Rows]]


class Point(BaseModel):
    """One value of what grows, and what was measured at it with one connection (of workers: with all of them)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: int
    model: str
    measurement: Measurement
    cold_start_seconds: float
    rss_mib: float


class Sweep(BaseModel):
    """All points of a sweep."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    date: date
    machine: Machine
    points: list[Point]

    def write(self, directory: Path) -> Path:
        """Write the sweep to a file called by date, machine and what grows, and return the file."""
        directory.mkdir(parents=True, exist_ok=True)
        file = directory / f"{self.date}-{slug(self.machine)}-{self.name}.json"
        file.write_text(self.model_dump_json(indent=2) + "\n")
        return file


@dataclass(frozen=True, slots=True)
class Asked:
    """A model, the rows it is asked for, and the labels that it has to answer."""

    model: str
    X: Rows
    labels: Labels

    @classmethod
    def of(cls, name: str, estimator: Any, X: Rows) -> Self:
        """Ask the estimator itself what is right."""
        return cls(name, X, estimator.predict(X).tolist())


class Bench:
    """
    Our server, and connections to it.

    Parameters
    ----------
    own : Candidate
    seconds : int
        Of each load.
    """

    def __init__(self, own: Candidate, seconds: int) -> None:
        self._own = own
        self._server_core, self._load_core = cores()
        self._seconds = seconds

    @contextmanager
    def serving(self, models: Models, *, copies: int = 0, workers: int = 0) -> Iterator[Server]:
        """
        Serve models for as long as the context lasts.

        Parameters
        ----------
        models : iterable of (name, estimator, sample)
        copies : int
            Further models, each a copy of the first.
        workers : int
            On both cores; 0 means one on its own core, as in a run.
        """
        cpus = f"{self._server_core},{self._load_core}" if workers else self._server_core
        flags = ("--workers", str(workers)) if workers else ()
        with tempfile.TemporaryDirectory() as directory:
            root = Path(directory) / "models"
            published = [publish(estimator, X, name=name, root=root).parent for name, estimator, X in models]
            for number in range(copies):
                shutil.copytree(published[0], root / f"copy-{number}")
            with served(replace(self._own, directory=root), cpus, flags) as server:
                yield server

    def point(self, server: Server, value: int, asked: Asked, connections: int = 1) -> Point:
        """
        Measure a request.

        Raises
        ------
        Void
            The answer is wrong.
        """
        request, port = v2("rest", asked.model, asked.X), server.ports["http_port"]
        answer = request.ask(port)
        if request.labels(answer) != asked.labels:
            raise Void(f"{request.path} answered wrongly at {value}")
        rss_mib, before = server.rss_mib(), server.cpu_seconds()
        figures = Generator(self._load_core, connections, self._seconds).drive(request, port, answer)
        return Point(
            value=value,
            model=asked.model,
            measurement=measurement(figures, server.cpu_seconds() - before),
            cold_start_seconds=round(server.cold_start_seconds, 3),
            rss_mib=round(rss_mib, 1),
        )


def rows(bench: Bench) -> Iterator[Point]:
    """Grow the rows of a request."""
    with bench.serving((name, estimator, fit.data()[0]) for name, estimator in fit.fitted().items()) as server:
        for name, estimator in fit.fitted().items():
            for count in ROWS:
                X = np.resize(fit.data()[0], (count, fit.data()[0].shape[1]))
                yield bench.point(server, count, Asked.of(name, estimator, X))


def features(bench: Bench) -> Iterator[Point]:
    """Grow the features of a row."""
    for width in FEATURES:
        X, y = make_classification(_SAMPLE_ROWS, width, random_state=fit.SEED)
        estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
        with bench.serving([("logistic", estimator, X)]) as server:
            yield bench.point(server, width, Asked.of("logistic", estimator, X[:1]))


def models(bench: Bench) -> Iterator[Point]:
    """Grow the number of models beside the one that is asked."""
    estimator, X = fit.fitted()["logistic"], fit.data()[0]
    for count in MODELS:
        with bench.serving([("logistic", estimator, X)], copies=count - 1) as server:
            yield bench.point(server, count, Asked.of("logistic", estimator, X[:1]))


def workers(bench: Bench) -> Iterator[Point]:
    """Grow the number of workers, which share both cores with the load."""
    X = fit.data()[0]
    for count in WORKERS:
        with bench.serving(((name, model, X) for name, model in fit.fitted().items()), workers=count) as server:
            for name, estimator in fit.fitted().items():
                yield bench.point(server, count, Asked.of(name, estimator, X[:1]), CONCURRENCY)


SWEEPS: Final = {"rows": rows, "features": features, "models": models, "workers": workers}


def sweep(name: str, own: Candidate, seconds: int, say: Callable[[Point], None]) -> Sweep:
    """
    Do one of ``SWEEPS``.

    Parameters
    ----------
    name : str
    own : Candidate
    seconds : int
        Of each load.
    say : callable
        Told of each point.
    """
    before = os.getloadavg()[0]
    points = []
    for found in SWEEPS[name](Bench(own, seconds)):
        say(found)
        points.append(found)
    return Sweep(name=name, date=datetime.now(UTC).date(), machine=describe(before), points=points)
