"""What a front-end knows of a call besides its body."""

import itertools
import secrets
import time
from dataclasses import dataclass, field
from math import inf
from typing import Final

from model.errors import InvalidInput
from model.keys import NOBODY, Client
from model.tensors import Parameters

PROTOCOLS: Final = ("rest", "grpc")

_PROCESS: Final = secrets.token_hex(8)
_COUNT: Final = itertools.count(1)


def new_request_id() -> str:
    """Return an id for a request that came without one: unique, without the cost of a random number for each."""
    return f"{_PROCESS}-{next(_COUNT):x}"


@dataclass(slots=True)
class Call:
    """
    A call on its way to the data plane.

    Parameters
    ----------
    protocol : str
        One of ``PROTOCOLS``.
    request_id : str
        For the log; not the protocol's ``id``.
    deadline : float or None
        ``time.monotonic()`` seconds, after which nobody wants the answer.
    size_bytes : int
        Of the body.
    client : Client
        Who asks.
    started : float
        ``time.perf_counter()`` seconds.
    """

    protocol: str
    request_id: str = ""
    deadline: float | None = None
    size_bytes: int = 0
    client: Client = NOBODY
    started: float = field(default_factory=time.perf_counter)

    def expire_within(self, seconds: float) -> None:
        """Bring the deadline forward to so many seconds from now, if it is not earlier already."""
        self.deadline = min(self.deadline or inf, time.monotonic() + seconds)

    def shorten(self, parameters: Parameters) -> None:
        """
        Bring the deadline forward to what the parameter ``timeout`` of a request says.

        Parameters
        ----------
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
            self.expire_within(timeout / 1e6)
