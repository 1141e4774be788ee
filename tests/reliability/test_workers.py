"""Several processes behind the same two ports: what they share, and what becomes of it when one of them dies."""

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from model.cpus import available_cpus, share
from model.grpc import open_inference_pb2 as pb
from tests.keys import make_key
from tests.protocol.encodings import document, infer_path, message
from tests.protocol.wires import SERVICE, Clients
from tests.reliability.conftest import Gates, Serve, until
from tests.reliability.load import Asked, Asker, OverNewConnections, OverOneConnection
from tests.reliability.parts import CODE_DIR, ask, publish_network_of_flowers, publish_part
from tests.reliability.test_metrics import samples
from tests.servers import ServerProcess

SMALL_BYTES = 60 << 20
"""Of memory, for a process that holds sockets and runs no model."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    publish_network_of_flowers(root)
    return root


@pytest.fixture(scope="module")
def pair(root: Path, serve_all: Serve) -> Clients:
    """Two workers that serve one model; those that a test has ended are replaced."""
    return serve_all("--model_root", root, "--workers", "2")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def pids(clients: Clients) -> set[int]:
    """Return the workers that there are now."""
    return {child.pid for child in psutil.Process(clients.server.process.pid).children()}


def accepted(clients: Clients, port: int) -> dict[int, int]:
    """Return by the clients' own ports which worker has the other end of a connection."""
    return {
        connection.raddr.port: pid
        for pid in pids(clients)
        for connection in psutil.Process(pid).connections("tcp")
        if connection.laddr.port == port and connection.status == psutil.CONN_ESTABLISHED
    }


class Connection:
    """One connection over HTTP, and the worker that has it."""

    def __init__(self, clients: Clients, stack: ExitStack) -> None:
        port = clients.server.http_port
        self._socket = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
        self.own_port: int = self._socket.getsockname()[1]
        assert self.get("/v2/health/live").startswith(b"HTTP/1.1 200")
        self.pid = accepted(clients, port)[self.own_port]

    def get(self, path: str, *headers: str) -> bytes:
        lines = (f"GET {path} HTTP/1.1", "Host: x", *headers, "", "")
        self._socket.sendall("\r\n".join(lines).encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._socket.recv(1 << 16)
        head, _, body = answer.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        while len(body) < length:
            body += self._socket.recv(1 << 20)
        return head + b"\r\n\r\n" + body

    def body(self, path: str) -> bytes:
        return self.get(path).partition(b"\r\n\r\n")[2]


def one_of_each(clients: Clients, stack: ExitStack) -> dict[int, Connection]:
    """Connect until every worker has a connection; return one for each."""
    found: dict[int, Connection] = {}

    def complete() -> bool:
        connection = Connection(clients, stack)
        found.setdefault(connection.pid, connection)
        return set(found) >= pids(clients)

    until(complete, "a connection to each worker")
    return found


def channel(clients: Clients, stack: ExitStack) -> grpc.Channel:
    """Return a channel with a connection of its own."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    return stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{clients.server.grpc_port}", options))


def infer(channel: grpc.Channel) -> None:
    method: Any = channel.unary_unary(
        f"/{SERVICE}/ModelInfer", pb.ModelInferRequest.SerializeToString, pb.ModelInferResponse.FromString
    )
    method(message(ask()), timeout=30)


def answered(clients: Clients) -> float:
    return answered_in(clients.rest.get("/metrics").text)


def answered_in(page: str) -> float:
    """Return how many requests for the model are counted, as a page of metrics says."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == "inference_requests_total" and sample.labels["model"] == "flowers"
    )


def kill(clients: Clients, victim: int) -> None:
    """Kill a worker, and connect anew, for it may have been the one that was connected."""
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in pids(clients), "the worker has ended")
    for old in (clients.rest, clients.channel):
        old.close()
    clients.rest = httpx.Client(base_url=clients.rest.base_url, headers=clients.rest.headers, timeout=30)
    clients.channel = grpc.insecure_channel(f"127.0.0.1:{clients.server.grpc_port}")


def replaced(clients: Clients, leaver: int) -> None:
    """Wait until another worker accepts connections in the stead of one that has ended."""
    until(lambda: leaver not in pids(clients) and len(pids(clients)) == 2, "a new worker is started")
    until(lambda: samples(clients)["server_workers", ""] == 2, "the new worker accepts connections")


