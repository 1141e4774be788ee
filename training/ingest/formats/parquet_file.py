"""Parquet: columns with types."""

from collections.abc import Iterator
from typing import Final

import pyarrow as pa
from pyarrow import parquet

from training.errors import DataError, first_line
from training.ingest.formats.names import check_names
from training.ingest.snapshot import Part

_ROWS: Final = 65_536
"""Of a chunk."""


def read_parquet(file: Part, longest_row: int) -> Iterator[pa.Table]:  # noqa: ARG001 -- every reader is called alike
    """
    Read a Parquet file in chunks.

    Yields
    ------
    chunk : Table

    Raises
    ------
    DataError
        The file is empty, not a Parquet file, or a column has no name of its own.
    """
    if file.path.stat().st_size == 0:
        raise DataError(f"{file} is empty; expected a Parquet file")
    try:
        with parquet.ParquetFile(file.path) as content:
            if not content.schema_arrow.names:
                raise DataError(f"{file} has no columns; expected at least one")
            check_names(file, content.schema_arrow.names)
            for batch in content.iter_batches(_ROWS):
                yield pa.table(batch)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{file} is not a sound Parquet file: {first_line(error)}") from error
