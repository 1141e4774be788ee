"""
HTTP/1.1 as it comes over one connection: uvicorn's parser, made strict, with an end to clients that are slow.

Whatever can't be read in one way alone is refused, after the answers to the requests before it, and the connection is
closed: what follows on it could be taken for another request than the one that a proxy in front saw.
"""

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final

import httptools
from uvicorn.config import Config
from uvicorn.server import ServerState

from model.rest.cycle import Cycle
from model.rest.exchange import Exchange
from model.rest.head import HEAD_MOST_BYTES, INVALID, OVERLONG, Fault, fault_in, is_overlong, refusal

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

_PLAIN_PATH: Final = re.compile(rb"/[A-Za-z0-9._:/-]*")
"""What needs no decoding; targets of other kinds, with a query or escapes, go uvicorn's way."""

_TIMED_OUT: Final = Fault(408, "The request did not come in time.")


class Refused(Exception):
    """The request in hand is at fault; raised within the parser, to end it."""


class Protocol(Exchange):
    """
    One client's connection.

    Parameters
    ----------
    config : uvicorn.Config
    server_state : ServerState
    app_state : dict
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # What has come since the head, the body or the last piece of it, and since the read in which the head began.
        self._silent_bytes = self._head_bytes = 0
        self._progress = False
        self._read_bytes = 0
        # When the request began that has not come whole yet; at first, when the connection did.
        self._waiting_since: float | None = self.loop.time()
        self._sending_since: float | None = None
        self._fault: Fault | None = None

    def data_received(self, data: bytes) -> None:
        """Parse what has come; a head (or a trailer) that never ends is refused."""
        if self._last_words is not None:
            return
        self._idle_since = None
        self._progress = False
        self._read_bytes = len(data)
        self._head_bytes += self._read_bytes
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(self._fault or INVALID)
        if self._progress:
            return
        self._silent_bytes += len(data)
        if self._silent_bytes > HEAD_MOST_BYTES:
            self._refuse(OVERLONG)

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._progressed()
        self._head_bytes = self._read_bytes
        self._waiting_since = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Hand the request over, unless it is refused or has to be parsed once more."""
        if self._offers_upgrade:
            return
        version = self.parser.get_http_version()
        fault = fault_in(version, self.headers)
        if fault is None and self._head_bytes > HEAD_MOST_BYTES and is_overlong(self.url, self.headers):
            fault = OVERLONG
        plain = _PLAIN_PATH.fullmatch(self.url)
        if fault is None and not plain and b"#" in self.url:
            fault = INVALID
        if fault is not None:
            self._fault = fault
            raise Refused
        if version == "1.0":
            self.expect_100_continue = False
        if plain:
            self._hand_over(self.url, version)
        else:
            super().on_headers_complete()
        # The parser gives trailers as if they were headers. They have passed no proxy's rules for headers.
        self.headers = []

    def _hand_over(self, path: bytes, version: str) -> None:
        """Do as uvicorn does with a request whose target is a path alone, without parsing it and without its options."""
        self.scope["http_version"] = version
        self.scope["method"] = self.parser.get_method().decode()
        self.scope["path"] = path.decode()
        self.scope["raw_path"] = path
        self.scope["query_string"] = b""
        cycle = Cycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        before: RequestResponseCycle | None = self.cycle
        self.cycle = cycle
        if before is None or before.response_complete:
            self._start_asgi_task(cycle, self.app)
        else:  # a pipelined request waits for the one before it
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

    def on_body(self, body: bytes) -> None:
        """Pass a piece of the body on; its size is limited by who reads it."""
        self._progressed()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the client has sent the whole of its request."""
        if not self._offers_upgrade:
            self._progressed()
            self._waiting_since = None
            super().on_message_complete()
            if self.cycle.response_complete and not self.transport.is_closing():
                # The answer was there before the rest of the body: only now the connection is idle.
                self._idle_since = self.loop.time()

    def _progressed(self) -> None:
        self._progress = True
        self._silent_bytes = 0

    @property
    def _offers_upgrade(self) -> bool:
        return self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"

    def _decline_upgrade(self, rest: bytes) -> None:
        """
        Read the request again as if it did not offer another protocol, which RFC 9110 lets a server ignore.

        Java's client offers HTTP/2 with every first request. The parser takes what follows such a head, the body
        included, for the other protocol.
        """
        version = self.parser.get_http_version().encode()
        head = [b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, version)]
        head += [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(b"".join([*head, b"\r\n", rest]))

    def shutdown(self) -> None:
        """Close the connection once it is idle; a request of which a part has come is still answered."""
        if self._waiting_since is None or self.answering or not self._begun:
            super().shutdown()

    @property
    def idle_since(self) -> float | None:
        """Since when the server waits for this client, in the loop's time; None while it answers a whole request."""
        return self._waiting_since if self._waiting_since is not None else self._idle_since

    def close_if_slow(self, since: float) -> None:
        """
        Give up on a client that has not sent the whole of its request, not taken the whole of an answer, or asks no more.

        Parameters
        ----------
        since : float
            The loop's time by which it should have begun.
        """
        self._probe()
        if self._idle_since is not None and self._idle_since <= self.loop.time() - self.timeout_keep_alive:
            self.transport.close()
            return
        if not self.transport.get_write_buffer_size():
            self._sending_since = None
        elif self._sending_since is None:
            self._sending_since = self.loop.time()
        elif self._sending_since <= since:
            self.transport.abort()
            return
        if self._waiting_since is None or self._waiting_since > since:
            return
        if self._begun:
            self._refuse(_TIMED_OUT)
        else:
            self.transport.close()

    @property
    def _begun(self) -> bool:
        """Whether anything has come over this connection."""
        headers: list[tuple[bytes, bytes]] | None = self.headers
        return headers is not None

    def _refuse(self, fault: Fault) -> None:
        if not self.transport.is_closing() and self._last_words is None:
            self._end(refusal(fault, self.server_state.default_headers))