def test_the_workers_share_both_ports(pair: Clients, stack: ExitStack) -> None:
    assert set(one_of_each(pair, stack)) == pids(pair)

    def by_grpc() -> set[int]:
        infer(channel(pair, stack))
        return set(accepted(pair, pair.server.grpc_port).values())

    until(lambda: by_grpc() == pids(pair), "both workers have connections over gRPC")
    assert len(pids(pair)) == 2


def test_a_burst_of_connections_is_shared(pair: Clients, stack: ExitStack) -> None:
    port = pair.server.http_port
    burst = [stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30)) for _ in range(40)]
    own = {connection.getsockname()[1] for connection in burst}
    until(lambda: own <= accepted(pair, port).keys(), "all are accepted")
    takers = [pid for client, pid in accepted(pair, port).items() if client in own]
    assert min(takers.count(pid) for pid in pids(pair)) >= 8


def test_the_supervisor_is_small(pair: Clients) -> None:
    assert psutil.Process(pair.server.process.pid).memory_info().rss < SMALL_BYTES


def test_on_any_worker_the_metrics_are_the_sum_and_a_death_takes_nothing_back(pair: Clients, stack: ExitStack) -> None:
    before, restarts = answered(pair), samples(pair)["server_worker_restarts_total", ""]
    connections = one_of_each(pair, stack)
    for number in range(1, 41):
        with httpx.Client(base_url=pair.rest.base_url, timeout=30) as client:
            assert client.post(infer_path("flowers"), json=document(ask())).status_code == 200
        infer(channel(pair, stack))
        if number % 10 == 0:
            assert answered(pair) == before + 2 * number
    count = int(before) + 80
    for connection in connections.values():
        assert answered_in(connection.body("/metrics").decode()) == count
        (counted,) = json.loads(connection.body("/v2/models/flowers/versions/1/stats"))["model_stats"]
        assert counted["inference_stats"]["success"]["count"] == count
    by_grpc = pair.call("ModelStatistics", pb.ModelStatisticsRequest(name="flowers")).model_stats[0]
    assert by_grpc.inference_stats.success.count == by_grpc.inference_count == count

    kill(pair, next(iter(connections)))
    assert answered(pair) == count
    until(lambda: samples(pair)["server_worker_restarts_total", ""] == restarts + 1, "another is started")
    while samples(pair)["server_workers", ""] < 2:
        assert answered(pair) == count
    assert answered(pair) == count


def test_one_is_killed_under_load_and_the_others_have_no_error(pair: Clients, stack: ExitStack) -> None:
    port = pair.server.http_port
    fresh = Asker(OverNewConnections(lambda: port))
    steady = [OverOneConnection(lambda: port) for _ in range(8)]
    over_rest = {connection._connection: Asker(connection) for connection in steady}
    over_grpc = [OverOwnChannel(pair, stack) for _ in range(8)]
    askers = [fresh, *over_rest.values(), *(Asker(way) for way in over_grpc)]
    for asker in askers:
        asker.start()
    until(lambda: all(len(asker.asked) > 10 for asker in askers), "requests before one is killed")
    homes = accepted(pair, port)
    home = {asker: homes[connection.sock.getsockname()[1]] for connection, asker in over_rest.items()}
    victim = next(iter(home.values()))
    by_grpc = accepted(pair, pair.server.grpc_port)
    assert len(by_grpc) >= 8

    killed_at = time.monotonic()
    kill(pair, victim)
    replaced(pair, victim)
    counts = [len(asker.asked) for asker in askers]
    until(lambda: all(len(a.asked) > c + 10 for a, c in zip(askers, counts, strict=True)), "requests afterwards")
    for asker in askers:
        asker.stop()

    # What had connected to the victim, or was just doing so, may fail once; nothing else fails at all.
    assert [asked for asked in fresh.failures() if asked.at > killed_at] == []
    assert [asker.failures() for asker, pid in home.items() if pid != victim] == [[]] * sum(
        pid != victim for pid in home.values()
    )
    assert all(len(asker.failures()) <= 1 for asker in home)
    failed = [asker for asker in askers[1 + len(home) :] if asker.failures()]
    assert len(failed) <= sum(pid == victim for pid in by_grpc.values())
    assert pair.server.wait_for("worker ended", lambda line: line["pid"] == victim)["signal"] == "SIGKILL"


