"""
CSV: a header and rows, in UTF-8; every cell stays the text that it is.

Arrow reads the file and refuses whatever is wrong in it, several times as fast as Python's own reader, which is only
asked where there is something to explain.
"""

import csv
import io
from collections.abc import Generator, Iterator
from typing import Any, Final
from uuid import uuid4

import pyarrow as pa
from pyarrow import csv as arrow_csv

from training.errors import DataError, first_line
from training.ingest.formats.limits import LONGER_ROWS
from training.ingest.formats.names import check_names
from training.ingest.snapshot import Part

_BLOCK_BYTES: Final = 8 << 20
"""Of a file that are parsed at once; a chunk holds about that much."""


def read_csv(file: Part, longest_row: int) -> Iterator[pa.Table]:
    """
    Read a CSV file in chunks of texts.

    Parameters
    ----------
    file : Part
    longest_row : int
        Most bytes of a row.

    Yields
    ------
    chunk : Table of str

    Raises
    ------
    DataError
        The file is empty or not a CSV file in UTF-8, a row has more or fewer cells than the header, or a column has no
        name of its own.
    """
    header = next(_rows(file, longest_row), None)
    if header is None:
        raise DataError(f"{file} is empty; expected a header and rows")
    names = header[1]
    for number, name in enumerate(names, start=1):
        if (foreign := _foreign_byte(name)) is not None:
            raise _not_utf8(file, "the header", foreign, number)
    check_names(file, names)
    end = uuid4().hex
    with _Ended(file, ",".join([end] * len(names))) as content:
        try:
            unclosed = yield from _parsed(content, names, end, longest_row)
        except pa.ArrowInvalid as error:
            raise _explained(file, names, longest_row, error) from error
    if unclosed:
        raise DataError(f"{file} is not a CSV file: row {unclosed} opens a quote that is never closed")


def _parsed(
    content: io.RawIOBase, names: list[str], end: str, longest_row: int
) -> Generator[pa.Table, None, int | None]:
    """Yield the rows, and return the number of the one that opens a quote that is never closed."""
    reader = arrow_csv.open_csv(
        content,
        read_options=arrow_csv.ReadOptions(block_size=max(_BLOCK_BYTES, longest_row)),
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
    )
    rows, ended = 0, False
    for batch in reader:
        table = pa.table(batch)
        rows += table.num_rows
        if table.num_rows and table.column(0)[-1].as_py() == end:
            ended = True
            table = table.slice(0, table.num_rows - 1)
        if table.num_rows:
            yield table
    return None if ended else rows


class _Ended(io.RawIOBase):
    """
    A file with one row more, which is lost in a cell where a quote is never closed.

    Nothing else tells such a file from a sound one whose last cell has several lines.
    """

    def __init__(self, file: Part, row: str) -> None:
        self._file = file.path.open("rb", buffering=0)
        self._end = io.BytesIO(f"\n{row}\n".encode())

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._file.readinto(buffer) or self._end.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


def _explained(file: Part, names: list[str], longest_row: int, otherwise: object) -> DataError:
    """Say what is wrong with a file that Arrow refuses, by reading it up to there."""
    rows = enumerate(_rows(file, longest_row))
    next(rows)
    for row, (line, cells) in rows:
        place = f"row {row} (line {line})"
        if len(cells) != len(names):
            unclosed = ", or opens a quote that is never closed" if any("\n" in cell for cell in cells) else ""
            return DataError(
                f"{file} is not a CSV file: {place} has {len(cells)} cells, the header {len(names)}{unclosed}"
            )
        for name, cell in zip(names, cells, strict=True):
            if (foreign := _foreign_byte(cell)) is not None:
                return _not_utf8(file, place, foreign, name)
    return DataError(f"{file} is not a CSV file: {first_line(otherwise)}")


def _not_utf8(file: Part, place: str, byte: int, column: str | int) -> DataError:
    return DataError(
        f"{file} is not text in UTF-8: {place} has byte 0x{byte:02x} in column {column!r}; save it in UTF-8"
    )


def _foreign_byte(text: str) -> int | None:
    """Return the first byte that is not of UTF-8; decoding has kept it as a lone surrogate."""
    if text.isascii():
        return None
    return next((ord(character) - 0xDC00 for character in text if "\udc80" <= character <= "\udcff"), None)


def _rows(file: Part, longest_row: int) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the number of its last line, the header first; blank lines are passed over."""
    with file.path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        reader = csv.reader(_lines(file, text, longest_row))
        limit = csv.field_size_limit(longest_row)
        try:
            yield from ((reader.line_num, row) for row in reader if row)
        except csv.Error as error:
            raise DataError(f"{file} is not a CSV file: {error} in line {reader.line_num}") from error
        finally:
            csv.field_size_limit(limit)


def _lines(file: Part, text: io.TextIOBase, longest: int) -> Iterator[str]:
    number = 0
    while line := text.readline(longest + 1):
        number += 1
        if len(line) > longest:
            raise DataError(f"{file} has more than {longest} characters in line {number}; {LONGER_ROWS}")
        yield line
