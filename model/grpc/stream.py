"""One call: what its client sends, what it is answered, and how it ends."""

import asyncio
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from model.call import new_request_id
from model.errors import InvalidInput, MethodNotAllowed, Overloaded, ServingError, TooLarge
from model.grpc.messages import PREFIX_BYTES, MessageReader, framed
from model.grpc.status import HEAD, OK, Header, trailers_of

if TYPE_CHECKING:
    from model.grpc.connection import Connection

REQUEST_ID: Final = b"x-request-id"

_LONGEST_REQUEST_ID: Final = 128
_MOST_UNREAD: Final = 100
"""Messages of a call that have come and wait for their turn."""
_REQUESTS_HELD: Final = 16
"""So many requests of the size that is allowed may have come in part, over all connections."""
_ANSWERS_UNREAD: Final = 16
"""So many answers of the size that is allowed may wait for the client of a connection to take them."""
_UNEXPECTED: Final = "The server failed to answer; see its log for request {}."
_TIMEOUT: Final = re.compile(rb"(\d{1,8})([HMSmun])")
_SECONDS: Final = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Method:
    """
    What answers the calls of one path.

    Parameters
    ----------
    serve : callable
        Coroutine function of the stream, which it ends.
    client_streams : bool
        Whether it takes messages as they come; one alone else, which has come whole when the call is begun.
    """

    serve: Callable[["Stream"], Awaitable[None]]
    client_streams: bool = False


