"""Tables for people, in columns that are as wide as they must be."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """
    Return a table, a line for each row; the header is left out where all of it is empty.

    Parameters
    ----------
    header : sequence of str
    rows : iterable of sequence
        Cells, as many in each as the header has.
    """
    lines = [[*map(text, row)] for row in rows]
    if any(header):
        lines.insert(0, list(header))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def text(value: Any) -> str:
    """Return a value in one line; what is empty is a dash."""
    if value is None or value in ("", [], (), {}):
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {text(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(text, value))
    return " ".join(str(value).split())


__all__ = ["table", "text"]
