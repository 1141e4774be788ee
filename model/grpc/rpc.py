"""What every RPC shares: parsing, request id, credentials, deadline, and errors as statuses."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Never, TypeVar, cast

import grpc
import structlog
from google.protobuf.message import DecodeError, Message
from grpc.aio import ServicerContext

from model.call import Call, new_request_id
from model.errors import InvalidInput, ServingError
from model.keys import NOBODY, Client

Context = ServicerContext[Any, Any]
Authorize = Callable[[str | None], Client]
Request = TypeVar("Request", bound=Message)

REQUEST_ID: Final = "x-request-id"
RETRY_AFTER: Final = "retry-after"

_LONGEST_REQUEST_ID: Final = 128
# A status travels in a header, percent-encoded, and gRPC begins to refuse headers over 8 KiB.
_LONGEST_DETAILS: Final = 2_000
_LONGEST_DETAILS_NOT_ASCII: Final = 600
_UNEXPECTED: Final = "The server failed to answer; see its log for request {}."

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Incoming:
    """What a call's metadata say: its id, made up where the client gave none, and the raw credentials."""

    request_id: str
    credentials: str | None


def unary(
    answer: Callable[[Request, Call], Awaitable[Message]],
    request_type: type[Request],
    authorize: Authorize | None = None,
) -> "grpc.RpcMethodHandler[Any, Any]":
    """
    Make a handler for an RPC of one message and one answer.

    Parameters
    ----------
    answer : callable
        Coroutine function of the parsed message and its ``Call``. What it raises of ``ServingError`` becomes the
        status; anything else is logged and becomes INTERNAL, without a word of it for the client.
    request_type : type
        Of the message. gRPC itself would answer one that can't be parsed with an exception's text.
    authorize : callable or None
        Tells who brings credentials, or raises where they do not suffice. None for what needs none.

    Returns
    -------
    grpc.RpcMethodHandler
    """

    async def serve(body: bytes, context: Context) -> bytes:
        incoming = read_metadata(context)
        context.set_trailing_metadata(((REQUEST_ID, incoming.request_id),))
        try:
            client = NOBODY if authorize is None else authorize(incoming.credentials)
            call = Call("grpc", incoming.request_id, _deadline(context), len(body), client)
            return (await answer(parse(request_type, body), call)).SerializeToString()
        except ServingError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 (whatever it is, the client gets one sentence)
            failure = unexpected(error, incoming.request_id)
        return await abort(context, failure, incoming.request_id)

    return grpc.unary_unary_rpc_method_handler(serve)


def parse(request_type: type[Request], body: bytes) -> Request:
    """
    Parse a message.

    Raises
    ------
    InvalidInput
        It is no such message.
    """
    try:
        return request_type.FromString(body)
    except DecodeError as error:
        raise InvalidInput(
            f"The body is not a valid {request_type.DESCRIPTOR.full_name}; send one in protobuf, its strings in UTF-8."
        ) from error


def read_metadata(context: Context) -> Incoming:
    """Read a call's id, if it is short, and its credentials from its metadata."""
    request_id, credentials = "", None
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID and len(value) <= _LONGEST_REQUEST_ID:
            request_id = str(value)
        elif key == "authorization":
            credentials = str(value)
    return Incoming(request_id or new_request_id(), credentials)


async def abort(context: Context, error: ServingError, request_id: str) -> Never:
    """End a call with the status that belongs to an error, and with the time after which to try again."""
    metadata = [(REQUEST_ID, request_id)]
    if error.retry_after_seconds is not None:
        metadata.append((RETRY_AFTER, str(error.retry_after_seconds)))
    await context.abort(grpc.StatusCode[error.grpc_status], _details(str(error)), tuple(metadata))


def unexpected(error: Exception, request_id: str) -> ServingError:
    """Log an error nobody foresaw, and give what to answer."""
    _log.error("grpc request failed", request_id=request_id, exc_info=error)
    return ServingError(_UNEXPECTED.format(request_id))


def _deadline(context: Context) -> float | None:
    remaining = cast("float | None", context.time_remaining())  # None without a deadline, whatever its stub says
    return None if remaining is None else time.monotonic() + remaining


def _details(message: str) -> str:
    longest = _LONGEST_DETAILS if message.isascii() else _LONGEST_DETAILS_NOT_ASCII
    return message if len(message) <= longest else f"{message[: longest - 1]}…"
