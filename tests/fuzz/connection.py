"""The REST front-end's end of a connection, without a socket."""

import asyncio
import re
from collections.abc import Sequence
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple

from model.rest.answer import Answer
from model.rest.protocol import Protocol
from model.rest.request import Request


class Seen(NamedTuple):
    """The requests that the application had whole, and the statuses that the client got."""

    requests: list[tuple[str, str, dict[bytes, bytes], bytes]]
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


class _Application:
    """Reads every body, and answers in two bytes."""

    service: Any = SimpleNamespace(dataplane=None)
    draining = False

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    async def __call__(self, request: Request) -> Answer:
        body = b""
        while not request.upload.ended:
            body += await request.upload.read()
        self._seen.requests.append((request.method, request.path, request.headers, body))
        return Answer(b"{}")


async def _seen(pieces: Sequence[bytes]) -> Seen:
    seen = Seen([], [])
    protocol = Protocol(_Application(seen), set())  # type: ignore[arg-type]  # as much of one as it needs
    transport = _Transport()
    protocol.connection_made(transport)  # type: ignore[arg-type]  # as much of one as it needs
    for piece in pieces:
        if not transport.closing:
            protocol.data_received(piece)
        await _settled()
    if not transport.closing:
        protocol.eof_received()
    await _settled()
    protocol.connection_lost(None)
    await _settled()
    seen.statuses.extend(int(status) for status in re.findall(rb"HTTP/1\.1 ([2-9]\d\d) ", transport.written))
    return seen


async def _settled() -> None:
    """Let the application do all it can."""
    for _ in range(4 + 2 * len(asyncio.all_tasks())):
        await asyncio.sleep(0)
