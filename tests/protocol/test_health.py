"""Health as probes ask for it, on both protocols."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from model.grpc import open_inference_pb2 as pb
from tests.protocol import zoo
from tests.protocol.conftest import Start
from tests.protocol.encodings import Ask, Sent, document, infer_path, message
from tests.protocol.refusals import caught, over_grpc, over_rest
from tests.protocol.wires import SERVICE, Clients

SERVING = HealthCheckResponse.SERVING
NOT_SERVING = HealthCheckResponse.NOT_SERVING
PLANE = Ask("plane", (Sent("x", "FP64", (1, 2), (1.0, 2.0)),))


@contextmanager
def fails_with(code: grpc.StatusCode) -> Iterator[None]:
    with pytest.raises(grpc.RpcError) as caught:
        yield
    assert caught.value.code() is code


def health(clients: Clients, service: str) -> int:
    check: grpc.UnaryUnaryMultiCallable[HealthCheckRequest, HealthCheckResponse] = clients.channel.unary_unary(
        "/grpc.health.v1.Health/Check", HealthCheckRequest.SerializeToString, HealthCheckResponse.FromString
    )
    return check(HealthCheckRequest(service=service), timeout=30).status


def reflected(clients: Clients, question: ServerReflectionRequest) -> ServerReflectionResponse:
    stream: Any = clients.channel.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        ServerReflectionRequest.SerializeToString,
        ServerReflectionResponse.FromString,
    )
    (answer,) = stream(iter([question]), timeout=30)
    assert isinstance(answer, ServerReflectionResponse)
    return answer


@pytest.fixture(scope="module")
def half(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Clients:
    """A server with a good model, and another whose only version is broken."""
    root = tmp_path_factory.mktemp("half")
    zoo.publish_subjects(root, "plane", "ridge")
    zoo.spoil(root / "ridge" / "1")
    args = ("--model_root", str(root), "--default_model", "plane")
    return start(args=args, until="not ready: a model has no version that answers")


def test_a_server_whose_models_all_answer_is_ready(clients: Clients) -> None:
    for path, body in [
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        ("/v2/models/plane/ready", {"name": "plane", "ready": True}),
        ("/v2/models/plane/versions/1/ready", {"name": "plane", "ready": True}),
        ("/v1/models/plane", {"name": "plane", "ready": True}),
    ]:
        response = clients.rest.get(path)
        assert (response.status_code, response.json()) == (200, body)
        assert clients.rest.head(path).status_code == 200
    assert clients.call("ServerLive", pb.ServerLiveRequest()).live
    assert clients.call("ServerReady", pb.ServerReadyRequest()).ready
    assert clients.call("ModelReady", pb.ModelReadyRequest(name="plane")).ready
    assert clients.call("ModelReady", pb.ModelReadyRequest(name="plane", version="1")).ready
    assert [health(clients, service) for service in ("", SERVICE, "plane")] == [SERVING] * 3


def test_a_server_with_a_model_that_cannot_answer_lives_but_is_not_ready(half: Clients) -> None:
    assert half.rest.get("/v2/health/live").status_code == 200
    assert half.call("ServerLive", pb.ServerLiveRequest()).live
    for path, body in [
        ("/v2/health/ready", {"ready": False}),
        ("/v2/models/ridge/ready", {"name": "ridge", "ready": False}),
        ("/v2/models/ridge/versions/1/ready", {"name": "ridge", "ready": False}),
        ("/v1/models/ridge", {"name": "ridge", "ready": False}),
    ]:
        response = half.rest.get(path)
        assert (response.status_code, response.json()) == (503, body)
    assert not half.call("ServerReady", pb.ServerReadyRequest()).ready
    assert not half.call("ModelReady", pb.ModelReadyRequest(name="ridge")).ready
    assert not half.call("ModelReady", pb.ModelReadyRequest(name="ridge", version="1")).ready
    assert [health(half, service) for service in ("", SERVICE, "ridge")] == [NOT_SERVING] * 3


def test_the_other_models_of_such_a_server_answer(half: Clients) -> None:
    assert half.rest.get("/v2/models/plane/ready").status_code == 200
    assert half.call("ModelReady", pb.ModelReadyRequest(name="plane")).ready
    assert health(half, "plane") == SERVING
    assert half.post(infer_path("plane"), document(PLANE)).status_code == 200
    assert half.call("ModelInfer", message(PLANE)).outputs[0].name == "predict"


def test_a_default_model_answers_where_none_is_named(half: Clients) -> None:
    assert half.post("/predict", {"left": 1, "right": 2}).json()["model"] == "plane"
    assert half.call("ModelInfer", message(replace(PLANE, model=""))).model_name == "plane"


def test_a_model_that_is_not_ready_answers_nothing_else(half: Clients) -> None:
    ask = Ask("ridge", PLANE.inputs)
    sentences = set()
    for response in (
        half.post(infer_path("ridge"), document(ask)),
        half.post("/v1/models/ridge:predict", {"instances": [[1, 2, 3]]}),
        half.post("/predict/ridge", {"length": 1}),
        half.rest.get("/v2/models/ridge"),
    ):
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        sentences.add(over_rest(response).sentence)
    for method, request in (
        ("ModelInfer", message(ask)),
        ("ModelMetadata", pb.ModelMetadataRequest(name="ridge")),
    ):
        refusal, metadata = caught(half, method, request)
        assert (refusal.status, metadata["retry-after"]) == ("UNAVAILABLE", "1")
        sentences.add(refusal.sentence)
    assert sentences == {"Model 'ridge' has no version that is ready; the repository index has the reasons."}


@pytest.mark.parametrize(("name", "version"), [("unknown", ""), ("unknown", "1"), ("plane", "7")])
def test_the_readiness_of_what_there_is_not_is_not_found(clients: Clients, name: str, version: str) -> None:
    path = f"/v2/models/{name}/versions/{version}/ready" if version else f"/v2/models/{name}/ready"
    rest = over_rest(clients.rest.get(path))
    rpc = over_grpc(clients, "ModelReady", pb.ModelReadyRequest(name=name, version=version))
    assert (rest.status, rpc.status) == (404, "NOT_FOUND")
    assert rest.sentence == rpc.sentence


def test_the_health_of_an_unknown_service_is_not_found(clients: Clients) -> None:
    with fails_with(grpc.StatusCode.NOT_FOUND):
        health(clients, "unknown")


def test_health_can_be_watched(clients: Clients) -> None:
    watch: Any = clients.channel.unary_stream(
        "/grpc.health.v1.Health/Watch", HealthCheckRequest.SerializeToString, HealthCheckResponse.FromString
    )
    stream = watch(HealthCheckRequest(service="plane"), timeout=30)
    assert next(stream).status == SERVING
    stream.cancel()


def test_reflection_names_the_services(clients: Clients) -> None:
    answer = reflected(clients, ServerReflectionRequest(list_services="*"))
    names = {service.name for service in answer.list_services_response.service}
    reflection = {"grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"}
    assert names == {SERVICE, "grpc.health.v1.Health", *reflection}


def test_reflection_describes_the_inference_service(clients: Clients) -> None:
    answer = reflected(clients, ServerReflectionRequest(file_containing_symbol=SERVICE))
    (raw,) = answer.file_descriptor_response.file_descriptor_proto
    (service,) = FileDescriptorProto.FromString(raw).service
    assert {"ModelInfer", "ModelReady", "RepositoryIndex", "ModelStatistics"} <= {m.name for m in service.method}


def test_an_unknown_method_is_unimplemented(clients: Clients) -> None:
    method: Any = clients.channel.unary_unary(f"/{SERVICE}/Unknown")
    with fails_with(grpc.StatusCode.UNIMPLEMENTED):
        method(b"", timeout=30)
