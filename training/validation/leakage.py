"""Columns that give the target away: one alone tells it of rows that have not been seen."""

import warnings
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score, r2_score
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from training.columns import Kind
from training.metrics import Task

_MOST_ROWS: Final = 5_000
_FEWEST_ROWS: Final = 30
"""Fewer rows tell nothing for certain."""
_FOLDS: Final = 3
_SEED: Final = 0


def telling(X: pd.DataFrame, y: "pd.Series[Any]", kinds: Mapping[str, Kind], task: Task) -> dict[str, float]:
    """
    Measure how well each column alone tells the target: by a decision tree, on rows that it was not fitted on.

    Parameters
    ----------
    X : DataFrame of shape (n_samples, n_features)
    y : Series of shape (n_samples,)
    kinds : mapping of str to Kind
    task : Task

    Returns
    -------
    scores : dict of str to float
        Balanced accuracy, or R² in a regression, by column. Texts that are seldom the same twice are not among them;
        of fewer than 30 rows, or classes with fewer than 3, there is none.
    """
    rows = X.sample(min(len(X), _MOST_ROWS), random_state=_SEED)
    answers = y.loc[rows.index].to_numpy()
    if len(rows) < _FEWEST_ROWS or (
        task is Task.CLASSIFICATION and np.unique(answers, return_counts=True)[1].min() < _FOLDS
    ):
        return {}
    columns = {name: _numbers(rows[name], kind) for name, kind in kinds.items() if _repeats(rows[name], kind)}
    return {name: _score(values, answers, task) for name, values in columns.items()}


def _repeats(column: "pd.Series[Any]", kind: Kind) -> bool:
    return kind in (Kind.NUMBER, Kind.DATE, Kind.BOOLEAN) or column.nunique() <= len(column) / 2


def _numbers(column: "pd.Series[Any]", kind: Kind) -> Any:
    if kind is Kind.NUMBER:
        return column.to_numpy(dtype="float64").reshape(-1, 1)
    if kind is Kind.DATE:
        seconds = column.astype("int64").where(column.notna()) / 1e9
        return seconds.to_numpy(dtype="float64").reshape(-1, 1)
    return pd.factorize(column, sort=False)[0].reshape(-1, 1)


def _score(values: Any, answers: Any, task: Task) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a class that is not in every fold
        if task is Task.REGRESSION:
            folds = KFold(_FOLDS, shuffle=True, random_state=_SEED)
            return float(
                r2_score(
                    answers, cross_val_predict(DecisionTreeRegressor(random_state=_SEED), values, answers, cv=folds)
                )
            )
        strata = StratifiedKFold(_FOLDS, shuffle=True, random_state=_SEED)
        told = cross_val_predict(DecisionTreeClassifier(random_state=_SEED), values, answers, cv=strata)
        return float(balanced_accuracy_score(answers, told))
