"""The end of a server: unready at once, answering while it drains, gone with exit code 0."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from model.grpc import open_inference_pb2 as pb
from tests.protocol import zoo
from tests.protocol.encodings import Ask, Sent, document, infer_path, message
from tests.protocol.gates import Gates, gate
from tests.protocol.test_health import NOT_SERVING, SERVING, health
from tests.protocol.wires import Clients
from tests.servers import ServerProcess

PLANE = Ask("plane", (Sent("x", "FP64", (1, 2), (1.0, 2.0)),))


def test_a_server_told_to_stop_is_unready_and_goes_on_answering(tmp_path: Path) -> None:
    zoo.publish_subjects(tmp_path, "plane")
    with ServerProcess.start("--model_root", str(tmp_path), "--drain_seconds", "3") as server:
        clients = Clients.of(server)
        watch: Any = clients.channel.unary_stream(
            "/grpc.health.v1.Health/Watch", HealthCheckRequest.SerializeToString, HealthCheckResponse.FromString
        )
        watched = watch(HealthCheckRequest(service=""), timeout=30)
        assert next(watched).status == SERVING
        assert "connection" not in clients.post(infer_path("plane"), document(PLANE)).headers
        server.terminate()
        server.wait_for("draining")
        for path, body in [
            ("/v2/health/ready", {"ready": False}),
            ("/v2/models/plane/ready", {"name": "plane", "ready": False}),
        ]:
            response = clients.rest.get(path)
            assert (response.status_code, response.json()) == (503, body)
        assert not clients.call("ServerReady", pb.ServerReadyRequest()).ready
        assert not clients.call("ModelReady", pb.ModelReadyRequest(name="plane")).ready
        assert [health(clients, service) for service in ("", "plane")] == [NOT_SERVING] * 2
        assert next(watched).status == NOT_SERVING
        assert clients.rest.get("/v2/health/live").status_code == 200
        answered = clients.post(infer_path("plane"), document(PLANE))
        assert (answered.status_code, answered.headers["connection"]) == (200, "close")
        assert clients.call("ModelInfer", message(PLANE)).outputs[0].name == "predict"
        watched.cancel()
        clients.close()
        assert server.wait(30) == 0
        assert server.events("stopped")
        assert server.stray == []


def test_what_is_in_flight_is_answered_before_the_end(tmp_path: Path) -> None:
    zoo.publish_subjects(tmp_path / "root", "gate")
    gates = Gates(tmp_path)
    flags = ("--model_root", str(tmp_path / "root"), "--code_dir", str(zoo.CODE_DIR), "--drain_seconds", "0")
    with (
        ThreadPoolExecutor() as threads,
        ServerProcess.start(*flags, env={"GATES": str(tmp_path)}) as server,
        closing(Clients.of(server)) as clients,
    ):
        first, second = gates.ticket(), gates.ticket()
        running = threads.submit(clients.post, infer_path("gate"), document(gate(first)))
        gates.wait_for(first)
        waiting = threads.submit(clients.call, "ModelInfer", message(gate(second)))
        wait_until(lambda: "inference_requests_in_flight 2.0" in clients.rest.get("/metrics").text)
        server.terminate()
        server.wait_for("draining")
        for ticket in (first, second):
            gates.open(ticket)
        assert running.result(20).json()["outputs"][0]["data"] == [float(first)]
        assert list(waiting.result(20).outputs[0].contents.fp64_contents) == [float(second)]
        assert server.wait() == 0


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.02)


def test_a_server_that_has_stopped_is_gone(tmp_path: Path) -> None:
    zoo.publish_subjects(tmp_path, "plane")
    server = ServerProcess.start("--model_root", str(tmp_path), "--drain_seconds", "0")
    clients = Clients.of(server)
    assert clients.call("ModelInfer", message(PLANE)).model_name == "plane"
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 20
    with pytest.raises(grpc.RpcError) as failure:
        clients.call("ModelInfer", message(PLANE), timeout=5)
    assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
    clients.close()
