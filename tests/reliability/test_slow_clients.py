"""Clients that take their time to speak or to listen, and clients by the hundred: nobody else notices."""

import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.protocol.encodings import Ask, Sent, binary, document, infer_path
from tests.protocol.wires import Clients
from tests.reliability.conftest import Serve, until
from tests.reliability.parts import ask, publish_flowers
from tests.reliability.swarm import quantile, rest_bytes
from tests.scale import scaled

SLOW = 100
CLIENT_SECONDS = scaled(3, 20)
ASKED = scaled(200, 2000)
ROWS = 200_000
LIMITED = "import resource, runpy; resource.setrlimit(resource.RLIMIT_NOFILE, (160, 160)); runpy.run_module('model', run_name='__main__')"


@pytest.fixture(scope="module")
def clients(serve_all: Serve, tmp_path_factory: pytest.TempPathFactory) -> Clients:
    root = tmp_path_factory.mktemp("models")
    publish_flowers(root)
    return serve_all("--model_root", root, "--client_timeout_seconds", CLIENT_SECONDS, "--max_rows", ROWS)


def connected(clients: Clients, receive_bytes: int | None = None) -> socket.socket:
    connection = socket.socket()
    if receive_bytes is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.settimeout(30)
    connection.connect(("127.0.0.1", clients.server.http_port))
    return connection


class Drip(threading.Thread):
    """Sends a byte of each content over a connection of its own, ten times a second, until the server hangs up."""

    def __init__(self, clients: Clients, contents: list[bytes]) -> None:
        super().__init__(daemon=True)
        self._streams = {connected(clients): iter(content) for content in contents}
        self.began = time.monotonic()
        self.ended = 0.0
        self.received: list[bytes] = []

    def run(self) -> None:
        while self._streams:
            for connection in select.select(list(self._streams), [], [], 0)[0]:
                self.received.append(_received(connection))
                del self._streams[connection]
                connection.close()
            for connection, content in self._streams.items():
                byte = next(content, None)
                if byte is not None:
                    _send(connection, bytes([byte]))
            time.sleep(0.1)
        self.ended = time.monotonic()


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65_536)
    except ConnectionError:
        return b""


def _send(connection: socket.socket, content: bytes) -> None:
    try:
        connection.sendall(content)
    except ConnectionError:
        return


def seconds_each(clients: Clients) -> list[float]:
    seconds = []
    for _ in range(ASKED):
        begin = time.monotonic()
        assert clients.post(infer_path("flowers"), document(ask())).status_code == 200
        seconds.append(time.monotonic() - begin)
    return seconds


@contextmanager
def files_as_before(clients: Clients) -> Iterator[psutil.Process]:
    """See that the server ends with as many open files as it began with."""
    clients.post(infer_path("flowers"), document(ask()))
    process = psutil.Process(clients.server.process.pid)
    before = process.num_fds()
    yield process
    until(lambda: process.num_fds() <= before, f"the server has {process.num_fds()} open files, no more than {before}")


