"""What speaks gRPC badly, or not at all, to the gRPC port: it is refused or dropped, and others are answered."""

import os
import socket
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any, Final

import grpc
import psutil
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import ProtocolError

from model.grpc import open_inference_pb2 as pb
from tests.protocol.encodings import message
from tests.protocol.wires import SERVICE, Clients
from tests.reliability.conftest import Serve, until
from tests.reliability.parts import ask, publish_flowers
from tests.reliability.test_memory import MEBIBYTE, flat
from tests.scale import scaled

LIMIT = 8
"""Requests in flight; twice as many streams may be open on a connection."""
MESSAGE_BYTES = 8 * MEBIBYTE
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS: Final = b"\0\0\0\x04\0\0\0\0\0"


@pytest.fixture(scope="module")
def clients(serve_all: Serve, tmp_path_factory: pytest.TempPathFactory) -> Clients:
    root = tmp_path_factory.mktemp("models")
    publish_flowers(root)
    return serve_all("--model_root", root, "--max_in_flight", LIMIT)


@pytest.fixture(autouse=True)
def _others_are_answered(clients: Clients) -> Iterator[None]:
    """See that the server answers before and after, and gives back what it opened."""
    assert clients.call("ModelInfer", message(ask())).model_name == "flowers"
    process = psutil.Process(clients.server.process.pid)
    before = process.num_fds()
    yield
    assert clients.call("ModelInfer", message(ask())).model_name == "flowers"
    # gRPC opens a few files of its own when it first needs them.
    until(lambda: process.num_fds() <= before + 2, "the connections are closed")
    assert [line for line in clients.server.log if line["level"] == "error"] == []


class Peer:
    """HTTP/2 by hand, over one connection."""

    def __init__(self, clients: Clients) -> None:
        self._socket = socket.create_connection(("127.0.0.1", clients.server.grpc_port), timeout=30)
        self.h2 = H2Connection(H2Configuration(header_encoding="utf-8", validate_outbound_headers=False))
        self.h2.initiate_connection()
        self.events: list[Event] = []
        self.flush()
        self.until(lambda: self.h2.remote_settings.max_concurrent_streams < 2**31)

    def flush(self) -> None:
        try:
            self._socket.sendall(self.h2.data_to_send())
        except ConnectionError:  # What the server said before it hung up may still be read.
            self.events.append(ConnectionTerminated())

    def until(self, condition: Callable[[], object]) -> None:
        """Read until something has come about, or the server has hung up."""
        while not condition():
            try:
                data = self._socket.recv(65_536)
                for event in self.h2.receive_data(data):
                    self.events.append(event)
                    if isinstance(event, DataReceived):
                        self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                self.flush()
            except ConnectionError:
                data = b""
            if not data:
                self.events.append(ConnectionTerminated())
                return

    def begin(self, method: str = "ModelInfer", *more: tuple[str, str]) -> int:
        stream = self.h2.get_next_available_stream_id()
        headers = [(":method", "POST"), (":scheme", "http"), (":path", f"/{SERVICE}/{method}"), (":authority", "x")]
        self.h2.send_headers(stream, [*headers, ("te", "trailers"), ("content-type", "application/grpc"), *more])
        return stream

    def send(self, stream: int, content: bytes) -> None:
        """Send as much of a message as the server lets go through, until it ends the stream."""
        while content and not self.status(stream):
            size = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(content))
            if size == 0:
                self.until(lambda: self.h2.local_flow_control_window(stream) or self.status(stream))
                continue
            self.h2.send_data(stream, content[:size])
            content = content[size:]
            self.flush()
        if not self.status(stream):
            self.h2.end_stream(stream)
            self.flush()

    def status(self, stream: int) -> str:
        """Return how a stream ended: gRPC's status, or ``reset``; empty as long as it has not."""
        for event in self.events:
            if isinstance(event, ConnectionTerminated):
                return "closed"
            if getattr(event, "stream_id", None) != stream:
                continue
            if isinstance(event, StreamReset):
                return "reset"
            if isinstance(event, ResponseReceived | TrailersReceived):
                status = {str(name): str(value) for name, value in event.headers or []}.get("grpc-status")
                if status is not None:
                    return status
        return ""

    def ended(self, stream: int) -> str:
        self.until(lambda: self.status(stream))
        return self.status(stream)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def peer(clients: Clients) -> Iterator[Peer]:
    with closing(Peer(clients)) as peer:
        yield peer


def framed(content: bytes, *, compressed: bool = False, size: int | None = None) -> bytes:
    return struct.pack(">BI", compressed, len(content) if size is None else size) + content


OK, INVALID, EXHAUSTED, UNIMPLEMENTED = "0", "3", "8", "12"


def test_the_peer_of_these_tests_speaks_grpc(peer: Peer) -> None:
    stream = peer.begin()
    peer.send(stream, framed(message(ask()).SerializeToString()))
    assert peer.ended(stream) == OK


@pytest.mark.parametrize("size", [MESSAGE_BYTES + 1, 2**31, 2**32 - 1])
def test_a_message_that_declares_too_much_is_refused_before_it_has_come(
    clients: Clients, peer: Peer, size: int
) -> None:
    with flat(clients):
        stream = peer.begin()
        peer.h2.send_data(stream, framed(bytes(1000), size=size))
        peer.flush()
        assert peer.ended(stream) == EXHAUSTED


