"""A model that takes its time."""

import time
from typing import Any, Self

from sklearn.base import BaseEstimator


class Sleeper(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Answers with the seconds for which it has slept: the first value of the first row."""

    def fit(self, X: Any, y: Any = None) -> Self:
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X: Any) -> Any:
        time.sleep(X[0, 0])
        return X[:, 0]
