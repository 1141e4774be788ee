"""Every row of a source is kept, put aside, or dropped for a reason that is said."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from training.columns import Kind
from training.config import Config
from training.errors import DataError
from training.metrics import Task
from training.validation import quarantine
from training.validation.conversion import truths
from training.validation.leakage import telling
from training.validation.outliers import Far, far_out
from training.validation.report import Counts, Outcome, described, failed_checks
from training.validation.schema import Schema
from training.validation.survey import Survey, survey
from training.validation.typed import Typed, read_typed

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Validated:
    """
    Typed rows that may be learned from.

    Parameters
    ----------
    X : DataFrame of shape (n_samples, n_features)
        The index is the position of each row in the source.
    y : Series of shape (n_samples,)
    aside : DataFrame of shape (n_samples, n_columns)
        Columns that are needed besides, be they learned from or not.
    kinds : dict of str to Kind
        Of each column of ``X``.
    outcomes : Series of Outcome
        Of every row of the source.
    report : dict
        What was found and done, as JSON values.
    """

    X: pd.DataFrame
    y: "pd.Series[Any]"
    aside: pd.DataFrame
    kinds: dict[str, Kind]
    outcomes: "pd.Series[int]"
    report: dict[str, Any]

    @property
    def counts(self) -> Counts:
        """How many rows have come to what."""
        return Counts.of(self.outcomes)


def validate(
    chunks: Callable[[], Iterable[pd.DataFrame]], config: Config, directory: Path, *, aside: Sequence[str] = ()
) -> Validated:
    """
    Hold a table to its configuration.

    Parameters
    ----------
    chunks : callable
        Returns a raw table in parts, every time anew: it is gone through up to three times. Cells are texts, or typed;
        missing ones are null or one of the texts of ``config.missing``.
    config : Config
    directory : Path
        Gets ``quarantine.parquet`` and ``failures.csv``.
    aside : sequence of str
        Columns that are needed besides, be they learned from or dropped, such as the group of a row; not the target.

    Raises
    ------
    DataError
        A column is missing or does not tell its kind, more rows fail than is allowed, nothing is left to learn from,
        or a column that alone tells the target is to be refused.
    ConfigurationError
        A column is declared in a unit that does not exist.
    """
    found = survey(chunks(), config, aside)
    typed = read_typed(chunks(), found, config)
    outcomes = _dropped(typed, config)
    rows = typed.table[outcomes == Outcome.KEPT]
    if rows.empty:
        raise DataError(f"no row is left: {Counts.of(outcomes)}")
    far = far_out(rows, found, config)
    _checked(rows, found, typed, far, config)
    failures = typed.failures.of(rows.index)
    outcomes[failures.index.unique()] = Outcome.QUARANTINED
    quarantine.write(failures, chunks, found.names, directory)
    quarantine.check_share(failures, len(rows), config.quarantine.limit, directory)
    kept = _finished(typed.table[outcomes == Outcome.KEPT], found, far)
    report = {
        "rows": Counts.of(outcomes).as_json(),
        "columns": described(kept, found.kinds, config, typed, far),
        "checks": failed_checks(failures),
        "left_out": {"drop": list(config.drop), "known_afterwards": list(config.leakage.columns)},
    }
    return _learnable(kept, found, config, outcomes, report)


def _dropped(typed: Typed, config: Config) -> "pd.Series[int]":
    """Return the outcome of every row before the checks; a cell of another kind is not missing."""
    outcomes = pd.Series(int(Outcome.KEPT), index=typed.table.index)
    needed = [name for name, column in config.columns.items() if column.missing == "drop" and name in typed.table]
    for name in needed:
        outcomes[typed.missing(name)] = Outcome.WITHOUT_VALUE
    outcomes[typed.missing(config.target)] = Outcome.WITHOUT_TARGET
    if config.duplicates == "drop":
        outcomes[typed.repeated] = Outcome.DUPLICATE
    return outcomes


def _checked(rows: pd.DataFrame, found: Survey, typed: Typed, far: Mapping[str, Far], config: Config) -> None:
    refused = {name: its.bounds for name, its in far.items() if its.how.action == "quarantine"}
    if refused or config.columns or config.cleaning.checks:
        Schema(found.kinds, config.columns, refused, config.cleaning.checks).check(rows, typed.failures)


def _finished(kept: pd.DataFrame, found: Survey, far: Mapping[str, Far]) -> pd.DataFrame:
    """Return rows with values in place of outliers, and each column in the dtype of its kind."""
    clipped = {name: kept[name].clip(*its.bounds) for name, its in far.items() if its.how.action == "clip"}
    booleans = {name: truths(kept[name]) for name, kind in found.kinds.items() if kind is Kind.BOOLEAN}
    return kept.assign(**clipped, **booleans)


def _learnable(
    kept: pd.DataFrame, found: Survey, config: Config, outcomes: "pd.Series[int]", report: dict[str, Any]
) -> Validated:
    """Refuse what nothing can be learned from, and tell of what little is."""
    X, y = kept[list(found.features)], kept[config.target]
    kinds = {name: found.kinds[name] for name in found.features}
    empty = next((name for name in X if X[name].isna().all()), None)
    if empty is not None:
        raise DataError(f"column {empty!r} has no value in any row that is kept; list it under drop")
    if config.task is Task.CLASSIFICATION:
        if len(y.unique()) == 1:
            raise DataError(f"target {config.target!r} is {y.iloc[0]!r} in every row; expected at least two classes")
        y = y.astype("int64") if found.kinds[config.target] is Kind.NUMBER else y
    constant = [name for name in X if (X[name] == X[name].iloc[0]).all()]
    for name in constant:
        log.warning("column %r is %r in every row, which tells nothing; list it under drop", name, X[name].iloc[0])
    alone = {} if config.leakage.alone == "ignore" else _alone(X, y, kinds, config)
    return Validated(X, y, kept[list(found.aside)], kinds, outcomes, report | {"constant": constant, "alone": alone})


def _alone(X: pd.DataFrame, y: "pd.Series[Any]", kinds: Mapping[str, Kind], config: Config) -> dict[str, float]:
    scores = telling(X, y, kinds, config.task)
    alone = {name: score for name, score in scores.items() if score >= config.leakage.threshold}
    measure = "R²" if config.task is Task.REGRESSION else "balanced accuracy"
    for name, score in alone.items():
        sentence = (
            f"column {name!r} alone tells the target, with {measure} {score:.3f} on rows not seen; "
            f"list it under leakage.columns if it is known only afterwards"
        )
        if config.leakage.alone == "refuse":
            raise DataError(f"{sentence}, or set leakage.alone to ignore")
        log.warning("%s", sentence)
    return alone
