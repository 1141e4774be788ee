import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
import structlog
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from model.grpc.server import GrpcServer
from tests.unit.grpc.fakes import KEY, Client, FakeDataPlane, LoopThread, failing

SERVING = HealthCheckResponse.SERVING
NOT_SERVING = HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = HealthCheckResponse.SERVICE_UNKNOWN

SERVER = ["", "inference.GRPCInferenceService"]


def check(client: Client, service: str) -> int:
    method: grpc.UnaryUnaryMultiCallable[HealthCheckRequest, HealthCheckResponse] = client.channel.unary_unary(
        "/grpc.health.v1.Health/Check", HealthCheckRequest.SerializeToString, HealthCheckResponse.FromString
    )
    return method(HealthCheckRequest(service=service), timeout=20).status


def begin_watch(client: Client, body: bytes) -> Any:
    method: grpc.UnaryStreamMultiCallable[bytes, HealthCheckResponse] = client.channel.unary_stream(
        "/grpc.health.v1.Health/Watch", response_deserializer=HealthCheckResponse.FromString
    )
    return method(body, timeout=20)


@pytest.fixture
def watch(client: Client) -> Iterator[Callable[[str], Iterator[int]]]:
    """Watch a service until the test is over."""
    streams = []

    def watched(service: str) -> Iterator[int]:
        stream = begin_watch(client, HealthCheckRequest(service=service).SerializeToString())
        streams.append(stream)
        return (response.status for response in stream)

    yield watched
    for stream in streams:
        stream.cancel()


@pytest.mark.parametrize("service", SERVER)
@pytest.mark.parametrize(("is_ready", "status"), [(True, SERVING), (False, NOT_SERVING)])
def test_the_servers_health_is_its_readiness(
    client: Client, dataplane: FakeDataPlane, service: str, status: int, *, is_ready: bool
) -> None:
    dataplane.is_ready = is_ready
    assert check(client, service) == status


@pytest.mark.parametrize(("is_ready", "status"), [(True, SERVING), (False, NOT_SERVING)])
def test_a_models_health_is_its_readiness(
    client: Client, dataplane: FakeDataPlane, status: int, *, is_ready: bool
) -> None:
    dataplane.model_is_ready = is_ready
    assert check(client, "penguins") == status


def test_the_health_of_an_unknown_model_is_not_found(client: Client) -> None:
    with failing() as failure:
        check(client, "walrus")
    assert failure.code is grpc.StatusCode.NOT_FOUND


def test_health_needs_no_key(client: Client, dataplane: FakeDataPlane) -> None:
    dataplane.key = KEY
    assert check(client, "") == SERVING


@pytest.mark.parametrize("service", [*SERVER, "penguins"])
def test_nothing_serves_from_the_drain_on(
    start: Callable[..., tuple[GrpcServer, int]], connect: Callable[[int], Client], loop: LoopThread, service: str
) -> None:
    server, port = start()
    client = connect(port)
    before = check(client, service)
    loop.call(server.drain)
    assert (before, check(client, service)) == (SERVING, NOT_SERVING)


def test_who_watches_is_told_the_changes_and_nothing_else(
    dataplane: FakeDataPlane, watch: Callable[[str], Iterator[int]]
) -> None:
    statuses = watch("")
    assert next(statuses) == SERVING
    time.sleep(0.1)  # some looks at the same
    dataplane.is_ready = False
    assert next(statuses) == NOT_SERVING
    dataplane.is_ready = True
    assert next(statuses) == SERVING


def test_who_watches_an_unknown_model_is_told_so(watch: Callable[[str], Iterator[int]]) -> None:
    assert next(watch("walrus")) == SERVICE_UNKNOWN


def test_who_watches_is_told_of_the_drain_at_once_and_let_go_by_the_stop(
    start: Callable[..., tuple[GrpcServer, int]], connect: Callable[[int], Client], loop: LoopThread
) -> None:
    server, port = start(health_poll_seconds=1_000)
    client = connect(port)
    stream = begin_watch(client, b"")
    assert next(stream).status == SERVING
    loop.call(server.drain)
    assert next(stream).status == NOT_SERVING
    time.sleep(0.1)
    assert stream.is_active()
    loop.run(server.stop(1_000))
    assert list(stream) == []
    assert stream.code() is grpc.StatusCode.OK


def test_a_watched_service_that_did_not_serve_is_not_told_of_the_drain_again(
    start: Callable[..., tuple[GrpcServer, int]],
    connect: Callable[[int], Client],
    loop: LoopThread,
    dataplane: FakeDataPlane,
) -> None:
    dataplane.is_ready = False
    server, port = start(health_poll_seconds=1_000)
    client = connect(port)
    stream = begin_watch(client, b"")
    assert next(stream).status == NOT_SERVING
    loop.run(server.stop(1_000))
    assert list(stream) == []


def test_a_watch_that_is_no_message_is_invalid(client: Client) -> None:
    with failing() as failure:
        list(begin_watch(client, b"\xff"))
    assert failure.code is grpc.StatusCode.INVALID_ARGUMENT


def test_an_unforeseen_error_of_a_watch_is_logged_and_told_to_nobody(
    client: Client, dataplane: FakeDataPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeDataPlane, "ready", lambda _: 1 / 0)
    with structlog.testing.capture_logs() as logs, failing() as failure:
        list(begin_watch(client, b""))
    assert failure.code is grpc.StatusCode.INTERNAL
    assert "division" not in failure.details
    assert isinstance(logs[0]["exc_info"], ZeroDivisionError)
