"""When a client no longer wants its answer."""

import time
from typing import Final

from model.rest.head import Headers

_ENVOY: Final = b"x-envoy-expected-rq-timeout-ms"
_DIGITS: Final = 12


def client_deadline(headers: Headers) -> float | None:
    """
    Return the ``time.monotonic()`` seconds after which a proxy waits no longer, or None.

    Envoy tells in ``x-envoy-expected-rq-timeout-ms`` how many milliseconds it waits. What is no number there is ignored:
    a proxy set it, and the client can't mend it.
    """
    header = headers.get(_ENVOY)
    if header is None or not header.isdigit():
        return None
    milliseconds = int(header[:_DIGITS])
    return time.monotonic() + milliseconds / 1e3 if milliseconds else None
