"""What is in hand of one connection: the requests that have come, the answers to them, and how it ends."""

import asyncio
from typing import Final

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_LINGER_SECONDS: Final = 2.0


class Exchange(HttpToolsProtocol):
    """
    uvicorn's exchange of requests and answers, with an end that tells the client why, and a sense of who has left.

    Made as uvicorn's protocols are.
    """

    # What to say when the requests in hand are answered, before the connection is closed.
    _last_words: bytes | None = None
    _half_closed = False
    _served: RequestResponseCycle | None = None
    _task: asyncio.Task[None] | None = None
    # When the last answer was complete, in the loop's time; None while there is a request.
    _idle_since: float | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Drop the requests in hand, for nobody is left to answer."""
        super().connection_lost(exc)
        self._drop_requests()

    def eof_received(self) -> bool:  # type: ignore[override]
        """
        Answer a client that has closed its own side alone.

        One that is gone looks the same until something is written to it. TLS knows no half of a connection.
        """
        self._half_closed = True
        if self.answering and self.scheme == "http":
            self._end(b"")
            self._probe()
        else:
            self.transport.close()
        return not self.transport.is_closing()

    def cancel(self) -> None:
        """Give up the request that is being answered."""
        if self._task is not None:
            self._task.cancel()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        # Held here, and not in a set of all tasks with a call for each when it is done, which takes 2 µs of a request.
        self._served = cycle
        self._task = self.loop.create_task(cycle.run_asgi(app))

    def on_response_complete(self) -> None:
        """Answer the next request that has come already, or say the last words."""
        if self._last_words is not None and not self.pipeline:
            self._close(self._last_words)
        elif not self.transport.is_closing():
            self.flow.resume_reading()
            if self.pipeline:
                self._start_asgi_task(*self.pipeline.pop())
            else:
                # Looked at now and then, in place of a timer for each answer.
                self._idle_since = self.loop.time()

    @property
    def answering(self) -> bool:
        """Whether there is a request in hand."""
        return self._served is not None and not self._served.response_complete

    def _probe(self) -> None:
        """
        Find out whether a client that has closed its side still takes an answer.

        RFC 9110 allows an interim answer at any time; a client that is gone resets the connection, which the next
        write finds.
        """
        served = self._served
        if not self._half_closed or served is None or served.response_started or self.transport.is_closing():
            return
        if served.scope["http_version"] != "1.0":
            self.transport.write(_CONTINUE)

    def _end(self, words: bytes) -> None:
        """Take no more from this client, answer the requests that have come whole, say the last words, and close."""
        served = self._served
        if served is None or not self.answering:
            self._close(words)
        elif served is self.cycle and served.more_body:
            # In the middle of an answer another one can't begin.
            self._close(b"" if served.response_started else words)
        else:
            if self.pipeline and self.cycle.more_body:
                self.pipeline.popleft()
            self._last_words = words

    def _close(self, words: bytes) -> None:
        """Close, but let the client have the last words: a connection closed on unread bytes takes them with it."""
        self._last_words = b""
        self._drop_requests()
        if self.transport.is_closing():
            return
        if words:
            self.transport.write(words)
        if words and not self._half_closed and self.transport.can_write_eof():
            self.transport.write_eof()
            self.loop.call_later(_LINGER_SECONDS, self.transport.close)
        else:
            self.transport.close()

    def _drop_requests(self) -> None:
        self.pipeline.clear()
        if self._served is not None and self._task is not None and self.answering:
            self._served.disconnected = True
            self._served.message_event.set()
            self._task.cancel()
