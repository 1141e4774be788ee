"""What a refusal looks like on each protocol, whatever the fault."""

import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import grpc
import httpx
from google.protobuf.message import Message

if TYPE_CHECKING:
    from tests.protocol.wires import Clients

INTERNALS: Final = re.compile(
    r"\w(Error|Exception|Warning)\b|Traceback|errno|numpy|pandas|dtype|\bself\b|0x[0-9a-f]{6}"
)
"""Words that a client's sentence must not hold."""


STATUSES: Final = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    413: "RESOURCE_EXHAUSTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""The matrix of the protocol: the status of one fault in HTTP and in gRPC."""


class Refusal(NamedTuple):
    """A status, by its number or name, and the sentence that came with it."""

    status: int | str
    sentence: str


class Refused(Exception):
    """An inference request was refused, where an answer was wanted; the status is gRPC's or the equal of HTTP's."""

    def __init__(self, refusal: Refusal) -> None:
        status = refusal.status if isinstance(refusal.status, str) else STATUSES[refusal.status]
        super().__init__(status, refusal.sentence)
        self.status = status


def over_rest(response: httpx.Response) -> Refusal:
    """Read the answer to a request that had to be refused, after a check of its form."""
    assert response.status_code >= 400, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["content-length"] == str(len(response.content))
    body = json.loads(response.content)
    assert list(body) == ["error"]
    return _checked(Refusal(response.status_code, body["error"]))


def over_grpc(clients: "Clients", method: str, request: Message | bytes, *, timeout: float = 30) -> Refusal:
    """Make a call that has to be refused."""
    return caught(clients, method, request, timeout=timeout)[0]


def caught(
    clients: "Clients", method: str, request: Message | bytes, *, timeout: float = 30
) -> tuple[Refusal, dict[str, str]]:
    """Make a call that has to be refused, and return the metadata that came with the refusal too."""
    try:
        answer: Any = clients.call(method, request, timeout=timeout)
    except grpc.RpcError as error:
        return read_error(error)
    raise AssertionError(f"it was answered: {answer}")


def read_error(error: grpc.RpcError) -> tuple[Refusal, dict[str, str]]:
    """Read the refusal of a call and the metadata that came with it."""
    call: Any = error
    metadata = {str(key): str(value) for key, value in call.trailing_metadata() or ()}
    return _checked(Refusal(call.code().name, call.details())), metadata


def _checked(refusal: Refusal) -> Refusal:
    assert re.match(r"[A-Z]|\w+\[\d+\] ", refusal.sentence), refusal
    assert refusal.sentence.endswith((".", "…")), refusal
    assert "\n" not in refusal.sentence
    assert not INTERNALS.search(refusal.sentence), refusal
    return refusal
