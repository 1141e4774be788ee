"""
A client's connection: HTTP/2 as nghttp2 speaks it, and the calls that are carried over it.

nghttp2 keeps the protocol, its flow control and its limits; what is wrong in itself ends the connection there.
"""

import asyncio
import random
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, ClassVar, Final, cast

import ngh2
from ngh2 import Setting

from model.codec.wording import shown
from model.errors import DeadlineExceeded, MethodNotAllowed, NotReady
from model.grpc.status import HEAD, Header, trailers_of
from model.grpc.stream import Method, Stream

STREAMS: Final = 100
"""Calls at once over a connection where nothing else is said: HTTP/2 recommends no fewer."""

_CONTENT_TYPE: Final = re.compile(rb"application/grpc(\+proto)?[ \t]*(;.*)?", re.IGNORECASE | re.DOTALL)
_WINDOW_BYTES: Final = 1 << 20
"""Of a stream; a connection has as many again for each of a few that send at once."""
_STREAMS_AT_ONCE: Final = 4
_HEADERS_BYTES: Final = 16_384
"""Told to clients, which then refuse more themselves; four times as much ends the connection."""
_WRITE_BYTES: Final = 1 << 18
"""Given to the transport at once, so that a client that does not read is noticed."""
_SAMPLE: Final = 100
"""Of the connections, among which one is looked for that can be closed."""
_TURN_BYTES: Final = 1 << 17
"""Come at once they mean that more waits; others get their turn before it is read."""
_ROUND_TRIP_SECONDS: Final = 1.0
"""For which calls on their way are waited for, from a client that answers no ping."""
_PING: Final = b"shutdown"


@dataclass(slots=True, kw_only=True)
class Service:
    """
    What the connections of a server share.

    Parameters
    ----------
    methods : mapping of bytes to Method
        By path.
    max_receive_bytes, max_send_bytes : int
        Of a message.
    max_concurrent_streams : int
        Over one connection.
    max_connections : int
        At once; for one more, one without a call is closed, or else the new one.
    max_age_seconds : float or None
        After which a connection is shut down, give or take a tenth: those made together are not made anew together.
    age_grace_seconds : float
        For the calls then in flight.
    connections : set of Connection
        Those that are open.
    held_bytes : int
        Of requests that have not come whole.
    """

    methods: Mapping[bytes, Method]
    max_receive_bytes: int
    max_send_bytes: int
    max_concurrent_streams: int = STREAMS
    max_connections: int = 4096
    max_age_seconds: float | None = None
    age_grace_seconds: float = 30.0
    connections: set["Connection"] = field(default_factory=set)
    held_bytes: int = 0


