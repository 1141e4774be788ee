"""Bodies that are too large cost the server no memory, however they come."""

import select
import socket
import threading
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psutil
import pytest

from tests.protocol.encodings import document, infer_path
from tests.protocol.wires import Clients
from tests.reliability.conftest import Serve
from tests.reliability.parts import ask, publish_flowers

MEBIBYTE = 1 << 20
MOST_GROWTH = 50 * MEBIBYTE
BODY = 1024 * MEBIBYTE


@pytest.fixture(scope="module")
def clients(serve_all: Serve, tmp_path_factory: pytest.TempPathFactory) -> Clients:
    """A server with the limits that it has by default, which has answered before."""
    root = tmp_path_factory.mktemp("models")
    publish_flowers(root)
    clients = serve_all("--model_root", root)
    for _ in range(20):
        assert clients.post(infer_path("flowers"), document(ask())).status_code == 200
    return clients


class Memory(threading.Thread):
    """Watches how much memory a server holds."""

    def __init__(self, clients: Clients) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process(clients.server.process.pid)
        self._enough = threading.Event()
        self._before = self._most = self._process.memory_info().rss

    def run(self) -> None:
        while not self._enough.wait(0.001):
            self._most = max(self._most, self._process.memory_info().rss)

    def growth(self) -> int:
        """Return by how many bytes it grew at the most."""
        self._enough.set()
        self.join()
        return self._most - self._before


@contextmanager
def flat(clients: Clients) -> Iterator[None]:
    memory = Memory(clients)
    memory.start()
    try:
        yield
    finally:
        growth = memory.growth()
    assert growth < MOST_GROWTH


def received(connection: socket.socket) -> bytes:
    """Return an answer of JSON, whole."""
    answer = b""
    while not answer.endswith(b"}"):
        part = connection.recv(65536)
        assert part, answer
        answer += part
    return answer


def send_until_answered(clients: Clients, head: bytes, chunk: bytes) -> bytes:
    """Send a body of a gibibyte until the server answers, and return what it says."""
    with closing(socket.create_connection(("127.0.0.1", clients.server.http_port), timeout=30)) as connection:
        connection.sendall(b"POST %b HTTP/1.1\r\nHost: x\r\n%b\r\n" % (infer_path("flowers").encode(), head))
        for _ in range(BODY // len(chunk)):
            if select.select([connection], [], [], 0)[0]:
                return received(connection)
            connection.sendall(chunk)
    raise AssertionError("the server has taken all of it")


@pytest.mark.parametrize(
    ("head", "chunk"),
    [
        (b"Content-Length: %d\r\n" % BODY, bytes(MEBIBYTE)),
        (b"Transfer-Encoding: chunked\r\n", b"%x\r\n%b\r\n" % (MEBIBYTE, bytes(MEBIBYTE))),
    ],
    ids=["declared", "chunked"],
)
def test_a_body_without_end_is_refused_before_it_is_held(clients: Clients, head: bytes, chunk: bytes) -> None:
    with flat(clients):
        answer = send_until_answered(clients, head, chunk)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"so send fewer rows at once." in answer


def deflated(size: int) -> bytes:
    stream = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return b"".join([*(stream.compress(bytes(MEBIBYTE)) for _ in range(size // MEBIBYTE)), stream.flush()])


def test_a_small_body_that_inflates_to_a_gibibyte_is_refused_before_it_is_held(clients: Clients) -> None:
    bomb = deflated(BODY)
    assert len(bomb) < 1.1 * MEBIBYTE
    with flat(clients):
        for _ in range(3):
            answer = clients.post(infer_path("flowers"), bomb, Content_Encoding="gzip")
            assert answer.status_code == 413
            assert "more once decompressed" in answer.json()["error"]
    assert clients.post(infer_path("flowers"), document(ask())).status_code == 200