class OverOwnChannel:
    """gRPC, over a channel that shares its connection with no other."""

    def __init__(self, clients: Clients, stack: ExitStack) -> None:
        self._port = clients.server.grpc_port
        self._channel = channel(clients, stack)

    def __call__(self) -> Asked:
        at = time.monotonic()
        try:
            infer(self._channel)
        except grpc.RpcError as error:
            call: Any = error
            return Asked(at, self._port, f"{call.code()}: {call.details()}")
        return Asked(at, self._port, "OK")

    def close(self) -> None:
        """The channel ends with the test."""


def test_the_group_is_ready_when_the_last_of_it_is(
    tmp_path: Path, serve: Serve, gates: Gates, stack: ExitStack
) -> None:
    publish_part(tmp_path / "models", "Second", "heavy")
    args = ("--model_root", tmp_path / "models", "--workers", "2")
    clients = serve(*args, env=gates.variables(), until="listening")
    clients.server.wait_for("loaded")
    until(lambda: gates.reached("load"), "the other worker is loading")
    for connection in one_of_each(clients, stack).values():
        assert connection.get("/v2/health/live").startswith(b"HTTP/1.1 200")
        assert connection.get("/v2/health/ready").startswith(b"HTTP/1.1 503")
        assert connection.get("/v2/models/heavy/ready").startswith(b"HTTP/1.1 503")
    assert not clients.call("ServerReady", pb.ServerReadyRequest()).ready
    assert not clients.server.events("ready")
    gates.open("load")
    clients.server.wait_for("ready")
    for connection in one_of_each(clients, stack).values():
        until(lambda: connection.get("/v2/health/ready").startswith(b"HTTP/1.1 200"), "ready")  # noqa: B023
    assert clients.call("ServerReady", pb.ServerReadyRequest()).ready


def test_a_new_worker_accepts_nothing_before_its_models_are_loaded(
    tmp_path: Path, serve: Serve, gates: Gates, stack: ExitStack
) -> None:
    publish_part(tmp_path / "models", "Second", "heavy")
    gates.open("load")
    clients = serve("--model_root", tmp_path / "models", "--workers", "2", env=gates.variables())
    gates.close("load")
    (victim, *_) = pids(clients)
    kill(clients, victim)
    until(lambda: gates.reached("load"), "the new worker is loading")
    (newcomer,) = pids(clients) - set(clients.server.wait_for("listening")["workers"])
    for _ in range(20):
        assert Connection(clients, stack).pid != newcomer
        infer_heavy = document(ask(0.5, "heavy"))
        assert httpx.post(f"{clients.rest.base_url}{infer_path('heavy')}", json=infer_heavy).status_code == 200
        assert clients.rest.get("/v2/health/ready").status_code == 200
    assert newcomer not in accepted(clients, clients.server.grpc_port).values()
    assert samples(clients)["server_workers", ""] == 1
    gates.open("load")
    until(lambda: samples(clients)["server_workers", ""] == 2, "the new worker accepts connections")
    until(lambda: Connection(clients, stack).pid == newcomer, "the new worker has a connection")


def test_a_new_worker_joins_though_a_model_that_came_later_is_broken(tmp_path: Path, serve: Serve) -> None:
    root = tmp_path / "models"
    publish_network_of_flowers(root)
    clients = serve("--model_root", root, "--workers", "2", "--watch_seconds", "0.2")
    broken = publish_network_of_flowers(root, "broken")
    (broken / "model.onnx").write_bytes(b"")
    victim = next(iter(pids(clients)))
    kill(clients, victim)
    replaced(clients, victim)
    assert clients.rest.get("/v2/health/ready").status_code == 200
    assert clients.rest.get("/v2/models/broken/ready").status_code in {404, 503}


