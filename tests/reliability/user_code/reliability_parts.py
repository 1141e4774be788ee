"""Estimators that do what servers have to cope with; they come along by ``--code_dir``."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_info

NEVER_SECONDS = 100
"""Longer than any test."""
PACE_SECONDS = 0.02
"""What a row costs where the cost is known."""


def pass_gate(name: str) -> None:
    """Say in the directory ``$GATES`` that the gate is reached, and wait until it is opened."""
    gates = Path(os.environ["GATES"])
    (gates / f"at-{name}").touch()
    end = time.monotonic() + NEVER_SECONDS
    while not (gates / f"open-{name}").exists() and time.monotonic() < end:
        time.sleep(0.005)


class Gated(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """
    Answers a row with its first value.

    Behind a first value from 1 on there is a gate of this number. A negative one is refused in an error that quotes
    it.
    """

    def fit(self, X: Any, y: Any = None) -> Self:
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X: Any) -> Any:
        time.sleep(0.001)  # so that warm-up finds it too slow for the event loop
        for value in X[:, 0]:
            if value < 0:
                raise RuntimeError(f"a row begins with {value:.6f}")
            if value >= 1:
                pass_gate(f"{value:g}")
        return X[:, 0].astype(float)


class Chatty(Gated):
    """Prints while it answers, as Python does and as a library of C does."""

    def predict(self, X: Any) -> Any:
        sys.stdout.write(f"so many rows: {len(X)}\n")
        sys.stdout.flush()
        os.write(1, b"and so few columns\n")
        return super().predict(X)


class Heavy(Gated):
    """Takes its time to be loaded, where the server has a directory of gates."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "GATES" in os.environ:
            pass_gate("load")


class Rude(Gated):
    """Ends the process that loads it, or tries to."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "GATES" in os.environ:
            raise SystemExit(3)


class Second(Gated):
    """Takes its time to be loaded in every process but the first that comes."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "GATES" in os.environ:
            try:
                (Path(os.environ["GATES"]) / "first").touch(exist_ok=False)
            except FileExistsError:
                pass_gate("load")


class Deadly(Gated):
    """Takes the process that loads it along, as a fault in a library of C does."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "GATES" in os.environ:
            os.kill(os.getpid(), signal.SIGKILL)


class Threads(Gated):
    """Answers a row from 1 on with the threads that OpenMP and BLAS use in calculations like those of scikit-learn."""

    def predict(self, X: Any) -> Any:
        time.sleep(0.001)
        if X[0, 0] < 1:
            return np.zeros((len(X), 2))
        table = np.random.default_rng(1).normal(size=(2_000, 200))
        table @ table.T
        KMeans(8, n_init=1, max_iter=5).fit(table)
        found = {api: [1] for api in ("openmp", "blas")}
        for pool in threadpool_info():
            found[pool["user_api"]].append(pool["num_threads"])
        return np.tile([float(max(found["openmp"])), float(max(found["blas"]))], (len(X), 1))


class Paced(Gated):
    """Takes `PACE_SECONDS` for a row, and a thread for as long."""

    def predict(self, X: Any) -> Any:
        time.sleep(PACE_SECONDS * len(X))
        return X[:, 0].astype(float)
