"""The gRPC front-end's end of a connection, without a socket."""

import asyncio
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

import ngh2

from model.grpc.connection import Connection, Service
from model.grpc.messages import framed
from model.grpc.status import Header
from model.grpc.stream import Method, Stream

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
MOST_MESSAGE: Final = 1000
_DATA, _END_STREAM, _PADDED = 0, 1, 8
_LATER: Final = float("inf")


class Answers(NamedTuple):
    """What a client was answered well, by the stream, and how much was written and held for it in all."""

    good: list[tuple[int, bytes]]
    written: int
    held: int


class _Transport(asyncio.Transport):
    """Counts what a server writes."""

    def __init__(self) -> None:
        super().__init__()
        self.written = 0
        self.closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += len(data)

    def close(self) -> None:
        self.closing = True

    abort = close

    def is_closing(self) -> bool:
        return self.closing


class _Connection(Connection):
    """Notes what it answers well."""

    good: list[tuple[int, bytes]]

    def answer(self, number: int, head: Iterable[Header], content: bytes, trailers: Iterable[Header]) -> None:
        self.good.append((number, content))
        super().answer(number, head, content, trailers)


async def _echo(stream: Stream) -> None:
    stream.answer(await stream.message())


async def _echo_each(stream: Stream) -> None:
    async for message in stream.messages():
        stream.send(message)
    stream.end()


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


def answered(pieces: Sequence[bytes]) -> Answers:
    """Let pieces come over a connection one after another, and return what became of them."""
    return _loop().run_until_complete(_answered(pieces))


async def _answered(pieces: Sequence[bytes]) -> Answers:
    service = Service(
        methods={b"/s/one": Method(_echo), b"/s/each": Method(_echo_each, client_streams=True)},
        max_receive_bytes=MOST_MESSAGE,
        max_send_bytes=MOST_MESSAGE,
    )
    transport = _Transport()
    connection = _Connection(service)
    connection.good = []
    connection.connection_made(transport)
    held = 0
    for piece in pieces:
        if not transport.closing:
            connection.data_received(piece)
            held = max(held, service.held_bytes, connection.unread())
        await _settled()
    connection.close_if_slow(greeted_by=_LATER, sent_by=_LATER)
    await _settled()
    connection.close()
    connection.connection_lost(None)
    await _settled()
    return Answers(connection.good, transport.written, held + service.held_bytes * 1_000_000)


async def _settled() -> None:
    for _ in range(4 + 2 * len(asyncio.all_tasks())):
        await asyncio.sleep(0)


def whole_calls(data: bytes) -> dict[int, bytes]:
    """Return what the client has sent in each stream that it has ended, read by nothing but the frames' heads."""
    sent: dict[int, bytes] = {}
    ended: dict[int, bytes] = {}
    rest = data.removeprefix(PREFACE)
    while len(rest) >= 9:
        size, kind, flags = int.from_bytes(rest[:3]), rest[3], rest[4]
        stream = int.from_bytes(rest[5:9]) & 0x7FFF_FFFF
        content, rest = rest[9 : 9 + size], rest[9 + size :]
        if len(content) < size:
            break
        if kind == _DATA:
            if flags & _PADDED and content:
                content = content[1 : len(content) - content[0]]
            sent[stream] = sent.get(stream, b"") + content
        if kind == _DATA and flags & _END_STREAM:
            ended.setdefault(stream, sent[stream])
    return ended


def conversations() -> list[bytes]:
    """Return what clients send that keep to the protocol."""
    return [
        _said(b"/s/one", [framed(b"hello")]),
        _said(b"/s/one", [framed(b"hello")[:3], framed(b"hello")[3:]]),
        _said(b"/s/one", [framed(b"one"), framed(b"two")]),
        _said(b"/s/one", [framed(bytes(MOST_MESSAGE + 1))]),
        _said(b"/s/each", [framed(b"one"), framed(b"two") + framed(b"three")]),
        _said(b"/s/none", [framed(b"hello")]),
        _said(b"/s/one", [framed(b"hello")], timeout=b"10m", reset=True),
    ]


def _said(path: bytes, pieces: Sequence[bytes], *, timeout: bytes = b"1S", reset: bool = False) -> bytes:
    client = ngh2.Connection(ngh2.Role.CLIENT)
    client.initiate_connection()
    said = client.data_to_send()
    number = 0
    for _ in range(2):
        headers: dict[bytes, Any] = {b":method": b"POST", b":scheme": b"http", b":authority": b"x", b":path": path}
        headers |= {b"content-type": b"application/grpc", b"te": b"trailers", b"grpc-timeout": timeout}
        number = client.send_request([*headers.items()])
        for piece in pieces:
            client.send_data(number, piece)
            said += client.data_to_send()
        client.end_stream(number)
        client.ping()
        said += client.data_to_send()
    if reset:
        client.reset_stream(number)
    return said + client.data_to_send()
