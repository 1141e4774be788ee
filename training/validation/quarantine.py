"""Rows that failed a check: put aside as they were in the source, with the reasons, and no more of them than allowed."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from training.errors import DataError
from training.validation.cells import as_texts, plain
from training.validation.failures import most_frequent
from training.validation.survey import numbered

ROWS: Final = "quarantine.parquet"
FAILURES: Final = "failures.csv"


def write(
    failures: pd.DataFrame, chunks: Callable[[], Iterable[pd.DataFrame]], names: Sequence[str], directory: Path
) -> None:
    """
    Write the rows that failed, and why.

    Parameters
    ----------
    failures : DataFrame
        See ``Failures.of``.
    chunks : callable
        Returns the raw table in parts.
    names : sequence of str
        Of its columns.
    directory : Path
        Gets ``failures.csv``, a line per failure, and ``quarantine.parquet``, the rows in the texts of the source; its
        first column is the number of the row.
    """
    failures.to_csv(directory / FAILURES, index=False)
    positions = failures.index.unique()
    parts = [pd.DataFrame(columns=list(names), dtype=object)]
    if len(positions):
        parts += [chunk[chunk.index.isin(positions)] for chunk in numbered(chunks())]
    rows = pd.concat([part for part in parts if len(part)] or parts)
    texts = pd.DataFrame({name: as_texts(plain(rows[name], ())) for name in rows.columns}).astype(object)
    texts.insert(0, _free("row", names), rows.index + 1)
    texts.to_parquet(directory / ROWS, index=False)


def check_share(failures: pd.DataFrame, rows: int, limit: float, directory: Path) -> None:
    """
    Refuse a run that puts too many rows aside.

    Parameters
    ----------
    failures : DataFrame
    rows : int
        Those that were checked.
    limit : float
        Greatest share that may fail.
    directory : Path
        Where the failures are.

    Raises
    ------
    DataError
        More have failed, or all.
    """
    failed = failures.index.nunique()
    if failed > limit * rows or failed == rows:
        too_many = (
            "and none is left" if failed == rows else f"more than the share of {limit:g} that quarantine.limit allows"
        )
        raise DataError(
            f"{failed} of {rows} rows fail a check, {too_many}; "
            f"most often {most_frequent(failures)}; {directory / FAILURES} names each"
        )


def _free(name: str, taken: Sequence[Any]) -> str:
    return name if name not in taken else _free(f"{name}_", taken)
