"""Rows by key, bounded in number and in age."""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Final

from model.lookup.values import Row

LONGEST_KEY: Final = 256
"""Characters of a key that is remembered: what clients send, known to the source or not, would fill the memory else."""

Known = dict[str, Row | None]
"""What a source has said of keys; None for a key that it does not know."""


class Cache:
    """
    Remembers what a source has said, of the keys that were asked for last.

    Parameters
    ----------
    rows : int
        How many keys are kept; 0 for none. One of more than ``LONGEST_KEY`` characters is not.
    seconds : float
        How long a row is fresh.
    stale_seconds : float
        How long it may be had after that, where the source does not answer.

    Notes
    -----
    cachetools' TTLCache drops a row as it expires, which is when a stale one starts to be worth something.
    """

    def __init__(self, rows: int, seconds: float, stale_seconds: float) -> None:
        self._rows = rows
        self._seconds = seconds
        self._stale_seconds = stale_seconds
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, Row | None]] = OrderedDict()

    def fresh(self, keys: Iterable[str]) -> Known:
        """Return what is known of keys, and not too old."""
        return self._younger(keys, self._seconds)

    def stale(self, keys: Iterable[str]) -> Known:
        """Return what is known of keys, old or not."""
        return self._younger(keys, self._seconds + self._stale_seconds)

    def keep(self, known: Mapping[str, Row | None]) -> None:
        """Remember what a source has said just now."""
        now = time.monotonic()
        with self._lock:
            for key, row in known.items():
                if len(key) > LONGEST_KEY:
                    continue
                self._kept[key] = (now, row)
                self._kept.move_to_end(key)
            while len(self._kept) > self._rows:
                self._kept.popitem(last=False)

    def __len__(self) -> int:
        return len(self._kept)

    def _younger(self, keys: Iterable[str], seconds: float) -> Known:
        since = time.monotonic() - seconds
        found: Known = {}
        with self._lock:
            for key in keys:
                kept = self._kept.get(key)
                if kept is not None and kept[0] > since:
                    found[key] = kept[1]
                    self._kept.move_to_end(key)
        return found
