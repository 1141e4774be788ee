"""What sources have said, kept: golden rows are answered alike for ever, and by a server whose source is down."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

Said: TypeAlias = dict[str, dict[str, tuple[float | str | bool | None, ...] | None]]
"""By the name of the look-up and the key: the row, None for a key that the source does not know."""

_said: ContextVar[Said | None] = ContextVar("said", default=None)


@contextmanager
def recalled(said: Mapping[str, Mapping[str, tuple[float | str | bool | None, ...] | None]]) -> Iterator[Said]:
    """
    Let look-ups in this thread answer from what was said; what was not, the source is asked, and it is added.

    Parameters
    ----------
    said : mapping
        Left as it is.

    Yields
    ------
    said : dict
        All that has been said so far.
    """
    known: Said = {name: dict(rows) for name, rows in said.items()}
    token = _said.set(known)
    try:
        yield known
    finally:
        _said.reset(token)


def said_of(name: str) -> dict[str, tuple[float | str | bool | None, ...] | None] | None:
    """Return what is recalled of a look-up in this thread, to be added to; None where the source itself is asked."""
    known = _said.get()
    return None if known is None else known.setdefault(name, {})
