"""From the start of the process to its first answer: what listens, what waits, and what is refused."""

import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from model.grpc import open_inference_pb2 as pb
from tests.protocol.encodings import document, infer_path, message
from tests.protocol.wires import Clients
from tests.reliability.conftest import Gates, Serve, until
from tests.reliability.parts import ask, publish_flowers, publish_part
from tests.servers import REPOSITORY, ServerProcess

SOON_SECONDS = 0.1
"""In which liveness answers, by the median of many; a shared machine stumbles now and then."""


def live_seconds(clients: Clients) -> float:
    start = time.perf_counter()
    assert clients.rest.get("/v2/health/live").json() == {"live": True}
    return time.perf_counter() - start


def assert_lively(clients: Clients) -> None:
    """Ask for liveness again and again; each answer comes while nothing else in the process moves."""
    assert statistics.median(live_seconds(clients) for _ in range(21)) < SOON_SECONDS
    assert clients.call("ServerLive", pb.ServerLiveRequest()).live


def refused(call: Callable[[], object]) -> tuple[grpc.StatusCode, dict[str, str]]:
    """Return how a call fails."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    error: Any = caught.value
    return error.code(), dict(error.trailing_metadata())


def test_it_listens_and_says_so_before_the_models_are_loaded(tmp_path: Path, serve: Serve, gates: Gates) -> None:
    publish_part(tmp_path / "models", "Heavy", "heavy")
    clients = serve("--model_root", tmp_path / "models", env=gates.variables(), until="listening")
    until(lambda: gates.reached("load"), "the model is being loaded")

    assert_lively(clients)
    readiness = clients.rest.get("/v2/health/ready")
    assert (readiness.status_code, readiness.json()) == (503, {"ready": False})
    assert not clients.call("ServerReady", pb.ServerReadyRequest()).ready
    assert clients.rest.get("/v2/models/heavy/ready").status_code == 503
    states = clients.post("/v2/repository/index", b"").json()
    assert states == [{"name": "heavy", "state": "LOADING", "reason": ""}]
    answer = clients.post(infer_path("heavy"), document(ask(model="heavy")))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json() == {"error": "Model 'heavy' is loading; try again later."}
    code, metadata = refused(lambda: clients.call("ModelInfer", message(ask(model="heavy"))))
    assert (code, metadata["retry-after"]) == (grpc.StatusCode.UNAVAILABLE, "1")
    assert clients.rest.get("/metrics").status_code == 200
    assert clients.rest.get("/openapi.json").status_code == 200

    gates.open("load")
    clients.server.wait_for("ready")
    assert clients.rest.get("/v2/health/ready").json() == {"ready": True}
    assert clients.post(infer_path("heavy"), document(ask(0.25, "heavy"))).json()["outputs"][0]["data"] == [0.25]


def test_a_model_answers_while_the_next_one_is_loaded(tmp_path: Path, serve: Serve, gates: Gates) -> None:
    publish_part(tmp_path / "models", "Gated", "early")
    publish_part(tmp_path / "models", "Heavy", "late")
    args = ("--model_root", tmp_path / "models", "--threads", "1")
    clients = serve(*args, env=gates.variables(), until="listening")
    until(lambda: gates.reached("load"), "the second model is being loaded")
    answer = clients.post(infer_path("early"), document(ask(0.5, "early")))
    assert answer.json()["outputs"][0]["data"] == [0.5]
    assert clients.rest.get("/v2/health/ready").status_code == 503
    gates.open("load")
    clients.server.wait_for("ready")


def test_the_event_loop_turns_while_a_model_runs(tmp_path: Path, serve: Serve, gates: Gates) -> None:
    publish_part(tmp_path / "models", "Gated")
    publish_flowers(tmp_path / "models")
    clients = serve("--model_root", tmp_path / "models", env=gates.variables())
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(clients.post, infer_path("gated"), document(ask(1, "gated")))
        until(lambda: gates.reached("1"), "the model runs")
        assert_lively(clients)
        assert clients.rest.get("/v2/health/ready").status_code == 200
        other = clients.post(infer_path("flowers"), document(ask()))
        assert (other.status_code, running.done()) == (200, False)
        gates.open("1")
        assert running.result(30).status_code == 200


@pytest.fixture
def taken() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield str(listener.getsockname()[1])


def finished(*args: str) -> tuple[int, str]:
    """Run a server that can't start, and return its exit code and all it has written."""
    server = ServerProcess(*args)
    code = server.wait(60)
    assert len(server.log) + len(server.stray) == 1, str(server)
    return code, server.log[0]["event"] if server.log else server.stray[0]


@pytest.mark.parametrize(
    ("flag", "sentence"),
    [
        ("--http_port", "REST can't listen on 127.0.0.1:{}: address already in use; choose others with"),
        ("--grpc_port", "gRPC can't listen on 127.0.0.1:{}: address already in use; choose others with"),
    ],
)
def test_a_port_that_is_taken_ends_it_with_a_sentence(tmp_path: Path, taken: str, flag: str, sentence: str) -> None:
    code, written = finished("--model_root", str(tmp_path), flag, taken)
    assert code == 1
    assert written.startswith(sentence.format(taken))


def test_a_model_root_that_is_missing_ends_it_with_a_sentence(tmp_path: Path) -> None:
    code, written = finished("--model_root", str(tmp_path / "none"))
    assert code == 1
    assert (
        written == f"The model root {tmp_path / 'none'} is no directory; expected one of <name>/<version>/ directories."
    )


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("--http_port", "http"), "--http_port is 'http'; expected a whole number from 0 to 65535"),
        (("--model_rot", "models"), "unrecognized arguments: --model_rot models"),
        (("--host", "0.0.0.0"), "--host is '0.0.0.0', which others can reach, and there are no keys; expected"),
        (
            ("--enable_repository_api",),
            "--enable_repository_api is true and there are no keys; expected --api_key_file",
        ),
    ],
)
def test_wrong_usage_ends_it_with_2(args: tuple[str, ...], sentence: str) -> None:
    command = [sys.executable, "-m", "model", *args]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
