import asyncio
import gzip
import threading
import time
from collections.abc import Callable

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from model.errors import ArtifactError
from model.grpc import open_inference_pb2 as pb
from model.grpc.server import GrpcServer
from tests.unit.grpc.fakes import KEY, Client, FakeDataPlane, LoopThread, failing, raw_request

Start = Callable[..., tuple[GrpcServer, int]]

SERVICES = {
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "inference.GRPCInferenceService",
}


@pytest.fixture
def gated(dataplane: FakeDataPlane) -> asyncio.Event:
    """Hold every inference until this is set."""
    dataplane.gate = asyncio.Event()
    return dataplane.gate


def in_flight(client: Client, dataplane: FakeDataPlane) -> "grpc.Future[pb.ModelInferResponse]":
    """Ask, and come back when the data plane has the call."""
    future = client.method("ModelInfer", pb.ModelInferResponse).future(raw_request(), timeout=20)
    while not dataplane.calls:
        time.sleep(0.005)
    return future


def ask_until_refused(client: Client) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        client.method("ServerLive", pb.ServerLiveResponse)(pb.ServerLiveRequest(), timeout=20)


def test_a_taken_port_is_an_error_with_a_sentence(start: Start) -> None:
    _, port = start()
    with pytest.raises(ArtifactError, match=rf"gRPC can't listen on 127\.0\.0\.1:{port}: .*--grpc_port"):
        start(port=port)


def test_an_address_of_ipv6_is_written_as_urls_have_it(dataplane: FakeDataPlane, loop: LoopThread) -> None:
    server = GrpcServer(dataplane, host="2001:db8::1", port=1, max_receive_message_length=1, max_send_message_length=1)

    async def started() -> int:
        return await server.start()

    with pytest.raises(ArtifactError, match=r"listen on \[2001:db8::1\]:1: "):
        loop.run(started())


def test_stopping_a_server_that_never_started_is_nothing(dataplane: FakeDataPlane, loop: LoopThread) -> None:
    server = GrpcServer(dataplane, host="::1", port=0, max_receive_message_length=1, max_send_message_length=1)
    loop.run(server.stop(0))


def test_a_message_over_the_limit_is_refused(client: Client, dataplane: FakeDataPlane) -> None:
    with failing() as failure:
        client.infer(b"\0" * 1_000_001)
    assert failure.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert dataplane.calls == []


def test_a_message_that_inflates_over_the_limit_is_refused(client: Client, dataplane: FakeDataPlane) -> None:
    body = b"\0" * 50_000_000
    assert len(gzip.compress(body, 6)) < 100_000
    with failing() as failure:
        client.infer(body, compression=grpc.Compression.Gzip)
    assert failure.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert dataplane.calls == []


def test_a_compressed_message_is_read(client: Client) -> None:
    answer = client.infer(raw_request(), compression=grpc.Compression.Gzip)
    assert answer.raw_output_contents[:] == raw_request().raw_input_contents[:]


def test_a_call_in_flight_finishes_while_the_server_stops(
    start: Start, connect: Callable[[int], Client], loop: LoopThread, dataplane: FakeDataPlane, gated: asyncio.Event
) -> None:
    server, port = start()
    client = connect(port)
    asked = in_flight(client, dataplane)
    stopping = loop.begin(server.stop(20))
    late = connect(port)
    with failing() as failure:
        ask_until_refused(late)
    # The listener is closed, or it took the connection in the very moment that it was closing.
    assert failure.code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
    assert not asked.done()
    loop.call(gated.set)
    assert asked.result(20).model_name == "penguins"
    stopping.result(20)


def test_a_call_in_flight_after_the_grace_is_cancelled(
    start: Start, connect: Callable[[int], Client], loop: LoopThread, dataplane: FakeDataPlane, gated: asyncio.Event
) -> None:
    server, port = start()
    client = connect(port)
    asked = in_flight(client, dataplane)
    loop.run(server.stop(0.05))
    with failing() as failure:
        asked.result(20)
    assert failure.code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
    assert not gated.is_set()


def test_a_call_whose_deadline_passes_ends_and_frees_the_server(
    client: Client, loop: LoopThread, dataplane: FakeDataPlane, gated: asyncio.Event
) -> None:
    with failing() as failure:
        client.method("ModelInfer", pb.ModelInferResponse)(raw_request(), timeout=0.3)
    assert failure.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert dataplane.cancelled.wait(20)
    loop.call(gated.set)
    assert client.infer(raw_request()).model_name == "penguins"
    assert len(dataplane.requests) == 1


def test_an_old_connection_is_replaced_without_an_error(start: Start, connect: Callable[[int], Client]) -> None:
    _, port = start(max_connection_age_seconds=0.1, max_connection_age_grace_seconds=5)
    client = connect(port)
    states: list[grpc.ChannelConnectivity] = []
    aged = threading.Event()

    def observe(state: grpc.ChannelConnectivity) -> None:
        states.append(state)
        if state is grpc.ChannelConnectivity.READY and states.count(state) > 1:
            aged.set()

    client.channel.subscribe(observe)
    end = time.monotonic() + 20
    while not aged.is_set() and time.monotonic() < end:
        client.infer(raw_request(), wait_for_ready=True)
    assert aged.is_set()
    client.channel.unsubscribe(observe)


def test_reflection_lists_the_services(client: Client) -> None:
    assert set(ProtoReflectionDescriptorDatabase(client.channel).get_services()) == SERVICES


def test_reflection_describes_every_service_whole(client: Client) -> None:
    described = DescriptorPool(ProtoReflectionDescriptorDatabase(client.channel))
    for name in SERVICES:
        for method in described.FindServiceByName(name).methods:
            assert described.FindMessageTypeByName(method.input_type.full_name).full_name == method.input_type.full_name
    ours, theirs = FileDescriptorProto(), FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(ours)
    described.FindFileContainingSymbol("inference.ModelInferRequest").CopyToProto(theirs)
    assert theirs == ours


def test_reflection_is_served_by_its_new_name_too(client: Client) -> None:
    stream = client.channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        request_serializer=ServerReflectionRequest.SerializeToString,
        response_deserializer=ServerReflectionResponse.FromString,
    )
    asked = ServerReflectionRequest(file_containing_symbol="grpc.reflection.v1.ServerReflection")
    (answer,) = stream(iter([asked]), timeout=20)
    (content,) = answer.file_descriptor_response.file_descriptor_proto
    assert b"v1alpha" not in content
    assert FileDescriptorProto.FromString(content).package == "grpc.reflection.v1"


def test_reflection_needs_no_key(client: Client, dataplane: FakeDataPlane) -> None:
    dataplane.key = KEY
    assert set(ProtoReflectionDescriptorDatabase(client.channel).get_services()) == SERVICES


def test_it_serves_on_asyncios_own_loop_too(dataplane: FakeDataPlane, connect: Callable[[int], Client]) -> None:
    async def ask() -> pb.ModelInferResponse:
        server = GrpcServer(
            dataplane,
            host="127.0.0.1",
            port=0,
            max_receive_message_length=1_000_000,
            max_send_message_length=1_000_000,
        )
        client = connect(await server.start())
        try:
            return await asyncio.to_thread(client.infer, raw_request())
        finally:
            await server.stop(0)

    assert asyncio.run(ask()).model_name == "penguins"
