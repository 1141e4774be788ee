"""Waiting for a condition: the one place of the harness that sleeps."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")
_PAUSE_SECONDS: Final = 0.1


class StillNot(TimeoutError):
    """What was waited for did not come about."""


def until(
    what: str, condition: Callable[[], T], timeout_seconds: float = 60, pause_seconds: float = _PAUSE_SECONDS
) -> T:
    """
    Ask until the answer is true, and return it.

    Parameters
    ----------
    what : str
        What is waited for, as the message of the error says it.
    condition : callable
        Asked again and again; what it raises is not caught.
    timeout_seconds : float
    pause_seconds : float
        Between two questions.

    Raises
    ------
    StillNot
    """
    end = time.monotonic() + timeout_seconds
    while not (answer := condition()):
        if time.monotonic() > end:
            raise StillNot(f"still not after {timeout_seconds:g} s: {what}")
        time.sleep(pause_seconds)
    return answer
