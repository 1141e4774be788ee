"""Bars for whoever watches long work at a terminal; a log has its plain lines, and nothing of these."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from joblib import Parallel
from tqdm import tqdm

T = TypeVar("T")


def bar(what: str, total: int | None = None, unit: str = "it") -> "tqdm[Any]":
    """
    Return a bar on standard error, which shows only at a terminal.

    Parameters
    ----------
    what : str
        What is done.
    total : int, optional
        How many units there are.
    unit : str

    Returns
    -------
    tqdm
        Call its ``update`` for what is done, and close it, or use it in a ``with``.
    """
    return tqdm(desc=what, total=total, unit=unit, leave=False, disable=not sys.stderr.isatty(), file=sys.stderr)


def each(items: Iterable[T], what: str, total: int | None = None, unit: str = "it") -> Iterator[T]:
    """Yield items, and show how many there were."""
    with bar(what, total, unit) as shown:
        for item in items:
            yield item
            shown.update()


@contextmanager
def jobs(what: str, total: int | None = None) -> Iterator[None]:
    """
    Show what joblib has done, wherever it is called from and wherever it runs.

    Parameters
    ----------
    what : str
    total : int, optional
        How many tasks there will be.

    Notes
    -----
    Only tasks of the outermost call are counted. Searches of scikit-learn 1.9 have callbacks of their own, which run in
    the workers and reach this process over a local socket alone, so not from another machine.
    """
    with bar(what, total, "fit") as shown:
        if shown.disable:
            yield
            return
        counter, own = _Counter(shown), (Parallel.__call__, Parallel.print_progress)
        Parallel.__call__, Parallel.print_progress = counter.calling(Parallel.__call__), counter.counting
        try:
            yield
        finally:
            Parallel.__call__, Parallel.print_progress = own


class _Counter:
    """Counts the tasks of the outermost of the calls that are going on."""

    def __init__(self, shown: "tqdm[Any]") -> None:
        self._shown = shown
        self._outermost: Any = None
        self._counted = 0

    def calling(self, call: Any) -> Any:
        """Return a method that calls as before, and knows which call is the outermost."""

        def counted(parallel: Parallel, iterable: Any) -> Any:
            if self._outermost is not None:
                return call(parallel, iterable)
            self._outermost, self._counted = parallel, 0
            try:
                return call(parallel, iterable)
            finally:
                self._outermost = None

        return counted

    @property
    def counting(self) -> Any:
        """A method in the place of the one that tells how far a call has come."""

        def count(parallel: Parallel) -> None:
            if parallel is self._outermost:
                self._shown.update(parallel.n_completed_tasks - self._counted)
                self._counted = parallel.n_completed_tasks

        return count
