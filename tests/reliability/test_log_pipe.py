"""A log that nobody takes, or that has no room, stops no answer; and nothing but the log is on stdout."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.reliability.conftest import Serve, until
from tests.reliability.parts import publish_network_of_flowers, publish_part
from tests.servers import REPOSITORY

REQUESTS: Final = 700
"""Of which each writes a line of 200 bytes or so: more than the 64 KiB that a pipe holds."""
BODY: Final = {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [0.0, 0.5]}]}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(
    root: Path, *args: str, through: Sequence[str] = (), **streams: Any
) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """Start a server whose log can't be read, `through` a command that becomes it, and wait until it is ready."""
    port = free_port()
    flags = ["--model_root", str(root), "--http_port", str(port), "--enable_grpc=false", "--drain_seconds", "0"]
    process = subprocess.Popen(
        [*through, sys.executable, "-m", "model", *flags, "--enable_latency_logging", *args],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        **streams,
    )

    def ready() -> bool:
        assert process.poll() is None, "it has ended"
        try:
            return client.get("/v2/health/ready").status_code == 200
        except httpx.TransportError:
            return False

    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
        try:
            until(ready, "it is ready", 90)
            yield process, client
        finally:
            process.kill()
            process.wait()


def answers(client: httpx.Client) -> set[int]:
    return {client.post("/v2/models/flowers/infer", json=BODY).status_code for _ in range(REQUESTS)}


def stopped(process: subprocess.Popen[bytes]) -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(40)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    publish_network_of_flowers(root)
    return root


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_reader_that_is_stuck_stops_no_answer(root: Path, workers: str) -> None:
    reading, writing = os.pipe()
    with serving(root, "--workers", workers, stdout=writing, stderr=subprocess.DEVNULL) as (process, client):
        os.close(writing)
        assert answers(client) == {200}
        assert stopped(process) == 0
    os.close(reading)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_reader_that_has_left_stops_no_answer(root: Path, workers: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with serving(root, "--workers", workers, stdout=writing, stderr=subprocess.DEVNULL) as (process, client):
        os.close(writing)
        assert answers(client) == {200}
        assert stopped(process) == 0


def test_a_full_disk_stops_no_answer(root: Path) -> None:
    with (
        Path("/dev/full").open("wb") as full,
        serving(root, stdout=full, stderr=subprocess.DEVNULL) as (process, client),
    ):
        assert answers(client) == {200}
        assert stopped(process) == 0


# A shell closes them, as a `preexec_fn` would fork this process, in which gRPC's threads may be running: the child then
# dies of gRPC's own fork handlers, once in forty times.
WITHOUT_STREAMS: Final = ("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_without_standard_streams_answers(root: Path, workers: str) -> None:
    with serving(root, "--workers", workers, through=WITHOUT_STREAMS) as (process, client):
        assert answers(client) == {200}
        assert stopped(process) == 0


def test_lines_that_were_lost_are_told(tmp_path: Path) -> None:
    script = tmp_path / "writes.py"
    script.write_text(
        "from model.writer import LineWriter\n"
        "writer = LineWriter(1, waiting_lines=5)\n"
        "for number in range(1000):\n"
        "    writer.write(b'{\"event\":\"%d\"}' % number + b' ' * 1000 + b'\\n')\n"
        "writer.close(20)\n"
        'writer.write(b\'{"event":"last"}\\n\')\n'
        "writer.close(20)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, script], env=environment, stdout=subprocess.PIPE, timeout=60, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[-1]["event"] == "last"
    told = sum(line.get("lines", 0) for line in lines)
    assert told > 0
    assert told + sum("lines" not in line for line in lines) == 1001


def test_what_a_model_prints_is_not_in_the_log(serve: Serve, tmp_path: Path) -> None:
    publish_part(tmp_path, "Chatty")
    clients = serve("--model_root", tmp_path, "--enable_latency_logging", stderr=subprocess.DEVNULL)
    answer = clients.post("/v2/models/gated/infer", BODY)
    assert answer.status_code == 200
    clients.server.wait_for("request")
    assert clients.server.stray == []
