"""From the bytes of a snapshot to chunks of a table: a module for each format."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import pyarrow as pa

from training.config.source import Format
from training.ingest.formats.csv_file import read_csv
from training.ingest.formats.json_array import read_json
from training.ingest.formats.json_lines import read_json_lines
from training.ingest.formats.parquet_file import read_parquet
from training.ingest.snapshot import Part

READERS: Final[Mapping[Format, Callable[[Part, int], Iterator[pa.Table]]]] = {
    Format.CSV: read_csv,
    Format.JSON: read_json,
    Format.JSON_LINES: read_json_lines,
    Format.PARQUET: read_parquet,
}
"""By format, what reads a file in chunks: given the file, and the most bytes that a row may have."""
