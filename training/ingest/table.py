"""From a snapshot to a table, as a whole or in chunks."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from training.config.source import Format
from training.errors import DataError
from training.ingest.formats import READERS
from training.ingest.formats.limits import check_lengths
from training.ingest.formats.objects import texts_of
from training.ingest.snapshot import Part, Snapshot

LONGEST_ROW: Final = 16 << 20
"""Most bytes of a row, unless the configuration says otherwise."""

TEXT: Final = pd.StringDtype("pyarrow", na_value=np.nan)
"""Dtype of texts: that of pandas 3, a fifth of the memory of Python's own texts; NaN where missing."""


def read(snapshot: Snapshot, missing: Sequence[str] = (), *, longest_row: int = LONGEST_ROW) -> pd.DataFrame:
    """
    Read a snapshot as a whole.

    In CSV every cell stays the text that it is, so that a column's kind is decided once, elsewhere, and ``007`` is not
    7. The other formats keep their types: numbers, booleans, dates and texts.

    Parameters
    ----------
    snapshot : Snapshot
    missing : sequence of str
        Texts that mean a missing value.
    longest_row : int
        Most bytes of a row.

    Returns
    -------
    table : DataFrame of shape (n_samples, n_columns)
        Texts are ``str`` with NaN where missing. Integers and booleans are NumPy's, or nullable where some are missing.
        A column of several types is read as texts.

    Raises
    ------
    DataError
        A file is not of its format, has no rows, or has columns that can't be read; the sentence names file, row and
        column.
    """
    return _frame(snapshot, _joined(list(_tables(snapshot, missing, longest_row))))


def chunks(
    snapshot: Snapshot, missing: Sequence[str] = (), *, longest_row: int = LONGEST_ROW
) -> Iterator[pd.DataFrame]:
    """
    Read a snapshot in chunks, whose rows are numbered on.

    Parameters, types and errors are those of ``read``, but for this: what a chunk of JSON lines lacks, it lacks, and a
    column's type is that of its values in this chunk.

    Yields
    ------
    chunk : DataFrame of shape (n_rows, n_columns)
        Some ten thousand rows. A JSON array is one chunk.
    """
    before = 0
    for table in _tables(snapshot, missing, longest_row):
        chunk = _frame(snapshot, table)
        chunk.index += before
        before += len(chunk)
        yield chunk


def _tables(snapshot: Snapshot, missing: Sequence[str], longest_row: int) -> Iterator[pa.Table]:
    rows, nulls = 0, pa.array(missing, pa.string())
    first: pa.Schema | None = None
    for part in snapshot.parts:
        before = 0
        for table in READERS[snapshot.format](part, longest_row):
            check_lengths(part, table, longest_row, before)
            before += table.num_rows
            first = first or table.schema
            known = table if snapshot.format in _OBJECTS else _in_order(first.names, table, snapshot, part)
            yield _with_nulls(known, nulls)
        rows += before
    if not rows:
        raise DataError(f"{snapshot} has columns but no rows; expected at least one")


def _in_order(names: Sequence[str], table: pa.Table, snapshot: Snapshot, part: Part) -> pa.Table:
    """Hold the columns of a file to those of the first, for a file that lacks one is another table."""
    if table.column_names == names:
        return table
    lacking = [name for name in names if name not in table.column_names]
    surplus = [name for name in table.column_names if name not in names]
    if lacking or surplus:
        which = f"lacks column {lacking[0]!r}" if lacking else f"has a column {surplus[0]!r}"
        other = f"which {snapshot.parts[0]} has" if lacking else f"which {snapshot.parts[0]} lacks"
        raise DataError(f"{part} {which}, {other}; expected the same columns in each file")
    return table.select(names)


def _joined(tables: Sequence[pa.Table]) -> pa.Table:
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        # A column changes its type on the way: all of it is the texts that it is in the file.
        changing = {name for name in _names(tables) if not _unify([_field(table, name) for table in tables])}
        return pa.concat_tables([_as_texts(table, changing) for table in tables], promote_options="permissive")


def _names(tables: Sequence[pa.Table]) -> list[str]:
    return list(dict.fromkeys(name for table in tables for name in table.column_names))


def _field(table: pa.Table, name: str) -> pa.Schema:
    return pa.schema([table.schema.field(name)] if name in table.column_names else [])


def _unify(schemas: Sequence[pa.Schema]) -> bool:
    try:
        pa.unify_schemas(schemas, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return False
    return True


def _as_texts(table: pa.Table, names: Collection[str]) -> pa.Table:
    for name in names:
        if name in table.column_names and not pa.types.is_string(table.schema.field(name).type):
            texts = pa.array(texts_of(table.column(name).to_pylist()), pa.string())
            table = table.set_column(table.column_names.index(name), name, texts)
    return table


def _with_nulls(table: pa.Table, missing: pa.Array) -> pa.Table:
    """Return a table whose texts that mean a missing value are null: of a chunk, so that there is one copy of one."""
    if not len(missing):
        return table
    columns = {name: _decoded(table.column(name)) for name in table.column_names}
    texts = {name: column for name, column in columns.items() if column.type in _TEXTS}
    nulled = {
        name: pc.if_else(pc.is_in(text, missing), pa.scalar(None, text.type), text) for name, text in texts.items()
    }
    return pa.table({**columns, **nulled})


def _frame(snapshot: Snapshot, table: pa.Table) -> pd.DataFrame:
    columns = {name: _plain(snapshot, name, table.column(name)) for name in table.column_names}
    return pd.DataFrame({name: _series(column) for name, column in columns.items()}, copy=False)


def _plain(snapshot: Snapshot, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of one of the types that a table has, or refuse it."""
    column = _decoded(column)
    kind = column.type
    if kind in _TEXTS or any(is_it(kind) for is_it in _KEPT):
        return column
    for is_it, becomes in _BECOMES:
        if is_it(kind):
            return column.cast(becomes)
    raise DataError(
        f"{snapshot} has column {name!r} of type {kind}; expected numbers, booleans, dates or texts: leave it out, or "
        f"flatten it before"
    )


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _series(column: pa.ChunkedArray) -> "pd.Series[Any]":
    nullable = column.null_count > 0
    types: dict[pa.DataType, Any] = dict.fromkeys(_TEXTS, TEXT)
    if nullable and pa.types.is_boolean(column.type):
        types[column.type] = pd.BooleanDtype()
    if nullable and pa.types.is_integer(column.type):
        types[column.type] = pd.UInt64Dtype() if column.type == pa.uint64() else pd.Int64Dtype()
    series: pd.Series[Any] = column.to_pandas(types_mapper=types.get)
    return series


_TEXTS: Final = (pa.string(), pa.large_string(), pa.string_view())
_KEPT: Final = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_timestamp)
_OBJECTS: Final = frozenset({Format.JSON, Format.JSON_LINES})
_BECOMES: Final = (
    (pa.types.is_null, pa.string()),
    (pa.types.is_decimal, pa.float64()),
    (pa.types.is_date, pa.timestamp("ms")),
    (pa.types.is_time, pa.string()),
)
