"""Cross-validation that keeps what the split keeps: proportions of classes, groups, and the order of time."""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold, TimeSeriesSplit

from training.config import Config
from training.errors import DataError
from training.fitting.sample import Sample

Positions = npt.NDArray[np.intp]
Fold = tuple[Positions, Positions]
"""Positions of the rows to fit on, and of those to score."""


def folds(sample: Sample, config: Config, count: int) -> list[Fold]:
    """
    Divide rows into folds, the same way for the same seed.

    Parameters
    ----------
    sample : Sample
        Rows to fit on.
    config : Config
    count : int
        Number of folds.

    Returns
    -------
    folds : list of (train, test), each an ndarray of positions in the sample
        In a split by time each fold is fitted on older rows than it scores; in the others every row is scored once.

    Raises
    ------
    DataError
        Too few rows, groups or moments, or too few rows of a class.
    """
    if sample.times is not None:
        return _by_time(sample.times, count)
    if config.stratified:
        _check_classes(sample.y, count)
    if sample.groups is not None and sample.groups.nunique() < count:
        raise DataError(f"{sample.groups.nunique()} groups to fit on are fewer than the {count} folds; expected more")
    if len(sample) < count:
        raise DataError(f"{len(sample)} rows to fit on are fewer than the {count} folds; expected more")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what the classes allow; too few rows of one are refused above
        return list(_splitter(sample, config, count).split(sample.X, sample.y, sample.groups))


def _splitter(sample: Sample, config: Config, count: int) -> Any:
    seeded = {"n_splits": count, "shuffle": True, "random_state": config.split.seed}
    if sample.groups is not None:
        return StratifiedGroupKFold(**seeded) if config.stratified else GroupKFold(**seeded)
    return StratifiedKFold(**seeded) if config.stratified else KFold(**seeded)


def _by_time(times: "pd.Series[Any]", count: int) -> list[Fold]:
    """Divide the moments rather than the rows, so that no moment is on both sides."""
    moments, distinct = pd.factorize(times, sort=True)
    if len(distinct) <= count:
        raise DataError(
            f"{len(distinct)} moments to fit on are too few for {count} folds; expected {count + 1} or more"
        )
    return [
        (np.flatnonzero(np.isin(moments, older)), np.flatnonzero(np.isin(moments, newer)))
        for older, newer in TimeSeriesSplit(count).split(distinct)
    ]


def _check_classes(y: "pd.Series[Any]", count: int) -> None:
    counts = y.value_counts()
    if counts.min() < count:
        raise DataError(
            f"class '{counts.idxmin()}' has {counts.min()} rows to fit on, fewer than the {count} folds; "
            f"add rows, take fewer folds, or set split.stratify to false"
        )
