"""From JSON objects to a table, typed where every value of a column is of one type."""

from collections.abc import Sequence
from typing import Any

import orjson
import pyarrow as pa

from training.errors import DataError

Row = dict[str, Any]


def table_of(file: object, rows: Sequence[Row], rows_before: int) -> pa.Table:
    """
    Make a table of objects; a key that an object lacks is missing.

    Parameters
    ----------
    file : object
        What the sentence calls the file.
    rows : sequence of mapping
    rows_before : int
        Rows of the file that came before these.

    Raises
    ------
    DataError
        A value is an object or an array.
    """
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    return pa.table({name: _column(file, name, values, rows_before) for name, values in columns.items()})


def _column(file: object, name: str, values: Sequence[Any], rows_before: int) -> pa.Array:
    try:
        column = pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        column = None
    if column is not None and not pa.types.is_nested(column.type):
        return column
    nested = next((i for i, value in enumerate(values) if isinstance(value, dict | list)), None)
    if nested is not None:
        kind = "an object" if isinstance(values[nested], dict) else "an array"
        raise DataError(
            f"{file} has {kind} in column {name!r} of row {rows_before + nested + 1}; expected a text, a number, true, "
            f"false or null: flatten it before"
        )
    return pa.array(texts_of(values))


def texts_of(values: Sequence[Any]) -> list[str | None]:
    """Return values of several types as the texts that they are in a file."""
    return [value if isinstance(value, str | None) else orjson.dumps(value).decode() for value in values]
