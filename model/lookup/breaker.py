"""A circuit breaker: a source that does not answer is left alone for a while."""

import threading
import time
from typing import Final

FAILURES: Final = 3
"""In a row, after which a source is left alone: one query that takes too long does not turn requests away."""


class Breaker:
    """
    Tells whether a source may be asked.

    Parameters
    ----------
    rest_seconds : float
        How long it is left alone; after that a single query tries it, and the others wait for what becomes of that.
    """

    def __init__(self, rest_seconds: float) -> None:
        self._rest_seconds = rest_seconds
        self._lock = threading.Lock()
        self._failures = 0
        self._until = 0.0

    def allows(self) -> bool:
        """Whether whoever asks this may ask the source."""
        with self._lock:
            if self._failures < FAILURES:
                return True
            now = time.monotonic()
            if now < self._until:
                return False
            self._until = now + self._rest_seconds
            return True

    def failed(self) -> bool:
        """Note that the source did not answer, and return whether it is left alone from now on, and was not before."""
        with self._lock:
            self._failures += 1
            if self._failures >= FAILURES:
                self._until = time.monotonic() + self._rest_seconds
            return self._failures == FAILURES

    def answered(self) -> bool:
        """Note that it did, and return whether it was left alone until now."""
        with self._lock:
            was = self._failures >= FAILURES
            self._failures = 0
            return was