def test_a_new_worker_without_a_model_that_the_others_have_stays_away(tmp_path: Path, serve: Serve) -> None:
    root = tmp_path / "models"
    publish_network_of_flowers(root)
    other = publish_network_of_flowers(root, "other")
    clients = serve("--model_root", root, "--workers", "2")
    network = (other / "model.onnx").read_bytes()
    (other / "model.onnx").write_bytes(b"")
    victim = next(iter(pids(clients)))
    kill(clients, victim)
    reason = "The other workers have models that can't be loaded here: other."
    clients.server.wait_for("worker ended", lambda line: line.get("reason") == reason)
    assert clients.rest.get("/v2/models/other/ready").status_code == 200
    (other / "model.onnx").write_bytes(network)
    replaced(clients, victim)


def test_a_scrape_does_not_wait_for_a_worker_that_hangs(pair: Clients, stack: ExitStack) -> None:
    infer(channel(pair, stack))
    count = answered(pair)
    stuck, other = pids(pair)
    connections = one_of_each(pair, stack)
    os.kill(stuck, signal.SIGSTOP)
    try:
        start = time.monotonic()
        page = connections[other].body("/metrics").decode()
        assert time.monotonic() - start < 5
        assert answered_in(page) == count
        assert connections[other].get("/v2/health/live").startswith(b"HTTP/1.1 200")
    finally:
        os.kill(stuck, signal.SIGCONT)


def test_what_is_loaded_or_unloaded_is_so_in_every_worker(
    tmp_path: Path, root: Path, serve: Serve, stack: ExitStack
) -> None:
    key = make_key(tmp_path / "keys.json", "operator", admin=True)
    args = ("--model_root", root, "--workers", "2", "--enable_repository_api", "--api_key_file", tmp_path / "keys.json")
    clients = serve(*args, key=key)
    header = f"Authorization: Bearer {key}"

    def states() -> set[bytes]:
        connections = one_of_each(clients, stack).values()
        return {connection.get("/v2/models/flowers", header)[9:12] for connection in connections}

    assert states() == {b"200"}
    assert clients.post("/v2/repository/models/flowers/unload", {}).status_code == 200
    assert states() == {b"503"}
    assert clients.post("/v2/repository/models/nobody/unload", {}).status_code == 404
    victim = next(iter(pids(clients)))
    kill(clients, victim)
    replaced(clients, victim)
    assert states() == {b"503"}, "a new worker knows what was unloaded"
    clients.call("RepositoryModelLoad", pb.RepositoryModelLoadRequest(model_name="flowers"))
    assert states() == {b"200"}


def test_one_worker_alone_is_told_to_stop_and_replaced_without_an_error(root: Path, serve: Serve) -> None:
    pair = serve("--model_root", root, "--workers", "2", "--drain_seconds", "1")
    port = pair.server.http_port
    askers = [Asker(OverNewConnections(lambda: port)), *(Asker(OverOneConnection(lambda: port)) for _ in range(4))]
    for asker in askers:
        asker.start()
    until(lambda: all(len(asker.asked) > 10 for asker in askers), "requests before")
    leaver = next(iter(pids(pair)))
    os.kill(leaver, signal.SIGTERM)
    while leaver in pids(pair):
        assert httpx.get(f"{pair.rest.base_url}/v2/health/ready").status_code == 200
    replaced(pair, leaver)
    for asker in askers:
        asker.stop()
    assert [asker.failures() for asker in askers] == [[]] * len(askers)
    assert pair.server.wait_for("worker ended", lambda line: line["pid"] == leaver)["exit_code"] == 0
    assert pair.rest.get("/v2/health/ready").status_code == 200


def gone(workers: set[int]) -> Callable[[], bool]:
    return lambda: not any(psutil.pid_exists(pid) for pid in workers)


def test_workers_leave_when_their_supervisor_is_gone(root: Path, serve: Serve) -> None:
    clients = serve("--model_root", root, "--workers", "2")
    workers = pids(clients)
    clients.server.process.kill()
    try:
        until(gone(workers), "the workers have ended")
    finally:
        for pid in workers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        clients.server.kill()


def test_a_second_signal_ends_the_wait_of_every_worker(root: Path, serve: Serve) -> None:
    clients = serve("--model_root", root, "--workers", "2", "--drain_seconds", "60")
    workers = pids(clients)
    clients.server.terminate()
    until(lambda: clients.rest.get("/v2/health/ready").status_code == 503, "unready")
    answer = clients.post(infer_path("flowers"), document(ask()))
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")
    clients.server.terminate()
    assert clients.server.wait(20) == 0
    assert gone(workers)()


