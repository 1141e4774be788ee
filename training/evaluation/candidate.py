"""The model that is judged."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from training.metrics import Answers


@dataclass(frozen=True)
class Candidate:
    """
    A fitted estimator and the rows it is judged on.

    Parameters
    ----------
    estimator : fitted estimator
    sample : DataFrame of shape (n_samples, n_features)
        Rows that it was fitted on, and would be published with.
    X : DataFrame of shape (n_samples, n_features)
        Rows that it has not seen.
    y : Series of shape (n_samples,)
    columns : DataFrame of shape (n_samples, n_columns)
        What those may be divided by: ``X``, and columns that the estimator is not given.
    answers : Answers
        To ``X``.
    """

    estimator: Any
    sample: pd.DataFrame
    X: pd.DataFrame
    y: "pd.Series[Any]"
    columns: pd.DataFrame
    answers: Answers
