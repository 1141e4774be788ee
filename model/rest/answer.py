"""What a handler returns, and the one form in which errors reach the client."""

from dataclasses import dataclass
from typing import Any, Final

import orjson

from model.errors import MethodNotAllowed, ServingError, TooLarge, Unauthenticated, UnsupportedEncoding

JSON: Final = b"application/json"
OCTETS: Final = b"application/octet-stream"


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
