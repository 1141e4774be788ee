"""JSON lines: an object in each line, in UTF-8."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import orjson
import pyarrow as pa

from training.errors import DataError, first_line
from training.ingest.formats.limits import LONGER_ROWS
from training.ingest.formats.names import check_names
from training.ingest.formats.objects import Row, table_of
from training.ingest.snapshot import Part

_ROWS: Final = 50_000
"""Of a chunk."""

_KEY: Final = re.compile(rb'"\s*:')
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def read_json_lines(file: Part, longest_row: int) -> Iterator[pa.Table]:
    """
    Read a file of JSON lines in chunks.

    A column is typed by the values of a chunk; where they are of several types, they are texts.

    Parameters
    ----------
    file : Part
    longest_row : int
        Most bytes of a line.

    Yields
    ------
    chunk : Table

    Raises
    ------
    DataError
        The file is empty, a line is not an object of plain values, or it has a key twice.
    """
    rows: list[Row] = []
    before = 0
    for line, text in _lines(file, longest_row):
        rows.append(_row(file, line, text))
        if len(rows) == _ROWS:
            yield _chunk(file, rows, before)
            before += len(rows)
            rows.clear()
    if rows:
        yield _chunk(file, rows, before)
    elif not before:
        raise DataError(f"{file} is empty; expected an object in each line")


def parsed_row(text: bytes) -> Row:
    """
    Read one object.

    Raises
    ------
    ValueError
        It is none, or has a key twice.
    """
    row = orjson.loads(text)
    if not isinstance(row, dict):
        msg = f"it holds {_named(row)}, not an object"
        raise ValueError(msg)  # noqa: TRY004 -- a line's content is a value that does not fit
    # Most lines are settled by a count; a key that is there twice has to be looked for by a reader that tells them all.
    if text.count(b":") > len(row) and len(_KEY.findall(text)) > len(row):
        json.loads(text, object_pairs_hook=_without_doubles)
    return row


def _chunk(file: Part, rows: list[Row], before: int) -> pa.Table:
    table = table_of(file, rows, before)
    if not table.column_names:
        raise DataError(f"{file} has only empty objects; expected a key for each column")
    check_names(file, table.column_names)
    return table


def _lines(file: Part, longest: int) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, each with its number."""
    with file.path.open("rb") as content:
        if content.read(len(_BYTE_ORDER_MARK)) != _BYTE_ORDER_MARK:
            content.seek(0)
        number = 0
        while text := content.readline(longest + 1):
            number += 1
            if len(text) > longest:
                raise DataError(f"{file} has more than {longest} bytes in line {number}; {LONGER_ROWS}")
            if text.strip():
                yield number, text


def _row(file: Part, line: int, text: bytes) -> Row:
    try:
        return parsed_row(text)
    except ValueError as error:
        raise DataError(f"{file} is not JSON lines: line {line} is no object: {_reason(text, error)}") from error


def _reason(text: bytes, error: ValueError) -> str:
    try:
        text.decode()
    except UnicodeDecodeError as foreign:
        return f"byte 0x{text[foreign.start]:02x} at {foreign.start + 1} is not of UTF-8"
    return first_line(error)


def _named(value: Any) -> str:
    return "null" if value is None else f"a {type(value).__name__}"


def _without_doubles(pairs: list[tuple[str, Any]]) -> Row:
    row = dict(pairs)
    if len(row) < len(pairs):
        name, times = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"key {name!r} is there {times} times")
    return row
