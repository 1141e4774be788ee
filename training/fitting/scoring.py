"""Our metrics as scikit-learn's searches take them."""

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from training.metrics import METRICS, Answers


@dataclass(frozen=True)
class Scorer:
    """
    Scores a fitted estimator by a metric, the greater the better.

    Parameters
    ----------
    metric : str
        A name of ``METRICS``.
    """

    metric: str

    @property
    def sign(self) -> int:
        """What makes a score of the metric's value, and the other way round."""
        return 1 if METRICS[self.metric].higher_is_better else -1

    def __call__(self, estimator: Any, X: pd.DataFrame, y: "pd.Series[Any]") -> float:
        """Return the score, NaN where the estimator or the rows do not define it."""
        metric = METRICS[self.metric]
        probable = hasattr(estimator, "predict_proba")
        if metric.needs_probabilities and not probable:
            return math.nan
        answers = Answers(
            expected=y.to_numpy(),
            predicted=np.asarray(estimator.predict(X)),
            classes=getattr(estimator, "classes_", None),
            probabilities=np.asarray(estimator.predict_proba(X)) if probable else None,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is NaN here
            return self.sign * metric.score(answers)
