"""HTTP/1.1 as it goes over the socket, for what no client library lets its user send."""

import json
import select
import socket
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.clients.asked import BIRDS, rows

PREDICT = f"/predict/{BIRDS}"
BODY = json.dumps(rows()).encode()


class Reply(NamedTuple):
    """
    One answer.

    Parameters
    ----------
    status : int
    headers : dict
        Names in lower case.
    body : bytes
    """

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """
    A connection to a port of 127.0.0.1.

    Parameters
    ----------
    port : int
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._socket.close()

    def send(self, *pieces: bytes) -> None:
        """Send pieces, each in a packet of its own."""
        for piece in pieces:
            self._socket.sendall(piece)

    def reply(self, *, to_head: bool = False) -> Reply:
        """Read an answer; one to HEAD has no body."""
        status = int(self._line().split(b" ")[1])
        headers = {}
        while line := self._line():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        length = 0 if to_head else int(headers.get("content-length", 0))
        return Reply(status, headers, self._file.read(length))

    def is_readable(self) -> bool:
        """Tell whether the server has sent something that was not read yet."""
        return bool(select.select([self._socket], [], [], 0)[0])

    def is_closed(self) -> bool:
        """Wait for the server to close the connection; what it still sends counts as not closed."""
        return self._file.read(1) == b""

    def _line(self) -> bytes:
        line = self._file.readline()
        assert line.endswith(b"\r\n"), f"the connection ended with {line!r}"
        return line[:-2]


def head(target: str = PREDICT, *headers: str, method: str = "POST", version: str = "1.1") -> bytes:
    """Return a request line and headers."""
    lines = [f"{method} {target} HTTP/{version}", "Host: 127.0.0.1", *headers, "", ""]
    return "\r\n".join(lines).encode()


def request(target: str = PREDICT, *headers: str, body: bytes = BODY, method: str = "POST") -> bytes:
    """Return a whole request, its body counted."""
    return head(target, f"Content-Length: {len(body)}", *headers, method=method) + body


def chunk(data: bytes, extension: str = "") -> bytes:
    """Return a piece of a body of unknown length; an empty one ends it."""
    return f"{len(data):x}{extension}\r\n".encode() + data + b"\r\n"
