"""What a team of data scientists brings along by ``--code_dir``: estimators of its own."""

import os
import time
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin


class Weekdays(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Turns columns of dates into days of the week, 0 for a Monday."""

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        self.feature_names_in_ = np.array(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: pd.DataFrame) -> Any:
        return np.column_stack([X[name].dt.weekday for name in self.feature_names_in_])


class Gate(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """
    Answers a row with its first value, once a file lets it through.

    For a row that begins with 7 it makes the file ``run-7`` in the directory ``$GATES``, then waits for ``open-7``.
    Zero passes at once, and is what it is published with.
    """

    def fit(self, X: Any, y: Any = None) -> Self:
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X: Any) -> Any:
        time.sleep(0.001)  # so that warm-up finds it too slow for the event loop
        for ticket in X[:, 0]:
            if ticket:
                self._pass(Path(os.environ["GATES"]), f"{ticket:g}")
        return X[:, 0].astype(float)

    def _pass(self, gates: Path, ticket: str) -> None:
        (gates / f"run-{ticket}").touch()
        end = time.monotonic() + 20
        while not (gates / f"open-{ticket}").exists() and time.monotonic() < end:
            time.sleep(0.005)


class Moody(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Raises where a row begins with 13, and a ValueError where one begins with 14."""

    def fit(self, X: Any, y: Any = None) -> Self:
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X: Any) -> Any:
        if X[0, 0] == 13:
            raise RuntimeError(f"the secret of the row is {X[0, 1]:g}")
        if X[0, 0] == 14:
            raise ValueError(f"the secret of the row is {X[0, 1]:g}")
        return X[:, 0].astype(float)


class Sluggish(Moody):
    """Is loaded once there is a file ``open-0`` in the directory ``$GATES``, where that is set."""

    def __setstate__(self, state: Any) -> None:
        gates = os.environ.get("GATES")
        end = time.monotonic() + 60
        while gates and not (Path(gates) / "open-0").exists() and time.monotonic() < end:
            time.sleep(0.01)
        super().__setstate__(state)
