"""Estimators that do what servers have to cope with; they come along by ``--code_dir``."""

import os
import time
from pathlib import Path
from typing import Any, Self

from sklearn.base import BaseEstimator

NEVER_SECONDS = 100
"""Longer than any test."""


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
