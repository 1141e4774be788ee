"""The REST front-end's end of a connection, without a socket."""

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

import uvicorn
from uvicorn.server import ServerState

from model.rest.protocol import Protocol


class Seen(NamedTuple):
    """The requests that the application had whole, and the statuses that the client got."""

    requests: list[tuple[str, str, list[tuple[bytes, bytes]], bytes]]
    statuses: list[int]


class _Transport:
    """Takes what a server writes."""

    def __init__(self) -> None:
        self.written = b""
        self.closing = False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closing = True

    abort = write_eof = close

    def is_closing(self) -> bool:
        return self.closing

    def can_write_eof(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def pause_reading(self) -> None:
        """Whatever is there already has been read."""

    resume_reading = pause_reading


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


def seen_by_the_application(pieces: Sequence[bytes]) -> Seen:
    """Let pieces come over a connection one after another, and return what became of them."""
    return _loop().run_until_complete(_seen(pieces))


async def _seen(pieces: Sequence[bytes]) -> Seen:
    seen = Seen([], [])

    async def application(scope: Any, receive: Any, send: Any) -> None:
        with suppress(asyncio.CancelledError):  # The client is gone.
            await answer(scope, receive, send)

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        body = b""
        message: dict[str, Any] = {"more_body": True}
        while message.get("more_body"):
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message["body"]
        seen.requests.append((scope["method"], scope["path"], scope["headers"], body))
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})

    state = ServerState()
    options: dict[str, Any] = {
        "ws": "none",
        "loop": "none",
        "interface": "asgi3",
        "lifespan": "off",
        "proxy_headers": False,
    }
    config = uvicorn.Config(application, http=Protocol, log_config=None, access_log=False, **options)
    protocol = Protocol(config, state, {})
    transport = _Transport()
    protocol.connection_made(transport)  # type: ignore[arg-type]  # as much of one as it needs
    for piece in pieces:
        if not transport.closing:
            protocol.data_received(piece)
        await _settled(state)
    if not transport.closing:
        protocol.eof_received()
    await _settled(state)
    protocol.connection_lost(None)
    await _settled(state)
    seen.statuses.extend(int(status) for status in re.findall(rb"HTTP/1\.1 ([2-9]\d\d) ", transport.written))
    return seen


async def _settled(state: ServerState) -> None:
    """Let the application do all it can."""
    for _ in range(4 + 2 * len(state.tasks)):
        await asyncio.sleep(0)
