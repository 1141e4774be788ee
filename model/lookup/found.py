"""The look-ups of an estimator, wherever in it they are: each tells of itself as it is unpickled."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

_found: ContextVar["list[LooksUp] | None"] = ContextVar("found", default=None)


class Observer(Protocol):
    """What is told of a look-up's work, for the metrics."""

    def answered(self, result: str, keys: int) -> None:
        """
        Count keys that were looked up.

        Parameters
        ----------
        result : {"hit", "found", "unknown", "stale", "default", "failed"}
            ``hit`` is known from before, ``found`` and ``unknown`` the source has said just now; without it, a row is
            ``stale``, made of ``default`` values, or the request has ``failed``.
        keys : int
            Each once for a request.
        """

    def queried(self, result: str, seconds: float) -> None:
        """
        Count a query.

        Parameters
        ----------
        result : {"success", "refused", "timeout", "error", "skipped"}
            ``refused`` for keys of another type than the source's, ``skipped`` while a source that did not answer is left
            alone.
        seconds : float
            That it took.
        """


class LooksUp:
    """
    What has to be known of a look-up where scikit-learn is not imported yet.

    Attributes
    ----------
    name : str
        As metrics and errors call it.
    """

    name: str

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[misc]  # of scikit-learn's BaseEstimator
        found = _found.get()
        if found is not None:
            found.append(self)

    @property
    def modules(self) -> tuple[str, ...]:
        """Top-level modules that it needs besides this project's."""
        raise NotImplementedError

    def prepare(self) -> None:
        """
        Look whether all is there that it needs; nothing is connected to.

        Raises
        ------
        ArtifactError
            The address is not in the environment, is none, or its driver is not installed.
        """
        raise NotImplementedError

    def serve(self) -> None:
        """Answer as declared from now on when the source is down, where it was an error until now."""
        raise NotImplementedError

    def watch(self, observer: Observer) -> None:
        """Tell an observer of what is looked up."""
        raise NotImplementedError


@contextmanager
def finding() -> Iterator[list[LooksUp]]:
    """Note the look-ups that are unpickled in this thread."""
    found: list[LooksUp] = []
    token = _found.set(found)
    try:
        yield found
    finally:
        _found.reset(token)
