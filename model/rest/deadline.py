"""When a request's answer is no longer wanted."""

from collections.abc import Mapping
from typing import Final

from model.errors import InvalidInput
from model.rest.asgi import Headers

_ENVOY: Final = b"x-envoy-expected-rq-timeout-ms"
_DIGITS: Final = 12


def deadline_of(
    received: float, headers: Headers, parameters: Mapping[str, object], limit: float | None
) -> float | None:
    """
    Return the earliest of the deadlines that are set, or None.

    Parameters
    ----------
    received : float
        When the request came, in seconds of ``time.monotonic()``; so is the result.
    headers : dict
        Envoy tells in ``x-envoy-expected-rq-timeout-ms`` how many milliseconds it waits. What is no number there is
        ignored: a proxy set it, and the client can't mend it.
    parameters : mapping
        Of the V2 request: ``timeout`` in microseconds, where 0 means none, as tritonclient sends it.
    limit : float or None
        The server's own timeout in seconds.

    Raises
    ------
    InvalidInput
        The parameter ``timeout`` is no such number.
    """
    header = headers.get(_ENVOY)
    if header is None and limit is None and "timeout" not in parameters:
        return None
    seconds = [] if limit is None else [limit]
    if header is not None and header.isdigit() and (waits := int(header[:_DIGITS])):
        seconds.append(waits / 1e3)
    if timeout := _timeout(parameters.get("timeout", 0)):
        seconds.append(timeout / 1e6)
    return received + min(seconds) if seconds else None


def _timeout(value: object) -> int:
    if type(value) is int and value >= 0:
        return value
    raise InvalidInput(f"Parameter 'timeout' is {value!r:.60}; expected a whole number of microseconds, 0 for none.")