class Connection(asyncio.Protocol):
    """
    One client's connection.

    Parameters
    ----------
    service : Service

    Attributes
    ----------
    loop : asyncio.AbstractEventLoop
    service : Service
    since : float
        When it was made, in the loop's time.
    """

    def __init__(self, service: Service) -> None:
        self.loop = asyncio.get_running_loop()
        self.since = self.loop.time()
        self.service = service
        self._h2 = ngh2.Connection(ngh2.Role.SERVER)
        self._streams: dict[int, Stream] = {}
        self._resets: list[int] = []
        self._timers: list[asyncio.TimerHandle] = []
        self._flush_due = False
        self._greeted = False
        self._shutting_down = self._gone = False
        self._paused_since: float | None = None
        self._closed_since: float | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the connection."""
        self._transport = cast("asyncio.Transport", transport)
        if len(self.service.connections) >= self.service.max_connections:
            others = islice(self.service.connections, _SAMPLE)
            next((other for other in others if other.idle), self).abort()
        self.service.connections.add(self)
        settings = {
            Setting.INITIAL_WINDOW_SIZE: _WINDOW_BYTES,
            Setting.MAX_HEADER_LIST_SIZE: _HEADERS_BYTES,
            Setting.MAX_CONCURRENT_STREAMS: self.service.max_concurrent_streams,
        }
        if (age := self.service.max_age_seconds) is not None:
            age *= random.uniform(0.9, 1.1)  # noqa: S311 -- no secret
            self._timers.append(self.loop.call_later(age, self.shut_down))
            self._timers.append(self.loop.call_later(age + self.service.age_grace_seconds, self.close))
        self._h2.initiate_connection(settings)
        self._h2.set_local_window_size(_STREAMS_AT_ONCE * _WINDOW_BYTES)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Take what has come, and pass it on to the calls."""
        try:
            self._h2.receive_data(data)
        except ngh2.NGH2Error:  # It speaks another protocol, or floods: there is nothing to say to it.
            self._transport.abort()
            return
        self._handle_events()
        self._flush_soon()
        if len(data) >= _TURN_BYTES:  # uvloop reads on up to 32 times before it looks at others.
            self._transport.pause_reading()
            self.loop.call_soon(self._read_on)

    def eof_received(self) -> bool:
        """Close: a client that has left takes no answers."""
        return False

    def pause_writing(self) -> None:
        """Keep back what the client does not read, and do not hear what would have to be answered besides."""
        self._paused_since = self.loop.time()
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self._paused_since = None
        self._read_on()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's
        """Drop the calls in hand, for nobody is left to answer."""
        self.service.connections.discard(self)
        for timer in self._timers:
            timer.cancel()
        for stream in self._streams.values():
            stream.cancel()
        self._streams.clear()

    def respond(self, number: int, headers: Iterable[Header], *, end: bool = False) -> None:
        """Send a stream's headers, which may be all of the answer."""
        with suppress(ngh2.NGH2Error):  # The client has just given the stream up.
            self._h2.send_response(number, headers, end_stream=end)
            self._flush_soon()

    def send(self, number: int, content: bytes) -> None:
        """Send data."""
        with suppress(ngh2.NGH2Error):
            self._h2.send_data(number, content)
            self._flush_soon()

    def finish(self, number: int, trailers: Iterable[Header]) -> None:
        """Send a stream's trailers."""
        with suppress(ngh2.NGH2Error):
            self._h2.send_trailers(number, trailers)
            self._flush_soon()

    def answer(self, number: int, head: Iterable[Header], content: bytes, trailers: Iterable[Header]) -> None:
        """Send all of a stream."""
        with suppress(ngh2.NGH2Error):
            self._h2.send_response(number, head)
            self._h2.send_data(number, content)
            self._h2.send_trailers(number, trailers)
            self._flush_soon()

    def unread(self, number: int | None = None) -> int:
        """Return the bytes that wait for the client to take them, of a stream or of all."""
        return self._h2.queued_body_size(number)

    def reset_soon(self, number: int) -> None:
        """Take no more of a stream that has been answered, once the answer is on its way."""
        self._resets.append(number)

    def shut_down(self) -> None:
        """Send the client elsewhere with new calls; those on their way and in hand are answered, then it is closed."""
        if self._shutting_down:
            return
        self._shutting_down = True
        with suppress(ngh2.NGH2Error):
            self._h2.send_shutdown_notice()
            self._h2.ping(_PING)
            self._flush()
        self.loop.call_later(_ROUND_TRIP_SECONDS, self._go_away)

    def close(self) -> None:
        """Give up the calls in hand, and close."""
        for stream in list(self._streams.values()):
            stream.fail(NotReady("The server stopped before it could answer; try again elsewhere."))
        self._go_away()
        self._flush()
        self._close()

    @property
    def idle(self) -> bool:
        """Whether it is open without a call in hand."""
        self._handle_events()
        return not (self._streams or self._transport.is_closing())

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def close_if_slow(self, *, greeted_by: float, sent_by: float) -> None:
        """
        Give up on a client that says nothing, does not read, or does not send the whole of a request.

        Parameters
        ----------
        greeted_by : float
            The loop's time by which a connection should have been made, whose client has not greeted yet.
        sent_by : float
            The same for a request that has not come whole yet, or an answer that is not read.
        """
        silent = not self._greeted and self.since <= greeted_by
        deaf = any(since is not None and since <= sent_by for since in (self._paused_since, self._closed_since))
        if silent or deaf:
            self._transport.abort()
            return
        self._handle_events()  # Streams may have been closed since the client was last heard of.
        for number, stream in list(self._streams.items()):
            if stream.opened and not stream.ended and not self.unread(number):
                stream.waiting_since = None
            elif stream.waiting_since is None or stream.waiting_since > sent_by:
                continue
            elif stream.opened or stream.ended:
                stream.cancel()
                self._reset(number, ngh2.ErrorCode.CANCEL)
                self._flush_soon()
            else:
                stream.fail(DeadlineExceeded("The request did not come in time."))

    def _close(self) -> None:
        """Close once the client has taken what is written."""
        if self._closed_since is None:
            self._closed_since = self.loop.time()
            self._transport.close()

    def _read_on(self) -> None:
        if self._paused_since is None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _handle_events(self) -> None:
        for event in self._h2.events():
            handle = self._HANDLERS.get(type(event))
            if handle is not None:
                handle(self, event)

    def _on_request(self, event: ngh2.RequestReceived) -> None:
        number, headers = event.stream_id, dict(event.headers)
        if headers[b":method"] != b"POST":
            self._refuse(number, [(b":status", b"405"), (b"allow", b"POST")])
        elif _CONTENT_TYPE.fullmatch(headers.get(b"content-type", b"")) is None:
            self._refuse(number, [(b":status", b"415")])
        elif (method := self.service.methods.get(headers[b":path"])) is None:
            path = headers[b":path"].decode("latin-1")
            self._refuse(number, [*HEAD, *trailers_of(MethodNotAllowed(f"There is no method {shown(path)}.", "POST"))])
        else:
            stream = self._streams[number] = Stream(self, number, method, headers)
            stream.begin()
            if event.end_stream:
                stream.half_close()

    def _on_data(self, event: ngh2.DataReceived) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is not None:
            stream.feed(event.data)
            if event.end_stream:
                stream.half_close()

    def _on_trailers(self, event: ngh2.TrailersReceived) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is not None:
            stream.half_close()

    def _on_closed(self, event: ngh2.StreamClosed) -> None:
        stream = self._streams.pop(event.stream_id, None)
        if stream is not None:
            stream.cancel()

    def _on_settings(self, _: ngh2.SettingsReceived) -> None:
        self._greeted = True

    def _on_pong(self, _: ngh2.PingAcknowledged) -> None:
        if self._shutting_down:
            self._go_away()

    def _refuse(self, number: int, headers: Iterable[Header]) -> None:
        self.respond(number, headers, end=True)
        self.reset_soon(number)

    def _go_away(self) -> None:
        if self._gone:
            return
        self._gone = True
        with suppress(ngh2.NGH2Error):
            self._h2.send_goaway()
            self._flush_soon()

    def _flush_soon(self) -> None:
        """Write what is to be sent once those calls have been answered too that the event loop has in hand."""
        if not self._flush_due:
            self._flush_due = True
            self.loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        try:
            while self._paused_since is None and not self._transport.is_closing():
                data = self._h2.data_to_send(_WRITE_BYTES)
                if not data:
                    if not self._resets:
                        break
                    for number in self._resets:
                        self._reset(number, ngh2.ErrorCode.NO_ERROR)
                    self._resets.clear()
                    continue
                self._transport.write(data)
            if not (self._h2.want_read or self._h2.want_write):
                self._close()
        except ngh2.NGH2Error:
            self._transport.abort()

    def _reset(self, number: int, code: ngh2.ErrorCode) -> None:
        with suppress(ngh2.NGH2Error):  # The client has ended it meanwhile, or the connection is ending.
            self._h2.reset_stream(number, code)

    _HANDLERS: ClassVar[Mapping[type[ngh2.Event], Callable[["Connection", Any], None]]] = {
        ngh2.RequestReceived: _on_request,
        ngh2.DataReceived: _on_data,
        ngh2.TrailersReceived: _on_trailers,
        ngh2.StreamClosed: _on_closed,
        ngh2.SettingsReceived: _on_settings,
        ngh2.PingAcknowledged: _on_pong,
    }
    """The other events are nghttp2's own affair."""
