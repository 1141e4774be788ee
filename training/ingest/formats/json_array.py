"""JSON: one array of objects, which can only be read as a whole."""

from collections.abc import Iterator
from typing import Final

import orjson
import pyarrow as pa

from training.errors import DataError, first_line
from training.ingest.formats.names import check_names
from training.ingest.formats.objects import table_of
from training.ingest.snapshot import Part

MOST_BYTES: Final = 256 << 20
"""Beyond which a file has to be JSON lines, for it takes several times its size in memory."""


def read_json(file: Part, longest_row: int) -> Iterator[pa.Table]:  # noqa: ARG001 -- every reader is called alike
    """
    Read a file that is one array of objects.

    Yields
    ------
    table : Table
        The only one.

    Raises
    ------
    DataError
        The file is too large, or is not an array of objects of plain values.
    """
    size = file.path.stat().st_size
    if size > MOST_BYTES:
        raise DataError(
            f"{file} is a JSON array of {size} bytes, more than the {MOST_BYTES} that are read as a whole; expected JSON "
            f"lines or Parquet, which are read in chunks"
        )
    try:
        rows = orjson.loads(file.path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise DataError(f"{file} is not JSON: {first_line(error)}") from error
    if not isinstance(rows, list):
        raise DataError(f"{file} holds a JSON {type(rows).__name__}; expected an array of objects")
    strange = next((i for i, row in enumerate(rows, start=1) if not isinstance(row, dict)), None)
    if strange is not None:
        raise DataError(f"{file} has a {type(rows[strange - 1]).__name__} in row {strange}; expected an object")
    if not any(rows):
        raise DataError(f"{file} is an array without rows; expected objects with a key for each column")
    table = table_of(file, rows, 0)
    check_names(file, table.column_names)
    yield table
