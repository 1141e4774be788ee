"""The parts of the test rows that are measured on their own."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from training.config.evaluation import EvaluationChoice
from training.errors import ConfigurationError
from training.evaluation.answering import spelled
from training.evaluation.record import Slice, Sliced
from training.evaluation.resampling import intervals, scores
from training.metrics import Answers, Values

MISSING: Final = "(missing)"
"""The slice of the rows that have no value."""
_MOST_VALUES: Final = 10
"""Distinct numbers beyond which rows are divided by quarters."""
_QUARTERS: Final = (0.25, 0.5, 0.75)


def groups_of(name: str, columns: pd.DataFrame) -> dict[str, Values]:
    """
    Divide rows by the values of a column.

    Parameters
    ----------
    name : str
    columns : DataFrame of shape (n_samples, n_columns)

    Returns
    -------
    groups : dict of str to ndarray of bool, shape (n_samples,)
        By value; numbers of which there are many by the quarters of the rows.

    Raises
    ------
    ConfigurationError
        There is no such column.
    """
    if name not in columns.columns:
        known = ", ".join(map(str, columns.columns))
        raise ConfigurationError(f"evaluation names column {name!r}, which the rows lack; they have {known}")
    column = columns[name]
    missing = column.isna().to_numpy()
    groups = dict(_ranges(column) if _is_measured(column) else _values(column))
    return {**groups, MISSING: missing} if missing.any() else groups


def sliced(
    name: str, answers: Answers, columns: pd.DataFrame, metrics: Sequence[str], choice: EvaluationChoice
) -> Sliced:
    """
    Measure the slices of a column.

    Parameters
    ----------
    name : str
        Of the column.
    answers : Answers
    columns : DataFrame of shape (n_samples, n_columns)
        Of the same rows.
    metrics : sequence of str
    choice : EvaluationChoice
    """
    groups = groups_of(name, columns)
    small = {value: int(rows.sum()) for value, rows in groups.items() if rows.sum() < choice.slices.min_rows}
    measured = (
        _slice(value, answers.at(rows), metrics, choice) for value, rows in groups.items() if value not in small
    )
    return Sliced(column=name, slices=tuple(measured), small=small)


def _slice(value: str, answers: Answers, metrics: Sequence[str], choice: EvaluationChoice) -> Slice:
    measured = {name: score for name, score in scores(metrics, answers).items() if np.isfinite(score)}
    return Slice(
        value=value,
        rows=len(answers),
        metrics=measured,
        intervals=intervals(list(measured), answers, choice.intervals),
    )


def _is_measured(column: "pd.Series[Any]") -> bool:
    return pd.api.types.is_numeric_dtype(column) and column.dtype != bool and column.nunique() > _MOST_VALUES


def _values(column: "pd.Series[Any]") -> Iterator[tuple[str, Values]]:
    for value in sorted(column.dropna().unique(), key=lambda each: (isinstance(each, str), each)):
        yield spelled(value), (column == value).to_numpy()


def _ranges(column: "pd.Series[Any]") -> Iterator[tuple[str, Values]]:
    values = column.to_numpy(dtype=float)
    cuts = np.unique(np.nanquantile(values, _QUARTERS))
    at = np.searchsorted(cuts, values)  # a value that is a cut belongs to the range below it
    for i in range(len(cuts) + 1):
        rows = (at == i) & ~np.isnan(values)
        if rows.any():
            yield _range(cuts, i), rows


def _range(cuts: Values, i: int) -> str:
    if i == 0:
        return f"up to {cuts[0]:g}"
    return f"over {cuts[-1]:g}" if i == len(cuts) else f"over {cuts[i - 1]:g} to {cuts[i]:g}"
