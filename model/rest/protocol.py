"""
HTTP/1.1 as it comes over one connection: httptools' parser, made strict, with an end to clients that are slow.

Whatever can't be read in one way alone is refused, after the answers to the requests before it, and the connection is
closed: what follows on it could be taken for another request than the one that a proxy in front saw.
"""

import re
from typing import Final
from urllib.parse import unquote

import httptools

from model.call import new_request_id
from model.rest.answer import json_answer, rendered
from model.rest.app import RestApp
from model.rest.exchange import Exchange
from model.rest.head import HEAD_MOST_BYTES, INVALID, OVERLONG, Fault, HeaderList, fault_in, is_overlong
from model.rest.request import Request
from model.rest.upload import Upload

_PLAIN_PATH: Final = re.compile(rb"/[A-Za-z0-9._:/-]*")
"""What needs no decoding, unlike a target with a host, a query or escapes."""

_TIMED_OUT: Final = Fault(408, "The request did not come in time.")


class Refused(Exception):
    """The request in hand is at fault; raised within the parser, to end it."""


class Protocol(Exchange):
    """
    One client's connection.

    Parameters
    ----------
    app : RestApp
    connections : set of Protocol
        Of the same server, for as long as they are open.
    """

    def __init__(self, app: RestApp, connections: "set[Protocol]") -> None:
        super().__init__(app, connections)
        self._parser = self._new_parser()
        self._target = b""
        self._headers: HeaderList = []
        # What has come at once, since the head, the body or the last piece of it, and since the head began.
        self._read_bytes = self._silent_bytes = self._head_bytes = 0
        self._begun = self._upgrading = False
        # When the request began that has not come whole yet; at first, when the connection did.
        self._waiting_since: float | None = self._loop.time()
        self._sending_since: float | None = None
        self._fault: Fault | None = None

    def data_received(self, data: bytes) -> None:
        """Parse what has come, and begin to answer it; a head (or a trailer) that never ends is refused."""
        if self._last_words is not None:
            return
        self._idle_since = None
        self._read_bytes = len(data)
        self._head_bytes += self._read_bytes
        self._silent_bytes += self._read_bytes
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self._refuse(self._fault or INVALID)
        if self._silent_bytes > HEAD_MOST_BYTES:
            self._refuse(OVERLONG)
        self._go_on()
        if self._pipeline or self._waiting_since is not None:
            self._hold_back()

    def _feed(self, data: bytes) -> None:
        """
        Parse; a head that offers another protocol once more as if it did not, which RFC 9110 lets a server ignore.

        Java's client offers HTTP/2 with every first request. The parser takes what follows such a head, the body
        included, for the other protocol.
        """
        while data:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                version = self._parser.get_http_version().encode()
                head = [b"%b %b HTTP/%b\r\n" % (self._parser.get_method(), self._target, version)]
                head += [b"%b: %b\r\n" % header for header in self._headers if header[0] != b"upgrade"]
                self._parser = self._new_parser()
                data = b"".join([*head, b"\r\n", data[upgrade.args[0] :]])
            else:
                return

    def _new_parser(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(self)
        # What follows a request that closes its connection is no fault of that request; nobody will answer it.
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return parser

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._silent_bytes = 0
        self._begun = True
        self._head_bytes = self._read_bytes
        self._waiting_since = self._loop.time()
        self._target = b""
        self._headers = []

    def on_url(self, piece: bytes) -> None:
        """Take a piece of the target."""
        self._target += piece

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a trailer."""
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Take the request up, unless it is refused or has to be parsed once more."""
        method = self._parser.get_method()
        self._upgrading = self._parser.should_upgrade() and method != b"CONNECT"
        if self._upgrading:
            return
        version = self._parser.get_http_version()
        headers = dict(self._headers)
        self._fault = fault_in(version, self._headers, headers) or self._overlong()
        if self._fault is not None:
            raise Refused
        interim = version == "1.1"
        request = Request(
            self._app.service,
            method.decode(),
            self._path(),
            headers,
            Upload(self._want_body, unasked=interim and headers.get(b"expect", b"").lower() == b"100-continue"),
            keep_alive=interim and self._parser.should_keep_alive(),
            interim=interim,
        )
        self._incoming = request
        self._pipeline.append(request)
        # The parser gives trailers as if they were headers. They have passed no proxy's rules for headers.
        self._headers = []

    def on_body(self, piece: bytes) -> None:
        """Pass a piece of the body on; its size is limited by who reads it."""
        self._silent_bytes = 0
        if self._incoming is not None:
            self._incoming.upload.feed(piece)

    def on_message_complete(self) -> None:
        """Note that the client has sent the whole of its request."""
        if self._upgrading or self._incoming is None:
            return
        self._silent_bytes = 0
        self._waiting_since = None
        self._incoming.upload.end()
        if not self.answering:
            # The answer was there before the rest of the body: only now the connection is idle.
            self._idle_since = self._loop.time()

    def _overlong(self) -> Fault | None:
        long = self._head_bytes > HEAD_MOST_BYTES and is_overlong(self._target, self._headers)
        return OVERLONG if long else None

    def _path(self) -> str:
        target = self._target
        if not _PLAIN_PATH.fullmatch(target):
            path = None if b"#" in target else httptools.parse_url(target).path
            if path is None:
                raise Refused
            return unquote(path.decode("ascii"))
        return target.decode()

    def shutdown(self) -> None:
        """Close the connection once it is idle; a request of which a part has come is still answered."""
        if not self.answering and (self._waiting_since is None or not self._begun):
            self.transport.close()

    @property
    def idle_since(self) -> float | None:
        """Since when the server waits for this client, in the loop's time; None while it answers a whole request."""
        return self._waiting_since if self._waiting_since is not None else self._idle_since

    def close_if_slow(self, since: float, idle_since: float) -> None:
        """
        Give up on a client that has not sent the whole of its request, not taken the whole of an answer, or asks no more.

        Parameters
        ----------
        since : float
            The loop's time by which it should have begun what is not done yet.
        idle_since : float
            That by which it should have asked again.
        """
        self._probe()
        if self._idle_since is not None and self._idle_since <= idle_since:
            self.transport.close()
            return
        if not self.transport.get_write_buffer_size():
            self._sending_since = None
        elif self._sending_since is None:
            self._sending_since = self._loop.time()
        elif self._sending_since <= since:
            self.transport.abort()
            return
        if self._waiting_since is None or self._waiting_since > since:
            return
        if self._begun:
            self._refuse(_TIMED_OUT)
        else:
            self.transport.close()

    def _refuse(self, fault: Fault) -> None:
        if not self.transport.is_closing() and self._last_words is None:
            answer = json_answer({"error": fault.message}, fault.status)
            self._end(rendered(answer, new_request_id().encode(), last=True))
