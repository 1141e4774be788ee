"""
The models that every server answers with, fitted on data that scikit-learn ships.

Run by the interpreter of each environment (``python fit.py DIRECTORY``), for a pickle belongs to the release of
scikit-learn that wrote it. It therefore imports nothing of this repository.
"""

import sys
from functools import cache
from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

TREES: Final = 100
SEED: Final = 0
PROBABILITIES: Final = "probabilities.npz"


@cache
def data() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return rows and labels: 569 rows of 30 features."""
    X, y = load_breast_cancer(return_X_y=True)
    return X, y


@cache
def fitted() -> dict[str, Any]:
    """Return the models by name."""
    X, y = data()
    return {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y),
        "forest": RandomForestClassifier(TREES, random_state=SEED).fit(X, y),
    }


def write(directory: Path) -> None:
    """Write each model as ``<name>/model.joblib``, and what they answer, so that the environments can be compared."""
    X, _ = data()
    models = fitted()
    for name, model in models.items():
        (directory / name).mkdir(parents=True, exist_ok=True)
        joblib.dump(model, directory / name / "model.joblib")
    np.savez(directory / PROBABILITIES, **{name: model.predict_proba(X) for name, model in models.items()})


if __name__ == "__main__":
    write(Path(sys.argv[1]))
