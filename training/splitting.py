"""The rows a model is fitted on, and those it is measured on."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
from sklearn.model_selection import train_test_split

from training.config import Config
from training.errors import DataError
from training.metrics import Task


@dataclass(frozen=True)
class Parts:
    """
    Rows to fit on and rows to measure on; no row is in both.

    Parameters
    ----------
    X_train, X_test : DataFrame of shape (n_samples, n_features)
    y_train, y_test : Series of shape (n_samples,)
    """

    X_train: pd.DataFrame
    X_test: pd.DataFrame
    y_train: "pd.Series[Any]"
    y_test: "pd.Series[Any]"


def split(X: pd.DataFrame, y: "pd.Series[Any]", config: Config) -> Parts:
    """
    Divide the rows, the same way for the same seed.

    Raises
    ------
    DataError
        Too few rows, or too few of a class.
    """
    if config.stratified:
        _check_classes(y)
    chosen = config.split
    try:
        X_train, X_test, y_train, y_test = train_test_split(
            X, y, test_size=chosen.test_size, random_state=chosen.seed, stratify=y if config.stratified else None
        )
    except ValueError as error:
        raise DataError(f"{len(X)} rows cannot be split by test_size {chosen.test_size}: {error}") from error
    if config.task is Task.CLASSIFICATION and len(y_train.unique()) == 1:
        raise DataError(f"the rows to fit on hold class '{y_train.iloc[0]}' alone; set split.stratify to true")
    return Parts(X_train, X_test, y_train, y_test)


def _check_classes(y: "pd.Series[Any]") -> None:
    counts = y.value_counts()
    if counts.min() == 1:
        raise DataError(
            f"class '{counts.idxmin()}' has one row, and a stratified split needs two; "
            f"add rows, or set split.stratify to false"
        )
