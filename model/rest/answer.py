"""What a handler returns, and the one form in which errors reach the client."""

import time
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

import orjson

from model.errors import MethodNotAllowed, ServingError, TooLarge, Unauthenticated, UnsupportedEncoding

JSON: Final = b"application/json"
OCTETS: Final = b"application/octet-stream"

_STATUS_LINES: Final = {int(status): f"HTTP/1.1 {status} {status.phrase}\r\n".encode() for status in HTTPStatus}
_CLOSE: Final = b"connection: close\r\n"


@dataclass(slots=True)
class Answer:
    """
    An HTTP answer, whole.

    Parameters
    ----------
    body : bytes
    status : int
    content_type : bytes
    headers : tuple of (name, value)
        Beside Content-Type, Content-Length and X-Request-ID, which every answer has.
    unread : bool
        Whether the client may still be sending a body that nobody will read; the connection can't be used again.
    """

    body: bytes
    status: int = 200
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()
    unread: bool = False


def json_answer(document: Any, status: int = 200) -> Answer:
    """Return a document as JSON."""
    return Answer(orjson.dumps(document), status)


def refusal(error: ServingError) -> Answer:
    """Return an error as its status and ``{"error": message}``."""
    answer = json_answer({"error": str(error)}, int(error.http_status))
    answer.headers = _headers(error)
    answer.unread = isinstance(error, TooLarge)
    return answer


def failure(request_id: str) -> Answer:
    """Return the answer to a request that failed for a reason that is the log's alone."""
    return json_answer({"error": f"The server failed to answer; see its log for request {request_id}."}, 500)


def rendered(answer: Answer, request_id: bytes, *, last: bool, bodiless: bool = False) -> bytes:
    """
    Return an answer as HTTP/1.1.

    Parameters
    ----------
    answer : Answer
    request_id : bytes
        Printable.
    last : bool
        Whether the connection is closed behind it.
    bodiless : bool
        Whether it is of a HEAD request.

    Raises
    ------
    RuntimeError
        A header would break the line it stands in.
    """
    more = _lines(answer.headers) if answer.headers else b""
    head = b"%bdate: %b\r\ncontent-type: %b\r\ncontent-length: %d\r\nx-request-id: %b\r\n%b\r\n" % (
        _STATUS_LINES[answer.status],
        _date(int(time.time())),
        answer.content_type,
        len(answer.body),
        request_id,
        more + _CLOSE if last else more,
    )
    return head if bodiless else head + answer.body


@lru_cache(1)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()


def _lines(headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    if not lines.count(b"\n") == lines.count(b"\r") == len(headers):
        raise RuntimeError("A header of the answer holds a line break.")
    return lines


def _headers(error: ServingError) -> tuple[tuple[bytes, bytes], ...]:
    match error:
        case MethodNotAllowed():
            return ((b"allow", error.allow.encode()),)
        case Unauthenticated():
            return ((b"www-authenticate", b"Bearer"),)
        case UnsupportedEncoding():
            return ((b"accept-encoding", b"gzip, deflate"),)
    if error.retry_after_seconds is None:
        return ()
    return ((b"retry-after", b"%d" % error.retry_after_seconds),)
