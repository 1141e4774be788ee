"""The models in the hands of every server, and proof that all environments have fitted the same ones."""

import inspect
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks import fit
from benchmarks.candidates import HOME, Candidate
from benchmarks.errors import Void
from benchmarks.wire import Labels, Rows
from benchmarks.workloads import CEILING, OURS, PLAIN
from model.artifact import publish

MODELS: Final = ("logistic", "forest")
PROBE_ROWS: Final = 64
TOLERANCE: Final = 1e-9


def prepare(candidates: Iterable[Candidate]) -> None:
    """
    Fit the models for each server, in its own environment.

    Raises
    ------
    Void
        An environment is missing, or its models differ from this server's.
    """
    for candidate in candidates:
        if not candidate.python.exists():
            raise Void(f"{candidate.name} has no environment; expected one made by `make bench-setup`.")
        shutil.rmtree(candidate.directory, ignore_errors=True)
        candidate.directory.mkdir(parents=True)
        if candidate.name in {OURS, PLAIN}:
            publish_own(candidate.directory, plain=candidate.name == PLAIN)
        elif candidate.name != CEILING:
            _fit(candidate)


def publish_own(root: Path, *, plain: bool) -> None:
    """Publish this server's models, if ``plain`` for scikit-learn itself to answer."""
    X, _ = fit.data()
    for name, estimator in fit.fitted().items():
        publish(estimator, X, name=name, root=root, **(without_engine() if plain else {}))


def without_engine() -> dict[str, Any]:
    """Return what keeps ``publish`` from adding a faster engine."""
    return {"accelerate": False} if "accelerate" in inspect.signature(publish).parameters else {}


def sample(rows: int) -> Rows:
    """Return rows from all over the data, so that both classes are among them."""
    X, _ = fit.data()
    return X[np.linspace(0, len(X) - 1, rows, dtype=int)]


def expected(model: str, X: Rows) -> Labels:
    """Return the labels that scikit-learn gives."""
    labels: Labels = fit.fitted()[model].predict(X).tolist()
    return labels


def _fit(candidate: Candidate) -> None:
    subprocess.run([candidate.python, HOME / "fit.py", candidate.directory], check=True)
    X, _ = fit.data()
    theirs = np.load(candidate.directory / fit.PROBABILITIES)
    for name, model in fit.fitted().items():
        difference = np.abs(theirs[name] - model.predict_proba(X)).max()
        if difference > TOLERANCE:
            raise Void(f"the {name} fitted for {candidate.name} differs by {difference} from this server's")
