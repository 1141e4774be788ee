"""What files say, read anew once they have changed: keys that are revoked, certificates that are rotated."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Generic, TypeVar

import structlog

from model.errors import ArtifactError

EVERY_SECONDS: Final = 2.0
"""Between two looks at the files; a look costs a few microseconds for each."""

T = TypeVar("T")
_log = structlog.get_logger(__name__)

_State = tuple[tuple[int, int, int] | None, ...]
"""Inode, time of the last change and size of each file; None for one that is not there."""


class Renewed(Generic[T]):
    """
    The value that files hold, never older than a few seconds when it is asked for.

    Files that can't be used any more are logged once, and the value from before stays: a slip of the operator's hand
    must not stop a server. It is asked for by several threads.

    Parameters
    ----------
    files : sequence of Path
        Links are followed, so that the mounts of Kubernetes, which swap a link, are seen to change.
    read : callable
        Reads them.
    clock : callable
        Seconds.

    Raises
    ------
    ArtifactError
        The files can't be used to begin with; `read` says why.
    """

    def __init__(
        self, files: Sequence[Path], read: Callable[[], T], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._files = tuple(files)
        self._read = read
        self._clock = clock
        self._lock = threading.Lock()
        self._state = self._look()
        self._value = read()
        self._next = clock() + EVERY_SECONDS

    def current(self) -> T:
        """Return the value, after a look at the files where the last one is too long ago."""
        # One looks, while the others go on with what there is.
        if self._clock() >= self._next and self._lock.acquire(blocking=False):
            try:
                self._next = self._clock() + EVERY_SECONDS
                self._renew()
            finally:
                self._lock.release()
        return self._value

    def _renew(self) -> None:
        state = self._look()
        if state == self._state:
            return
        names = [str(file) for file in self._files]
        try:
            value = self._read()
        except ArtifactError as error:
            self._state = state
            _log.error("changed files are not used, what they held before is", files=names, reason=str(error))
            return
        if self._look() == state:  # Else they changed while they were read; the next look is soon.
            self._state, self._value = state, value
            _log.info("changed files are used", files=names)

    def _look(self) -> _State:
        return tuple(_state_of(file) for file in self._files)


def _state_of(file: Path) -> tuple[int, int, int] | None:
    try:
        status = os.stat(file)  # noqa: PTH116 -- half the time of Path.stat, and the event loop waits for it
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
