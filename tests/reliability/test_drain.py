"""A server that is told to stop: unready at once, useful to the last, and gone in time."""

import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from tests.protocol.encodings import document, infer_path, message
from tests.protocol.wires import Clients
from tests.reliability.conftest import Gates, Serve, until
from tests.reliability.load import Asker, OverNewConnections, OverOneChannel, OverOneConnection
from tests.reliability.parts import CODE_DIR, ask, publish_network_of_flowers, publish_part
from tests.servers import ServerProcess

LEARNS_SECONDS = 1.0
"""How long the cluster takes, after it has seen an unready replica, to send requests elsewhere."""
DRAIN_SECONDS = 2.5


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    publish_network_of_flowers(root)
    publish_part(root, "Gated")
    return root


class Cluster:
    """Two replicas, and what decides which of them is asked."""

    def __init__(self, old: Clients, new: Clients) -> None:
        self.old = old
        self.new = new
        self.unready_at: float | None = None

    def port(self) -> int:
        learnt = self.unready_at is not None and time.monotonic() > self.unready_at + LEARNS_SECONDS
        return (self.new if learnt else self.old).server.http_port

    def probe(self) -> None:
        """Ask until the old replica says that it is not ready."""
        until(lambda: self.old.rest.get("/v2/health/ready").status_code == 503, "unready")
        self.unready_at = time.monotonic()


def watch(channel: grpc.Channel) -> Iterator[HealthCheckResponse]:
    stream: Any = channel.unary_stream(
        "/grpc.health.v1.Health/Watch", HealthCheckRequest.SerializeToString, HealthCheckResponse.FromString
    )
    answers: Iterator[HealthCheckResponse] = stream(HealthCheckRequest(), timeout=60)
    return answers


@pytest.mark.parametrize("workers", [1, 2])
def test_a_replica_is_replaced_and_no_request_is_lost(root: Path, serve: Serve, workers: int) -> None:
    flags = ("--model_root", root, "--drain_seconds", str(DRAIN_SECONDS), "--workers", str(workers))
    cluster = Cluster(*(serve(*flags) for _ in range(2)))
    askers = [
        Asker(OverNewConnections(cluster.port)),
        Asker(OverOneConnection(cluster.port)),
        Asker(OverOneChannel(cluster.old.server.grpc_port, cluster.new.server.grpc_port)),
    ]
    health = watch(cluster.old.channel)
    assert next(health).status == HealthCheckResponse.SERVING
    for asker in askers:
        asker.start()
    until(lambda: all(len(asker.asked) > 20 for asker in askers), "requests before the signal")

    signalled_at = time.monotonic()
    cluster.old.server.terminate()
    cluster.probe()
    assert next(health).status == HealthCheckResponse.NOT_SERVING
    assert cluster.unready_at is not None
    assert cluster.unready_at < signalled_at + DRAIN_SECONDS, "unready before the end of the drain"
    assert cluster.old.server.wait(30) == 0
    assert time.monotonic() > signalled_at + DRAIN_SECONDS
    counts = [len(asker.asked) for asker in askers]
    until(lambda: all(len(a.asked) > c + 20 for a, c in zip(askers, counts, strict=True)), "requests afterwards")
    for asker in askers:
        asker.stop()

    assert [asker.failures() for asker in askers] == [[], [], []]
    draining = [
        asked
        for asker in askers[:2]
        for asked in asker.asked
        if asked.port == cluster.old.server.http_port and asked.at > cluster.unready_at
    ]
    assert len(draining) > 20
    assert all(asked.closes for asked in draining)
    before = [asked for asked in askers[1].asked if asked.at < signalled_at - 0.1]
    assert not any(asked.closes for asked in before)


@contextmanager
def behind_the_gate(clients: Clients, gates: Gates) -> Iterator[list[Any]]:
    """Keep a request of each protocol in flight; both are answered at the end."""
    with ThreadPoolExecutor(2) as threads:
        over_rest = threads.submit(clients.post, infer_path("gated"), document(ask(1, "gated")))
        until(lambda: gates.reached("1"), "the request over REST runs")
        over_grpc = threads.submit(clients.call, "ModelInfer", message(ask(2, "gated")))
        until(lambda: in_flight(clients) == 2, "the request over gRPC waits")
        answers: list[Any] = []
        try:
            yield answers
        finally:
            for name in ("1", "2"):
                gates.open(name)
        answers += [over_rest.result(40), over_grpc.result(40)]


