"""How long a worker may say nothing before its event loop is taken for stuck."""

from math import inf
from typing import Final

ALLOWED_SECONDS: Final = 60.0


class Silence:
    """
    Tells since when a silent worker is stuck.

    Parameters
    ----------
    now : float
        ``time.monotonic()`` seconds.
    """

    def __init__(self, now: float) -> None:
        self._looked = self._awake = now

    def limit(self, now: float) -> float:
        """
        Return the time since when every worker has to have been heard, to be asked for at short intervals.

        Where the last time was long ago, this process stood still itself, and the workers may have done so with it: in
        a container that was paused, or a machine that had no time for it. They get their time to speak then.
        """
        if now - self._looked > ALLOWED_SECONDS / 2:
            self._awake = now
        self._looked = now
        return now - ALLOWED_SECONDS if now - self._awake >= ALLOWED_SECONDS else -inf
