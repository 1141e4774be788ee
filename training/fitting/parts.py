"""Which rows are fitted on, which validate, and which the model is measured on."""

import math
import warnings
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold, train_test_split

from training.config import Config
from training.errors import DataError
from training.fitting.sample import Sample
from training.metrics import Task

TRAIN: Final = "train"
VALIDATION: Final = "validation"
TEST: Final = "test"

Halves = tuple["pd.Index[Any]", "pd.Index[Any]"]
"""Rows that are left, and those that are cut off."""
Cut = Callable[[Sample, Config, float], Halves]
Mask = npt.NDArray[np.bool_]

_MOST_FOLDS: Final = 20
"""Groups are divided into so many folds at most, of which some are the part that is cut off."""


def split(sample: Sample, config: Config) -> "pd.Series[str]":
    """
    Divide rows, the same way for the same seed.

    Parameters
    ----------
    sample : Sample
    config : Config

    Returns
    -------
    parts : Series of str, shape (n_samples,)
        ``train``, ``validation`` or ``test`` for each row, in the order that they are fitted on: drawn by chance, by
        time, or as in the file where groups stay together. There are rows to validate only where they were asked for.

    Raises
    ------
    DataError
        Too few rows, groups or moments, or too few rows of a class.
    """
    chosen = config.split
    rest, tested = _cut(sample, config, "test_size", chosen.test_size)
    validated = rest[:0]
    if chosen.validation_size:
        # Down to nine digits, for a last bit too much would be rounded up to a row.
        share = math.floor(chosen.validation_size / (1 - chosen.test_size) * 1e9) / 1e9
        rest, validated = _cut(sample.take(rest), config, "validation_size", share)
    _check_classes_to_fit_on(sample.y.loc[rest], config)
    drawn = {TRAIN: rest, VALIDATION: validated, TEST: tested}
    return pd.concat([pd.Series(part, index=rows, name="part", dtype=object) for part, rows in drawn.items()])


def _cut(sample: Sample, config: Config, key: str, share: float) -> Halves:
    """Return the rows that are left, and those that are cut off."""
    try:
        return _way(sample)(sample, config, share)
    except ValueError as error:
        asked = getattr(config.split, key)
        raise DataError(f"{len(sample)} rows cannot be split by {key} {asked:g}: {error}") from error


def _way(sample: Sample) -> Cut:
    if sample.times is not None:
        return _by_time
    return _by_chance if sample.groups is None else _by_group


def _by_chance(sample: Sample, config: Config, share: float) -> Halves:
    y = sample.y
    if config.stratified:
        _check_classes(y)
    left, cut = train_test_split(
        y.index, test_size=share, random_state=config.split.seed, stratify=y if config.stratified else None
    )
    return left, cut


def _by_group(sample: Sample, config: Config, share: float) -> Halves:
    groups, index = sample.groups, sample.y.index
    assert groups is not None  # noqa: S101 -- that is why it was chosen
    if len(groups.unique()) == 1:
        raise DataError(
            f"split.group {config.split.group!r} is {groups.iloc[0]!r} in all {len(groups)} rows left to divide; "
            f"expected groups for each part"
        )
    cut = _stratified_groups(sample, config, share) if config.stratified else _groups_by_chance(sample, config, share)
    return index[~cut], index[cut]


def _groups_by_chance(sample: Sample, config: Config, share: float) -> Mask:
    splitter = GroupShuffleSplit(1, test_size=share, random_state=config.split.seed)
    _, taken = next(splitter.split(sample.y, groups=sample.groups))
    return np.isin(np.arange(len(sample)), taken)


def _stratified_groups(sample: Sample, config: Config, share: float) -> Mask:
    """Take as many folds as make up the share, each with the classes in as equal proportions as its groups allow."""
    assert sample.groups is not None  # noqa: S101 -- that is why it was chosen
    taken, folds = _fraction(share, min(_MOST_FOLDS, sample.groups.nunique()))
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=config.split.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a class has fewer rows than there are folds, of which several are taken
        tests = [test for _, test in splitter.split(sample.y, sample.y, sample.groups)]
    return np.isin(np.arange(len(sample)), np.concatenate(tests[:taken]))


def _fraction(share: float, most: int) -> tuple[int, int]:
    """Return the fraction nearest to a share, as numerator and denominator."""
    fractions = [(part, whole) for whole in range(2, most + 1) for part in range(1, whole)]
    return min(fractions, key=lambda fraction: (abs(fraction[0] / fraction[1] - share), fraction[1]))


def _by_time(sample: Sample, config: Config, share: float) -> Halves:
    """Cut where a moment ends, as near to the share as that allows, so that no moment is on both sides."""
    assert sample.times is not None  # noqa: S101 -- that is why it was chosen
    ordered = sample.times.sort_values(kind="stable")
    values = ordered.to_numpy()
    begins = np.flatnonzero(values[1:] != values[:-1]) + 1
    if not len(begins):
        raise DataError(
            f"split.time {config.split.time!r} is {ordered.iloc[0]} in all {len(ordered)} rows left to divide; "
            f"expected different ones"
        )
    cut = begins[np.abs(begins - (1 - share) * len(ordered)).argmin()]
    return ordered.index[:cut], ordered.index[cut:]


def _check_classes(y: "pd.Series[Any]") -> None:
    counts = y.value_counts()
    if counts.min() == 1:
        raise DataError(
            f"class '{counts.idxmin()}' has one row, and a stratified split needs two; "
            f"add rows, or set split.stratify to false"
        )


def _check_classes_to_fit_on(y: "pd.Series[Any]", config: Config) -> None:
    if config.task is Task.CLASSIFICATION and len(y.unique()) == 1:
        advice = "set split.stratify to true" if config.split.time is None else "add older rows of another class"
        raise DataError(f"the rows to fit on hold class '{y.iloc[0]}' alone; {advice}")
