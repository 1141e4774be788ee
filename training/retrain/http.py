"""One question over HTTP, answered in time or not at all."""

import os
import time
from collections.abc import Mapping
from typing import Final

import urllib3

from training.errors import Unanswered

KEY_VARIABLE: Final = "SKLEARN_KSERVE_METRICS_KEY"
"""Variable with the key, a bearer token, where whoever has the metrics asks for one."""
MOST_BYTES: Final = 32 << 20
"""Of an answer: a version of a hundred columns takes less than a hundred thousand."""
_TRIES: Final = 3
_CHUNK_BYTES: Final = 1 << 16
_SAID_BYTES: Final = 200
_OK: Final = 200
_DENIED: Final = (401, 403)


def get(url: str, timeout_seconds: float, fields: Mapping[str, str] | None = None) -> bytes:
    """
    Return what is at an address.

    A server that is just being replaced is asked again.

    Parameters
    ----------
    url : str
        ``http://…`` or ``https://…``.
    timeout_seconds : float
        For all of it: connecting, asking again, and reading to the end.
    fields : mapping of str to str, optional
        The query.

    Raises
    ------
    Unanswered
        Nobody answers in time, or the answer is not 200.
    """
    deadline = time.monotonic() + timeout_seconds
    retries = urllib3.Retry(_TRIES - 1, backoff_factor=0.1, status_forcelist=(502, 503, 504), raise_on_status=False)
    timeout = urllib3.Timeout(total=timeout_seconds / _TRIES)
    key = os.environ.get(KEY_VARIABLE)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        with urllib3.PoolManager(retries=retries, timeout=timeout) as pool:
            answer = pool.request("GET", url, fields=fields, headers=headers, preload_content=False)
            content = _read(answer, deadline)
    except (urllib3.exceptions.HTTPError, TimeoutError, ValueError) as error:
        raise Unanswered(f"{url} does not answer within {timeout_seconds:g} s: {_reason(error)}") from error
    if answer.status in _DENIED:
        raise Unanswered(f"{url} answers {answer.status}; put a key that may read metrics into {KEY_VARIABLE}")
    if answer.status != _OK:
        raise Unanswered(f"{url} answers {answer.status}: {content[:_SAID_BYTES].decode(errors='replace')!r}")
    return content


def _read(answer: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
    """Read to the end, as it comes: the socket's own timeout would wait for ever for who sends a byte at a time."""
    content = bytearray()
    while chunk := answer.read1(_CHUNK_BYTES):
        content += chunk
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(content)} bytes and no end")
        if len(content) > MOST_BYTES:
            raise ValueError(f"it goes on after {MOST_BYTES} bytes")
    return bytes(content)


def _reason(error: Exception) -> str:
    """Return what went wrong the last time, without urllib3's account of the times before."""
    cause = getattr(error, "reason", None)
    return str(cause if cause is not None else error) or type(error).__name__