class Stream:
    """
    A call.

    Parameters
    ----------
    connection : Connection
    number : int
        Of the stream, within its connection.
    method : Method
    headers : mapping of bytes to bytes

    Attributes
    ----------
    request_id : str
        The client's own, if it is short, or one made up. It comes back at the call's end.
    credentials : str or None
        The value of ``authorization``.
    deadline : float or None
        ``time.monotonic()`` seconds, after which the client waits no longer.
    waiting_since : float or None
        The loop's time, as long as the client has not sent all that it has to, or not taken what it was sent.
    opened : bool
        Whether the answer has begun, and may go on.
    ended : bool
        Whether the answer is whole.
    """

    __slots__ = (
        "_arrived",
        "_connection",
        "_half_closed",
        "_held",
        "_messages",
        "_method",
        "_number",
        "_reader",
        "_task",
        "credentials",
        "deadline",
        "ended",
        "opened",
        "request_id",
        "waiting_since",
    )

    def __init__(self, connection: "Connection", number: int, method: Method, headers: Mapping[bytes, bytes]) -> None:
        self._connection = connection
        self._number = number
        self._method = method
        self._reader = MessageReader(connection.service.max_receive_bytes, headers.get(b"grpc-encoding", b"identity"))
        self._messages: deque[tuple[bool, bytes]] = deque()
        self._arrived: asyncio.Event | None = None
        self._half_closed = self.opened = self.ended = False
        self._held = 0
        self._task: asyncio.Task[None] | None = None
        given = headers.get(REQUEST_ID, b"")
        self.request_id = given.decode("latin-1") if 0 < len(given) <= _LONGEST_REQUEST_ID else new_request_id()
        credentials = headers.get(b"authorization")
        self.credentials = None if credentials is None else credentials.decode("latin-1")
        timeout = headers.get(b"grpc-timeout")
        self.deadline = None if timeout is None else _deadline(timeout)
        self.waiting_since: float | None = connection.loop.time()

    def feed(self, data: bytes) -> None:
        """Take what the client has sent, as much as is let in before it is answered."""
        if self.ended:
            return
        try:
            self._messages += self._reader.feed(data)
            self._hold(len(data))
        except ServingError as error:
            self.fail(error)
            return
        if self._arrived is None:
            if len(self._messages) > 1:
                self.fail(_not_one())
        elif len(self._messages) > _MOST_UNREAD:
            self.fail(Overloaded("The messages come faster than they are answered; wait for answers."))
        else:
            self._arrived.set()

    def half_close(self) -> None:
        """Take note that the client has sent all."""
        self._half_closed = True
        if self.ended:
            return
        self.waiting_since = None
        if self._arrived is not None:
            self._arrived.set()
        elif not self._reader.empty:
            self.fail(InvalidInput("The message has not come whole."))
        elif len(self._messages) != 1:
            self.fail(_not_one())
        else:
            self._release(self._held)  # It is one of the requests in flight now, which are counted themselves.
            self._begin()

    def begin(self) -> None:
        """Begin to answer at once, where messages are taken as they come."""
        if self._method.client_streams and not self.ended:
            self.waiting_since = None
            self._arrived = asyncio.Event()
            self._begin()

    def _begin(self) -> None:
        self._task = self._connection.loop.create_task(self._serve())

    async def _serve(self) -> None:
        try:
            await self._method.serve(self)
        except ServingError as error:
            self.fail(error)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the client gets one sentence
            _log.error("grpc request failed", request_id=self.request_id, exc_info=error)
            self.fail(ServingError(_UNEXPECTED.format(self.request_id)))

    def cancel(self) -> None:
        """Stop the answering of a call that nobody waits for."""
        if not self.ended:
            self._be_ended()
            if self._task is not None:
                self._task.cancel()

    async def message(self) -> bytes:
        """
        Return the only message.

        Raises
        ------
        TooLarge, InvalidInput
            It can't be decompressed.
        """
        compressed, content = self._messages.popleft()
        return await self._reader.decompress(content) if compressed else content

    async def messages(self) -> AsyncIterator[bytes]:
        """Give the messages as they come; between two of them others get their turn on the event loop."""
        assert self._arrived is not None  # noqa: S101 -- for mypy
        while True:
            while self._messages:
                self._release(PREFIX_BYTES + len(self._messages[0][1]))
                yield await self.message()
                await asyncio.sleep(0)
            if self._half_closed:
                return
            self._arrived.clear()
            await self._arrived.wait()

    def send(self, message: bytes) -> None:
        """Send a message, of which there may be several; they end with an error where the client does not take them."""
        if self.ended:
            return
        most = self._connection.service.max_send_bytes
        if self._connection.unread(self._number) > most or self._connection.unread() > _ANSWERS_UNREAD * most:
            self.fail(_not_read())
            return
        if self.waiting_since is None:
            self.waiting_since = self._connection.loop.time()
        if not self.opened:
            self.opened = True
            self._connection.respond(self._number, HEAD)
        self._connection.send(self._number, framed(message))

    def answer(self, message: bytes) -> None:
        """Send the only message, and end the call well."""
        most = self._connection.service.max_send_bytes
        if len(message) > most:
            self.fail(
                TooLarge(f"The answer has {len(message)} bytes; expected at most {most}, so ask for less at once.")
            )
        elif self._connection.unread() > _ANSWERS_UNREAD * most:
            self.fail(_not_read())
        elif not self.ended:
            self._be_ended()
            self._connection.answer(self._number, HEAD, framed(message), (OK, self._id))

    def end(self) -> None:
        """End the call well, after its messages."""
        self._end([OK])

    def fail(self, error: ServingError) -> None:
        """End the call with the status that belongs to an error."""
        self._end(trailers_of(error))

    def _hold(self, size: int) -> None:
        """Count what has come of a request that is not whole."""
        service = self._connection.service
        self._held += size
        service.held_bytes += size
        if service.held_bytes > _REQUESTS_HELD * service.max_receive_bytes:
            raise Overloaded("Too many large requests come at once; try again in a moment.")

    def _release(self, size: int) -> None:
        self._held -= size
        self._connection.service.held_bytes -= size

    def _be_ended(self) -> None:
        self.ended = True
        self.waiting_since = self._connection.loop.time()
        self._messages.clear()
        self._reader.clear()
        self._release(self._held)

    @property
    def _id(self) -> Header:
        return (REQUEST_ID, self.request_id.encode("latin-1"))

    def _end(self, ending: list[Header]) -> None:
        if self.ended:
            return
        self._be_ended()
        ending.append(self._id)
        if self.opened:
            self._connection.finish(self._number, ending)
        else:
            self._connection.respond(self._number, [*HEAD, *ending], end=True)
        if not self._half_closed:
            self._connection.reset_soon(self._number)
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()


def _not_read() -> ServingError:
    return Overloaded("The answers are not read; read them before you ask for more.")


def _not_one() -> ServingError:
    return MethodNotAllowed("The call takes one message; send one, no fewer and no more.", "POST")


def _deadline(timeout: bytes) -> float | None:
    """Return when a ``grpc-timeout`` is over; one that can't be read is none, as gRPC's own server takes it."""
    match = _TIMEOUT.fullmatch(timeout)
    return None if match is None else time.monotonic() + int(match[1]) * _SECONDS[match[2]]
