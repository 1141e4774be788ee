"""
Warnings of one thread, caught without silencing the others.

``warnings.catch_warnings`` puts back filters that it has found, and what it records by: beside threads that run models,
and scikit-learn does the same in some of those, it may leave its own behind for good.
"""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TextIO

_found: ContextVar[list[Warning] | None] = ContextVar("found", default=None)
_turn: Final = threading.Lock()


@contextmanager
def heard(*always: type[Warning]) -> Iterator[list[Warning]]:
    """
    Collect the warnings of this thread that filters let through, in place of showing them.

    Parameters
    ----------
    always : class of Warning
        Let through from now on, in this process, however often they come.
    """
    with _turn:
        for category in always:
            warnings.simplefilter("always", category)
        # Again each time: another may have put back what was there before.
        if not isinstance(warnings.showwarning, _Show):
            warnings.showwarning = _Show()
    found: list[Warning] = []
    token = _found.set(found)
    try:
        yield found
    finally:
        _found.reset(token)


class _Show:
    """Called with a warning that filters let through."""

    def __init__(self) -> None:
        self._others = warnings.showwarning

    def __call__(  # noqa: PLR0917 -- positional, as warnings.showwarning is called
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        found = _found.get()
        if found is None:
            self._others(message, category, filename, lineno, file, line)
        else:
            found.append(message if isinstance(message, Warning) else category(message))
