"""Clients that leave, wholly or by half, and clients that wait too long: what nobody waits for is not run."""

import re
import socket
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import grpc
import httpx
import psutil
import pytest

from model.grpc import open_inference_pb2 as pb
from tests.protocol.encodings import document, infer_path, message
from tests.protocol.wires import SERVICE, Clients
from tests.reliability.conftest import Gates, Serve, until
from tests.reliability.parts import ask, publish_network_of_flowers, publish_part
from tests.reliability.swarm import rest_bytes

LEAVERS = 20
FIRST, LAST = 1, 999


@pytest.fixture
def clients(serve: Serve, gates: Gates, tmp_path: Any) -> Clients:
    """A server whose model stands at its first gate, and would pass all others."""
    publish_part(tmp_path / "models", "Gated")
    publish_network_of_flowers(tmp_path / "models")
    clients = serve("--model_root", tmp_path / "models", env=gates.variables())
    for name in (*range(FIRST + 1, FIRST + 1 + LEAVERS), LAST):
        gates.open(str(name))
    return clients


@pytest.fixture
def occupied(clients: Clients, gates: Gates) -> Any:
    """Keep the model busy until the first gate is opened."""
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(post, clients, FIRST)
        until(lambda: gates.reached(str(FIRST)), "the model is busy")
        yield first
        gates.open(str(FIRST))
        assert first.result(30).status_code == 200


def post(clients: Clients, value: float, **parameters: Any) -> httpx.Response:
    return clients.post(infer_path("gated"), document(ask(value, "gated", parameters=parameters)))


def connected(clients: Clients) -> socket.socket:
    return socket.create_connection(("127.0.0.1", clients.server.http_port), timeout=30)


def in_flight(clients: Clients) -> int:
    return int(float(metric(clients, "inference_requests_in_flight")))


def metric(clients: Clients, name: str) -> str:
    page = clients.rest.get("/metrics").text
    (value,) = re.findall(rf"^{name} (\S+)$", page, re.MULTILINE)
    return str(value)


def passed_by(clients: Clients, gates: Gates) -> list[int]:
    """Let the model go on; once one behind all others has passed, tell which of them have."""
    gates.open(str(FIRST))
    assert post(clients, LAST).status_code == 200
    return [name for name in range(FIRST + 1, FIRST + 1 + LEAVERS) if gates.reached(str(name))]


@pytest.mark.parametrize("how", ["closed", "reset"])
def test_the_work_of_rest_clients_that_left_is_not_run(clients: Clients, gates: Gates, occupied: Any, how: str) -> None:
    sockets = [connected(clients) for _ in range(LEAVERS)]
    for turn, connection in enumerate(sockets):
        connection.sendall(rest_bytes(ask(FIRST + 1 + turn, "gated")))
    until(lambda: in_flight(clients) == LEAVERS + 1, "all wait")
    for connection in sockets:
        if how == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    until(lambda: in_flight(clients) == 1, "the server knows that they have left")
    assert passed_by(clients, gates) == []


def test_the_work_of_grpc_clients_that_left_is_not_run(clients: Clients, gates: Gates, occupied: Any) -> None:
    infer: Any = clients.channel.unary_unary(f"/{SERVICE}/ModelInfer")
    calls = [
        infer.future(message(ask(FIRST + 1 + turn, "gated")).SerializeToString(), timeout=60) for turn in range(LEAVERS)
    ]
    until(lambda: in_flight(clients) == LEAVERS + 1, "all wait")
    for call in calls:
        call.cancel()
    until(lambda: in_flight(clients) == 1, "the server knows that they have left")
    assert passed_by(clients, gates) == []


def test_work_that_is_late_is_not_run(clients: Clients, gates: Gates, occupied: Any) -> None:
    infer: Any = clients.channel.unary_unary(f"/{SERVICE}/ModelInfer", pb.ModelInferRequest.SerializeToString)
    with ThreadPoolExecutor(LEAVERS) as threads:
        values = list(range(FIRST + 1, FIRST + 1 + LEAVERS))
        answers = [threads.submit(post, clients, value, timeout=300_000) for value in values[::2]]
        calls = [infer.future(message(ask(value, "gated")), timeout=0.3) for value in values[1::2]]
        assert {answer.result(30).status_code for answer in answers} == {504}
    assert {call.exception(30).code() for call in calls} == {grpc.StatusCode.DEADLINE_EXCEEDED}
    until(lambda: in_flight(clients) == 1, "nobody waits any more")
    assert passed_by(clients, gates) == []


def test_who_has_only_closed_its_own_side_is_answered(clients: Clients, gates: Gates, occupied: Any) -> None:
    with closing(connected(clients)) as connection:
        connection.sendall(rest_bytes(ask(LAST, "gated")) * 2)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        # The server asks whether anybody is there, at once and later on; this one is.
        while received.count(b"100 Continue") < 2:
            received += connection.recv(65_536)
        gates.open(str(FIRST))
        received += b"".join(iter(lambda: connection.recv(65_536), b""))
    assert received.count(b"HTTP/1.1 200 ") == 2


def test_who_closes_its_side_before_the_body_has_come_is_dropped(clients: Clients) -> None:
    for content in (rest_bytes(ask())[:-1], b"GET /v2/health/li", b"POST /predict HTTP/1.1\r\nHost: x\r\n"):
        with closing(connected(clients)) as connection:
            connection.sendall(content)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(65_536) == b""


def test_clients_that_break_off_leave_nothing_behind(clients: Clients) -> None:
    process = psutil.Process(clients.server.process.pid)
    whole = rest_bytes(ask())
    clients.post(infer_path("flowers"), document(ask()))
    before = process.num_fds()
    for turn in range(100):
        with closing(connected(clients)) as connection:
            connection.sendall(whole[: 1 + turn * len(whole) // 100] if turn % 2 else whole * 20)
            if turn % 4 < 2:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    until(lambda: process.num_fds() <= before, "every connection is closed")
    assert clients.post(infer_path("flowers"), document(ask())).status_code == 200
    assert in_flight(clients) == 0
    assert [line for line in clients.server.log if line["level"] == "error"] == []


def test_a_refusal_at_the_limit_does_not_wait_for_the_body(serve: Serve, gates: Gates, tmp_path: Any) -> None:
    publish_part(tmp_path / "models", "Gated")
    clients = serve("--model_root", tmp_path / "models", "--max_in_flight", 1, env=gates.variables())
    first = threading.Thread(target=post, args=(clients, FIRST))
    first.start()
    until(lambda: gates.reached(str(FIRST)), "the model is busy")
    head = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 30000000\r\n" % infer_path("gated").encode()
    for content in (head + b"\r\n{", head + b"Expect: 100-continue\r\n\r\n"):
        with closing(connected(clients)) as connection:
            connection.sendall(content)
            assert connection.recv(65_536).startswith(b"HTTP/1.1 429 ")
    gates.open(str(FIRST))
    first.join(30)
    assert post(clients, 0.5).status_code == 200