def in_flight(clients: Clients) -> int:
    page = clients.rest.get("/metrics").text
    (line,) = [line for line in page.splitlines() if line.startswith("inference_requests_in_flight ")]
    return int(float(line.split()[1]))


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionError:
        return False
    return True


def test_what_is_in_flight_at_the_end_is_finished(root: Path, serve: Serve, gates: Gates) -> None:
    clients = serve("--model_root", root, "--drain_seconds", "0.2", env=gates.variables())
    states: list[Any] = []
    clients.channel.subscribe(states.append)
    with behind_the_gate(clients, gates) as answers:
        until(lambda: grpc.ChannelConnectivity.READY in states, "the channel tells, in a thread of its own")
        clients.server.terminate()
        until(lambda: not listens(clients.server.http_port), "REST accepts no more")
        until(lambda: not listens(clients.server.grpc_port), "gRPC accepts no more")
        until(lambda: states[-1] is grpc.ChannelConnectivity.IDLE, "GOAWAY sends the channel elsewhere")
        assert clients.server.process.poll() is None
    over_rest, over_grpc = answers
    assert over_rest.json()["outputs"][0]["data"] == [1.0]
    assert over_rest.headers["connection"] == "close"
    assert list(over_grpc.outputs[0].contents.fp64_contents) == [2.0]
    assert clients.server.wait(30) == 0
    assert clients.server.events("stopped")


def test_ctrl_c_does_not_wait(root: Path, serve: Serve) -> None:
    clients = serve("--model_root", root, "--drain_seconds", "60")
    clients.server.process.send_signal(signal.SIGINT)
    assert clients.server.wait(20) == 0
    assert clients.server.events("draining")[0]["seconds"] == 0


def test_a_second_signal_ends_the_wait(root: Path, serve: Serve) -> None:
    clients = serve("--model_root", root, "--drain_seconds", "60")
    clients.server.terminate()
    clients.server.wait_for("draining")
    assert clients.rest.get("/v2/health/ready").status_code == 503
    assert clients.rest.get("/v2/models/flowers/ready").json() == {"name": "flowers", "ready": False}
    answer = clients.post(infer_path("flowers"), document(ask()))
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")
    clients.server.terminate()
    assert clients.server.wait(20) == 0


IMPATIENT = """
import sys
from model import cli, server

server.STOP_WITHIN_SECONDS = 3
sys.exit(cli.main(sys.argv[1:]))
"""


@contextmanager
def impatient(root: Path, gates: Gates, until: str) -> Iterator[ServerProcess]:
    """Start a server that takes 3 seconds to stop at most, instead of Kubernetes' 30."""
    server = ServerProcess(
        *("--model_root", str(root), "--code_dir", str(CODE_DIR), "--drain_seconds", "0"),
        env=gates.variables(),
        program=("-c", IMPATIENT),
    )
    try:
        server.wait_for(until, timeout_seconds=90)
        yield server
    finally:
        if server.process.poll() is None:
            server.kill()


def test_a_model_that_never_answers_does_not_hold_the_end_up(root: Path, gates: Gates) -> None:
    with impatient(root, gates, "ready") as server, ThreadPoolExecutor(2) as threads:
        clients = Clients.of(server)
        over_rest = threads.submit(clients.post, infer_path("gated"), document(ask(1, "gated")))
        until(lambda: gates.reached("1"), "the request runs")
        server.terminate()
        assert server.wait(30) == 0
        answer = over_rest.result(10)
        clients.close()
    assert answer.status_code == 503
    assert answer.json() == {"error": "The server stopped before it could answer; try again elsewhere."}
    assert server.events("a model is still busy; it is left")
    assert server.stray == []


def test_a_model_that_never_loads_does_not_hold_the_end_up(tmp_path: Path, gates: Gates) -> None:
    publish_part(tmp_path / "models", "Heavy")
    with impatient(tmp_path / "models", gates, "listening") as server:
        until(lambda: gates.reached("load"), "the model is being loaded")
        server.terminate()
        assert server.wait(30) == 0
    assert server.stray == []