def test_a_small_message_that_inflates_to_a_gibibyte_is_refused_before_it_is_held(clients: Clients, peer: Peer) -> None:
    stream = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    bomb = b"".join([*(stream.compress(bytes(MEBIBYTE)) for _ in range(1024)), stream.flush()])
    assert len(bomb) < 1.1 * MEBIBYTE
    with flat(clients):
        for _ in range(3):
            call = peer.begin("ModelInfer", ("grpc-encoding", "gzip"))
            peer.send(call, framed(bomb, compressed=True))
            assert peer.ended(call) == EXHAUSTED


def test_no_more_streams_are_open_than_the_limit_says(clients: Clients, peer: Peer) -> None:
    assert peer.h2.remote_settings.max_concurrent_streams == 2 * LIMIT
    # h2 keeps the limit by itself, unless it has not heard of it.
    peer.h2.remote_settings._settings[3].clear()
    peer.h2.remote_settings._settings[3].append(10**6)
    streams = [peer.begin() for _ in range(100)]
    peer.flush()
    peer.until(lambda: sum(peer.status(stream) in {"reset", "closed"} for stream in streams) >= 100 - 2 * LIMIT)
    assert clients.call("ServerLive", pb.ServerLiveRequest(), timeout=5).live


def test_streams_that_are_reset_at_once_cost_nothing_that_lasts(clients: Clients, peer: Peer) -> None:
    content = framed(message(ask()).SerializeToString())
    with flat(clients), suppress(OSError, ProtocolError):
        for _ in range(scaled(2000, 50_000)):
            stream = peer.begin()
            peer.h2.send_data(stream, content)
            peer.h2.reset_stream(stream)
            peer.flush()
    assert clients.call("ModelInfer", message(ask()), timeout=5).model_name == "flowers"


@pytest.mark.parametrize(
    ("method", "headers", "content", "status"),
    [
        ("Nothing", [], framed(b""), UNIMPLEMENTED),
        ("ModelInfer", [], framed(b"\xff\xff"), INVALID),
        ("ModelInfer", [("grpc-encoding", "gzip")], framed(b"no gzip", compressed=True), INVALID),
        ("ModelInfer", [("grpc-encoding", "nonsense")], framed(b"", compressed=True), UNIMPLEMENTED),
        ("ModelInfer", [("x-filler", "x" * 100_000)], framed(b""), EXHAUSTED),
    ],
    ids=["method", "message", "stream", "encoding", "headers"],
)
def test_a_call_that_is_wrong_ends_with_a_status(
    peer: Peer, method: str, headers: list[tuple[str, str]], content: bytes, status: str
) -> None:
    stream = peer.begin(method, *headers)
    peer.send(stream, content)
    assert peer.ended(stream) in {status, "reset", "closed"}


def frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    return len(content).to_bytes(3) + bytes([kind, flags]) + struct.pack(">I", stream) + content


NO_GRPC = {
    "HTTP/1.1": b"POST /v2/models/flowers/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "words": b"hello\r\n\r\n",
    "noise": os.urandom(10_000),
    "zeros": bytes(10_000),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(505),
    "half a preface": PREFACE[:10] + b"no, HTTP/1.1\r\n\r\n",
    "settings that are none": PREFACE + frame(4, 0, 0, b"\0"),
    "a frame over its size": PREFACE + SETTINGS + b"\xff\xff\xff" + bytes(6) + bytes(100_000),
    "data before headers": PREFACE + SETTINGS + frame(0, 1, 1, b"x"),
    "headers that are none": PREFACE + SETTINGS + frame(1, 5, 1, b"\xff" * 50),
    "a stream of an even number": PREFACE + SETTINGS + frame(1, 5, 2, b"\x82"),
    "a continuation of nothing": PREFACE + SETTINGS + frame(9, 4, 1, b"\x82"),
    "continuations without end": PREFACE + SETTINGS + frame(1, 1, 1, b"\x82") + frame(9, 0, 1, b"\x82" * 100) * 5000,
    "a window over its size": PREFACE + SETTINGS + frame(8, 0, 0, b"\x7f\xff\xff\xff") * 2,
    "pings without end": PREFACE + SETTINGS + frame(6, 0, 0, bytes(8)) * 20_000,
    "settings without end": PREFACE + SETTINGS * 20_000,
}


@pytest.mark.parametrize("content", NO_GRPC.values(), ids=NO_GRPC)
def test_what_is_no_grpc_is_dropped(clients: Clients, content: bytes) -> None:
    with flat(clients), closing(socket.create_connection(("127.0.0.1", clients.server.grpc_port))) as connection:
        connection.settimeout(30)
        with suppress(OSError):  # It has hung up before it was told all.
            connection.sendall(content)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65_536):
                pass


def test_grpc_to_the_rest_port_is_refused(clients: Clients) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{clients.server.http_port}") as channel:
        infer: Any = channel.unary_unary(f"/{SERVICE}/ModelInfer", pb.ModelInferRequest.SerializeToString)
        with pytest.raises(grpc.RpcError) as failure:
            infer(message(ask()), timeout=20)
    assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
