"""What is in hand of one connection: the requests that have come, the answers to them, and how it ends."""

import asyncio
from collections import deque
from typing import Any, Final

import structlog

from model.rest.answer import Answer, rendered
from model.rest.app import RestApp
from model.rest.request import Request

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_MOST_HELD_BYTES: Final = 65_536
"""Of bodies that nobody has read yet."""
_MOST_WAITING: Final = 16
"""Requests of one client; that it leaves is noticed only as long as it is read from."""
_LINGER_SECONDS: Final = 2.0
"""How long what nobody will read is still taken: a connection closed on unread bytes takes the answer with it."""

_log = structlog.get_logger(__name__)


class Exchange(asyncio.Protocol):
    """
    Answers the requests of one connection in their order, and ends it so that the client learns why.

    Parameters
    ----------
    app : RestApp
    connections : set of Exchange
        Of the same server, for as long as they are open.
    """

    def __init__(self, app: RestApp, connections: set[Any]) -> None:
        self.transport: asyncio.Transport
        self._app = app
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        # Those that wait for the one before them; the last may still be coming.
        self._pipeline: deque[Request] = deque()
        self._incoming: Request | None = None
        self._served: Request | None = None
        self._task: asyncio.Task[None] | None = None
        self._reading_paused = self._writing_paused = self._half_closed = False
        # What to say when the requests in hand are answered, before the connection is closed; no more is read then.
        self._last_words: bytes | None = None
        # When the last answer was complete, in the loop's time; None while there is a request.
        self._idle_since: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = transport  # type: ignore[assignment]  # a stream's is one
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio tells why
        """Drop the requests in hand, for nobody is left to answer."""
        self._connections.discard(self)
        self._drop()

    def eof_received(self) -> bool:
        """
        Answer a client that has closed its own side alone.

        One that is gone looks the same until something is written to it. TLS knows no half of a connection.
        """
        self._half_closed = True
        if self.answering and self.transport.get_extra_info("sslcontext") is None:
            self._end(b"")
            self._probe()
        else:
            self.transport.close()
        return not self.transport.is_closing()

    def pause_writing(self) -> None:
        """Begin no more requests while the client does not take the answers."""
        self._writing_paused = True

    def resume_writing(self) -> None:
        """Go on with the requests that have come."""
        self._writing_paused = False
        self._go_on()

    @property
    def answering(self) -> bool:
        """Whether there is a request in hand."""
        return self._served is not None or bool(self._pipeline)

    def cancel(self) -> None:
        """Give up the request that is being answered."""
        if self._task is not None:
            self._task.cancel()

    def _go_on(self) -> None:
        """Begin the next request, if it is its turn, and read on once none is left."""
        if self._pipeline and self._served is None and not self._writing_paused:
            self._served = self._pipeline.popleft()
            self._task = self._loop.create_task(self._serve(self._served))
        if not self._pipeline:
            self._resume_reading()

    async def _serve(self, request: Request) -> None:
        try:
            self._answer(request, await self._app(request))
        except Exception:  # noqa: BLE001 -- whatever it was, there is no answer
            _log.exception("an answer could not be given", request_id=request.id.decode())
            self.transport.abort()

    def _answer(self, request: Request, answer: Answer) -> None:
        if request is not self._served or self.transport.is_closing():
            return  # The client is gone.
        # Whether a body follows that was not asked for, nobody can tell.
        last = answer.unread or self._app.draining or not request.keep_alive or request.upload.unasked
        words = rendered(answer, request.id, last=last, bodiless=request.method == "HEAD")
        self._served = self._task = None
        if last and not request.upload.whole:
            self._close(words)
            return
        self.transport.write(words)
        request.upload.drop()
        if last:
            self._pipeline.clear()
            self.transport.close()
        elif self._last_words is not None and not self._pipeline:
            self._close(self._last_words)
        else:
            if not self._pipeline:
                # Looked at now and then, in place of a timer for each answer.
                self._idle_since = self._loop.time()
            self._go_on()

    def _want_body(self) -> None:
        """Let what has not come of the body that is being read come."""
        if self._served is not None and self._served.upload.unasked:
            self._served.upload.unasked = False
            self.transport.write(_CONTINUE)
        self._resume_reading()

    def _hold_back(self) -> None:
        """Read no more for now from a client that sends faster than it is answered."""
        waiting = self._pipeline or [self._incoming]
        held_bytes = sum(request.upload.held_bytes for request in waiting if request is not None)
        too_much = held_bytes > _MOST_HELD_BYTES or len(self._pipeline) > _MOST_WAITING
        if too_much and not self._reading_paused and not self.transport.is_closing():
            self._reading_paused = True
            self.transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._reading_paused and not self.transport.is_closing():
            self._reading_paused = False
            self.transport.resume_reading()

    def _probe(self) -> None:
        """
        Find out whether a client that has closed its side still takes an answer.

        RFC 9110 allows an interim answer at any time; a client that is gone resets the connection, which the next
        write finds.
        """
        if self._half_closed and self._served is not None and self._served.interim and not self.transport.is_closing():
            self.transport.write(_CONTINUE)

    def _end(self, words: bytes) -> None:
        """Take no more from this client, answer the requests that have come whole, say the last words, and close."""
        if self._incoming is not None and not self._incoming.upload.whole:
            if not self._pipeline:
                self._close(words)
                return
            self._pipeline.pop()
        if self.answering:
            self._last_words = words
        else:
            self._close(words)

    def _close(self, words: bytes) -> None:
        """Close, but let the client have the last words, which it may not look for before it has sent all."""
        self._last_words = b""
        self._drop()
        if self.transport.is_closing():
            return
        if words:
            self.transport.write(words)
        if words and not self._half_closed:
            if self.transport.can_write_eof():
                self.transport.write_eof()
            self._resume_reading()
            self._loop.call_later(_LINGER_SECONDS, self.transport.close)
        else:
            self.transport.close()

    def _drop(self) -> None:
        self._pipeline.clear()
        self._served = None
        self.cancel()
