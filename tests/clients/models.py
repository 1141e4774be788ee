"""The models that clients of every kind ask, and what their estimators say themselves."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from model.artifact import publish
from tests.clients.asked import BIRDS, COLUMNS, MATRIX, POINTS, SLEEPER
from tests.clients.sleeper import Sleeper

_STRENGTHS = {"1": 1e-4, "2": 1.0}
"""Of the birds' classifier by version: the first says the same of every bird."""


class Models(NamedTuple):
    """
    What is served.

    Parameters
    ----------
    root : Path
        Of the model repository.
    birds : dict of str to estimator
        By version.
    points : estimator
    """

    root: Path
    birds: dict[str, Any]
    points: Any

    def of_birds(self, method: str = "predict", version: str = "2", **columns: Any) -> list[Any]:
        """Return what the estimator says of the birds that are asked about, with other values in some columns."""
        answer: list[Any] = getattr(self.birds[version], method)(pd.DataFrame(COLUMNS | columns)).tolist()
        return answer

    def of_points(self) -> list[float]:
        """Return what the estimator says of the points that are asked about."""
        answer: list[float] = self.points.predict(MATRIX).tolist()
        return answer


def published(root: Path) -> Models:
    """Fit the models and publish them under a root."""
    X = _birds(60)
    classifiers = {version: _classifier(strength).fit(X, _species(X)) for version, strength in _STRENGTHS.items()}
    for classifier in classifiers.values():
        publish(classifier, X, name=BIRDS, root=root)
    points = np.random.default_rng(3).normal(size=(60, 3))
    regressor = LinearRegression().fit(points, points @ [1.0, -2.0, 0.5])
    publish(regressor, points, name=POINTS, root=root)
    naps = np.full((3, 1), 0.002)  # too long for the event loop
    publish(Sleeper().fit(naps), naps, name=SLEEPER, root=root)
    return Models(root, classifiers, regressor)


def _classifier(strength: float) -> Any:
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    islands = OneHotEncoder(handle_unknown="ignore")
    columns = ColumnTransformer([("numbers", numbers, ["bill", "mass"]), ("islands", islands, ["island"])])
    return make_pipeline(columns, LogisticRegression(C=strength))


def _birds(n: int) -> pd.DataFrame:
    random = np.random.default_rng(7)
    bill = random.normal(44, 5, n)
    bill[::9] = np.nan
    island = random.choice(["Torgersen", "Biscoe", "Dream"], n)
    return pd.DataFrame({"bill": bill, "mass": random.normal(4200, 800, n), "island": island.astype(object)})


def _species(X: pd.DataFrame) -> npt.NDArray[Any]:
    return np.where(X["mass"] > 4500, "Gentoo", np.where(X["bill"] > 45, "Chinstrap", "Adelie"))
