"""HTTP/1.1 on one connection: uvicorn's, with a limit on a request's head and errors in JSON."""

import asyncio
import re
from typing import Any, Final

import httptools
import orjson
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from model.rest.cycle import Cycle

HEAD_MOST_BYTES: Final = 65_536
"""Of the request line and the headers; Envoy allows 60 KiB."""

_PLAIN_PATH: Final = re.compile(rb"/[A-Za-z0-9._:/-]*")
"""What needs no decoding; targets of other kinds, with a query or escapes, go uvicorn's way."""

_BAD_REQUEST: Final = 400
_REQUEST_TIMEOUT: Final = 408
_HEAD_TOO_LARGE: Final = 431


class Protocol(HttpToolsProtocol):
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
        self._silent_bytes = 0
        self._progress = False
        # When the request began that has not come whole yet; at first, when the connection did.
        self._waiting_since: float | None = self.loop.time()

    def data_received(self, data: bytes) -> None:
        """Parse what has come; a head (or a trailer) that never ends is refused."""
        self._unset_keepalive_if_required()
        self._progress = False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(_BAD_REQUEST, "The request is not valid HTTP/1.1.")
        if self._progress:
            return
        self._silent_bytes += len(data)
        if self._silent_bytes > HEAD_MOST_BYTES:
            self._refuse(_HEAD_TOO_LARGE, f"The request line and headers are over {HEAD_MOST_BYTES} bytes.")

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._progressed()
        self._waiting_since = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Hand the request over, unless it has to be parsed once more."""
        if self._offers_upgrade:
            return
        if _PLAIN_PATH.fullmatch(self.url):
            self._hand_over(self.url)
        else:
            super().on_headers_complete()

    def _hand_over(self, path: bytes) -> None:
        """Do as uvicorn does with a request whose target is a path alone, without parsing it and without its options."""
        version = self.parser.get_http_version()
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
        if self._waiting_since is None or self._answering or not self._begun:
            super().shutdown()

    def close_if_slow(self, since: float) -> None:
        """
        Give up on a client that has not sent the whole of its request.

        Parameters
        ----------
        since : float
            The loop's time by which it should have begun.
        """
        if self._waiting_since is None or self._waiting_since > since:
            return
        if self._begun:
            self._refuse(_REQUEST_TIMEOUT, "The request did not come in time.")
        else:
            self.transport.close()

    @property
    def _begun(self) -> bool:
        """Whether anything has come over this connection."""
        headers: list[tuple[bytes, bytes]] | None = self.headers
        return headers is not None

    @property
    def _answering(self) -> bool:
        """Whether the application has a request in hand."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _refuse(self, status: int, message: str) -> None:
        if self.transport.is_closing():
            return
        # In the middle of an answer another one can't begin.
        if not (self._answering and self.cycle.response_started):
            self.transport.write(self._refusal(status, message))
        self.transport.close()

    def _refusal(self, status: int, message: str) -> bytes:
        body = orjson.dumps({"error": message})
        headers = [
            *self.server_state.default_headers,
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        return b"".join([STATUS_LINE[status], *(b"%b: %b\r\n" % header for header in headers), b"\r\n", body])
