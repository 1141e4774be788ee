"""From the bytes of a CSV file to a table of texts."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence

import pandas as pd

from training.errors import DataError
from training.ingest.source import Snapshot


def parse(snapshot: Snapshot, missing: Sequence[str]) -> pd.DataFrame:
    """
    Read a CSV file with a header.

    Every cell stays the text that it is, so that a column's kind is decided once, elsewhere, and ``007`` is not 7.

    Parameters
    ----------
    snapshot : Snapshot
    missing : sequence of str
        Cells that mean a missing value.

    Returns
    -------
    table : DataFrame of str, shape (n_samples, n_columns)
        NaN where missing.

    Raises
    ------
    DataError
        The file is empty, is not a CSV file in UTF-8, has no rows, or has columns without a name of their own.
    """
    text = _decoded(snapshot)
    try:
        _check_rows(snapshot, csv.reader(io.StringIO(text)))
        table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, na_values=list(missing))
    except (csv.Error, pd.errors.ParserError) as error:
        raise DataError(f"{snapshot} is not a CSV file: {str(error).strip().splitlines()[0]}") from error
    if table.empty:
        raise DataError(f"{snapshot} has a header but no rows; expected at least one")
    return table


def _decoded(snapshot: Snapshot) -> str:
    try:
        text = snapshot.content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{snapshot} is not text in UTF-8: byte {error.start + 1} does not fit") from error
    if not text.strip():
        raise DataError(f"{snapshot} is empty; expected a header and rows")
    return text


def _check_rows(snapshot: Snapshot, reader: Iterator[list[str]]) -> None:
    """Refuse a header or rows that pandas would fill up without a word."""
    rows = filter(None, reader)
    header = next(rows, [])
    _check_header(snapshot, header)
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise DataError(
                f"{snapshot} is not a CSV file: row {number} has {len(row)} cells, the header {len(header)}"
            )


def _check_header(snapshot: Snapshot, header: Sequence[str]) -> None:
    nameless = [i for i, name in enumerate(header, start=1) if not name.strip()]
    if nameless:
        raise DataError(f"{snapshot} has no name for column {nameless[0]}; expected one for each")
    name, times = Counter(header).most_common(1)[0]
    if times > 1:
        raise DataError(f"{snapshot} has {times} columns named {name!r}; expected a name of its own for each")
