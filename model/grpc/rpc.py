"""What RPCs of one message and one answer share: credentials, parsing, and the call as the data plane knows it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from model.call import Call
from model.errors import InvalidInput
from model.grpc.stream import Method, Stream
from model.keys import NOBODY, Client

Authorize = Callable[[str | None], Client]
Request = TypeVar("Request", bound=Message)


def unary(
    answer: Callable[[Request, Call], Awaitable[Message]],
    request_type: type[Request],
    authorize: Authorize | None = None,
) -> Method:
    """
    Make a method of one message and one answer.

    Parameters
    ----------
    answer : callable
        Coroutine function of the parsed message and its ``Call``.
    request_type : type
        Of the message.
    authorize : callable or None
        Tells who brings credentials, or raises where they do not suffice. None for what needs none.

    Returns
    -------
    Method
    """

    async def serve(stream: Stream) -> None:
        client = NOBODY if authorize is None else authorize(stream.credentials)
        body = await stream.message()
        call = Call("grpc", stream.request_id, stream.deadline, len(body), client)
        stream.answer((await answer(parse(request_type, body), call)).SerializeToString())

    return Method(serve)


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
