"""When a call's answer is no longer wanted."""

import time
from math import inf

from model.dataplane import Call
from model.errors import InvalidInput
from model.tensors import Parameters


def deadline_after(*seconds: float | None) -> float | None:
    """Return the ``time.monotonic()`` at which the shortest of these times is over; None stands for no end."""
    ends = [given for given in seconds if given is not None]
    return time.monotonic() + min(ends) if ends else None


def shorten(call: Call, parameters: Parameters) -> None:
    """
    Bring a call's deadline forward to what the parameter ``timeout`` of its request says.

    Parameters
    ----------
    call : Call
    parameters : dict
        ``timeout`` is in microseconds, and 0 means none, as tritonclient sends it.

    Raises
    ------
    InvalidInput
        It is no such number.
    """
    timeout = parameters.get("timeout", 0)
    if type(timeout) is not int or timeout < 0:
        raise InvalidInput(
            f"Parameter 'timeout' is {timeout!r:.60}; expected a whole number of microseconds, 0 for none."
        )
    if timeout:
        call.deadline = min(call.deadline or inf, time.monotonic() + timeout / 1e6)