def test_it_stops_while_it_is_being_started(root: Path) -> None:
    server = ServerProcess("--model_root", str(root), "--workers", "2", "--drain_seconds", "60")
    server.wait_for("worker started")
    server.terminate()
    assert server.wait(20) == 0
    assert server.stray == []


@contextmanager
def changed(name: str, value: float, *args: str, env: dict[str, str] | None = None) -> Iterator[ServerProcess]:
    """Start a server whose supervisor has another constant."""
    lines = (
        "import sys",
        "from model import cli",
        "from model.workers import silence",
        f"silence.{name} = {value}",
        "sys.exit(cli.main(sys.argv[1:]))",
    )
    server = ServerProcess(*args, env=env, program=("-c", "\n".join(lines)))
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.kill()


def test_a_worker_whose_event_loop_is_stuck_is_replaced(root: Path) -> None:
    with changed("ALLOWED_SECONDS", 5.0, "--model_root", str(root), "--workers", "2", "--drain_seconds", "0") as server:
        server.wait_for("ready", timeout_seconds=90)
        clients = Clients.of(server)
        stuck = next(iter(pids(clients)))
        os.kill(stuck, signal.SIGSTOP)
        assert server.wait_for("worker is killed")["pid"] == stuck
        replaced(clients, stuck)
        clients.close()
        assert server.stop() == 0


def test_a_worker_that_dies_again_and_again_is_started_less_and_less_often(tmp_path: Path, gates: Gates) -> None:
    publish_part(tmp_path / "models", "Deadly")
    flags = ("--model_root", str(tmp_path / "models"), "--code_dir", str(CODE_DIR), "--workers", "2")
    server = ServerProcess(*flags, env=gates.variables())
    try:
        until(lambda: len(ends(server)) >= 3, "the worker has died three times", 90)
        assert [end["signal"] for end in ends(server)[:3]] == ["SIGKILL"] * 3
        assert [end["restart_in_seconds"] for end in ends(server)[:3]] == [0.25, 0.5, 1.0]
        assert server.stop() == 0
    finally:
        if server.process.poll() is None:
            server.kill()
    assert server.stray == []


def ends(server: ServerProcess) -> list[dict[str, Any]]:
    return [line for line in server.events("worker ended") if line["worker"] == 1]


@pytest.mark.parametrize("flag", ["--http_port", "--grpc_port"])
def test_a_port_that_is_taken_ends_the_group_before_it_begins(root: Path, flag: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = str(listener.getsockname()[1])
        server = ServerProcess("--model_root", str(root), "--workers", "2", flag, taken)
        assert server.wait(60) == 1
    (line,) = server.log
    assert line["event"].endswith(
        f"can't listen on 127.0.0.1:{taken}: address already in use; choose others with {flag} and --host."
    )
    assert server.stray == []


def test_what_keeps_every_worker_from_starting_is_told_once(tmp_path: Path) -> None:
    server = ServerProcess("--model_root", str(tmp_path / "none"), "--workers", "3")
    assert server.wait(60) == 1
    errors = [line["event"] for line in server.log if line["level"] == "error"]
    assert errors == [
        f"The model root {tmp_path / 'none'} is no directory; expected one of <name>/<version>/ directories."
    ]
    assert server.stray == []


@pytest.mark.parametrize(("workers", "threads"), [(1, None), (2, None), (1, 1)])
def test_threads_of_models_and_of_their_libraries_share_the_cpus(
    tmp_path: Path, serve: Serve, workers: int, threads: int | None
) -> None:
    publish_part(tmp_path / "models", "Threads")
    flags = () if threads is None else ("--threads", str(threads))
    inherited = {f"{name}_NUM_THREADS": "" for name in ("OMP", "OPENBLAS", "MKL", "BLIS")}
    clients = serve("--model_root", tmp_path / "models", "--workers", str(workers), *flags, env=inherited)
    wanted = share(workers, threads)
    told = []
    for _ in range(8):
        answer = clients.post(infer_path("gated"), document(ask(1, "gated")))
        told.append(answer.json()["outputs"][0]["data"])
    assert np.array(told).reshape(-1, 2).tolist() == [[wanted.calculation, wanted.calculation]] * 8
    assert wanted.threads * wanted.calculation * workers <= max(available_cpus(), workers)