def test_a_hundred_clients_that_speak_slowly_are_not_noticed_and_dropped(clients: Clients) -> None:
    whole = rest_bytes(ask())
    head, _, body = whole.partition(b"\r\n\r\n")
    endless = head.replace(b"Content-Length: ", b"Content-Length: 9") + b"\r\n\r\n" + body
    chunk = b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1;ext\r\n{\r\n" * 1000
    with files_as_before(clients):
        alone = quantile(seconds_each(clients), 0.99)
        drip = Drip(
            clients,
            [head.replace(b"Host", b"X: %b\r\nHost" % bytes(1000).replace(b"\0", b"x")), endless, chunk] * (SLOW // 3)
            + [b""],
        )
        drip.start()
        with ExitStack() as stack:
            for _ in range(SLOW):  # the body byte by byte, behind a head that came at once
                connection = stack.enter_context(closing(connected(clients)))
                connection.sendall(endless[: len(head) + 10])
            beside = quantile(seconds_each(clients), 0.99)
        drip.join(CLIENT_SECONDS * 10)
        assert not drip.is_alive()
    assert beside < 5 * alone + scaled(0.25, 0.01)
    # Bytes that still come do not put it off.
    assert drip.ended - drip.began < CLIENT_SECONDS * 2 + 10
    assert {answer[:13] for answer in drip.received} <= {b"HTTP/1.1 408 ", b""}
    assert sum(answer.startswith(b"HTTP/1.1 408 ") for answer in drip.received) > SLOW // 2


def test_clients_that_do_not_take_their_answer_are_dropped(clients: Clients) -> None:
    values = tuple([0.25] * (2 * ROWS))
    content, headers = binary(Ask("flowers", (Sent("x", "FP64", (ROWS, 2), values),), outputs=("predict_proba",)))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"POST {infer_path('flowers')} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n{lines}\r\n"
    with files_as_before(clients) as process, ExitStack() as stack:
        before = process.num_fds()
        readers = [stack.enter_context(closing(connected(clients, 4096))) for _ in range(4)]
        for reader in readers:
            reader.sendall(head.encode() + content)
            assert reader.recv(13) == b"HTTP/1.1 200 "
        assert process.num_fds() >= before + len(readers)
        assert clients.post(infer_path("flowers"), document(ask())).status_code == 200
        begin = time.monotonic()
        while process.num_fds() > before:
            assert time.monotonic() - begin < 2 * CLIENT_SECONDS + 20
            for reader in readers:
                _received_byte(reader)
            time.sleep(0.1)


def _received_byte(connection: socket.socket) -> None:
    try:
        connection.recv(1)
    except ConnectionError:
        return


@pytest.fixture
def limited(serve: Serve, tmp_path: Any) -> Clients:
    """A server that may open 160 files."""
    publish_flowers(tmp_path)
    return serve("--model_root", tmp_path, program=("-c", LIMITED))


def asked_anew(clients: Clients) -> bytes:
    """Ask over a new connection."""
    with closing(connected(clients)) as connection:
        connection.sendall(rest_bytes(ask()))
        return connection.recv(65_536)


def test_more_connections_than_the_limit_take_the_place_of_those_that_idle(limited: Clients) -> None:
    with files_as_before(limited) as process, ExitStack() as stack:
        for _ in range(scaled(500, 5000)):
            connection = stack.enter_context(closing(connected(limited)))
            connection.sendall(b"GET /v2")
            assert process.num_fds() < 160
        for _ in range(20):
            assert asked_anew(limited).startswith(b"HTTP/1.1 200 ")


def test_a_server_without_a_file_to_spare_waits_for_one(limited: Clients) -> None:
    """No file is left, so that neither REST nor gRPC can accept a connection."""
    process = psutil.Process(limited.server.process.pid)
    assert limited.post(infer_path("flowers"), document(ask())).status_code == 200
    taken = {int(file.name) for file in Path(f"/proc/{process.pid}/fd").iterdir()}
    limits = process.rlimit(psutil.RLIMIT_NOFILE)
    process.rlimit(psutil.RLIMIT_NOFILE, (next(free for free in count() if free not in taken), limits[1]))
    try:
        with closing(connected(limited)) as late:
            late.sendall(rest_bytes(ask()))
            used = process.cpu_times()
            begin = time.monotonic()
            # Who is connected already is still answered.
            while time.monotonic() - begin < 2:
                assert limited.post(infer_path("flowers"), document(ask())).status_code == 200
                time.sleep(0.1)
            after = process.cpu_times()
            assert after.user + after.system - used.user - used.system < 1.5
    finally:
        process.rlimit(psutil.RLIMIT_NOFILE, limits)
    until(lambda: asked_anew(limited).startswith(b"HTTP/1.1 200 "), "a new connection is answered")
