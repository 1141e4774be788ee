import grpc
import pytest
from google.protobuf.message import Message

from model.grpc import open_inference_pb2 as pb
from model.metrics import Duration, ModelStatistics
from tests.unit.grpc.fakes import Client, FakeDataPlane, failing, raw_request


@pytest.mark.parametrize("is_ready", [True, False])
def test_readiness_is_the_data_planes(client: Client, dataplane: FakeDataPlane, *, is_ready: bool) -> None:
    dataplane.is_ready = is_ready
    answer = client.method("ServerReady", pb.ServerReadyResponse)(pb.ServerReadyRequest(), timeout=20)
    assert answer.ready is is_ready


def test_a_server_that_is_not_ready_is_live(client: Client, dataplane: FakeDataPlane) -> None:
    dataplane.is_ready = False
    assert client.method("ServerLive", pb.ServerLiveResponse)(pb.ServerLiveRequest(), timeout=20).live


@pytest.mark.parametrize("is_ready", [True, False])
def test_a_models_readiness_is_that_of_the_version_asked_for(
    client: Client, dataplane: FakeDataPlane, *, is_ready: bool
) -> None:
    dataplane.model_is_ready = is_ready
    request = pb.ModelReadyRequest(name="penguins", version="2")
    answer = client.method("ModelReady", pb.ModelReadyResponse)(request, timeout=20)
    assert answer.ready is is_ready
    assert dataplane.asked == [("model_ready", "penguins", "2")]


def test_the_readiness_of_an_unknown_model_is_not_found(client: Client) -> None:
    with failing() as failure:
        client.method("ModelReady", pb.ModelReadyResponse)(pb.ModelReadyRequest(name="walrus"), timeout=20)
    assert failure.code is grpc.StatusCode.NOT_FOUND
    assert "walrus" in failure.details


def test_server_metadata(client: Client) -> None:
    answer = client.method("ServerMetadata", pb.ServerMetadataResponse)(pb.ServerMetadataRequest(), timeout=20)
    extensions = ["binary_tensor_data", "model_repository"]
    assert answer == pb.ServerMetadataResponse(name="sklearn-kserve", version="1.2.3", extensions=extensions)


def test_model_metadata(client: Client, dataplane: FakeDataPlane) -> None:
    request = pb.ModelMetadataRequest(name="penguins", version="2")
    answer = client.method("ModelMetadata", pb.ModelMetadataResponse)(request, timeout=20)
    tensor = pb.ModelMetadataResponse.TensorMetadata
    assert answer == pb.ModelMetadataResponse(
        name="penguins",
        versions=["1", "2"],
        platform="sklearn_joblib",
        inputs=[
            tensor(name="bill", datatype="FP64", shape=[-1, 1]),
            tensor(name="sex", datatype="BYTES", shape=[-1, 1]),
        ],
        outputs=[tensor(name="predict", datatype="BYTES", shape=[-1])],
    )
    assert dataplane.asked == [("model_metadata", "penguins", "2")]


def test_inference_goes_through_the_data_plane(client: Client, dataplane: FakeDataPlane) -> None:
    answer = client.infer(raw_request(model_version="7", id="q"))
    assert (answer.model_name, answer.model_version, answer.id) == ("penguins", "7", "q")
    assert answer.raw_output_contents[:] == raw_request().raw_input_contents[:]
    (request,) = dataplane.requests
    assert request.inputs[0].data.tolist() == [[1.0], [2.0]]


def test_typed_contents_are_answered_in_kind(client: Client) -> None:
    request = pb.ModelInferRequest(model_name="penguins")
    contents = pb.InferTensorContents(bytes_contents=[b"male"])
    request.inputs.add(name="sex", datatype="BYTES", shape=[1], contents=contents)
    answer = client.infer(request)
    assert answer.outputs[0].contents == contents
    assert not answer.raw_output_contents


def test_a_request_that_contradicts_itself_is_invalid(client: Client) -> None:
    request = raw_request()
    request.inputs[0].shape[:] = [3, 1]
    with failing() as failure:
        client.infer(request)
    assert failure.code is grpc.StatusCode.INVALID_ARGUMENT
    assert "'x'" in failure.details


def test_statistics(client: Client, dataplane: FakeDataPlane) -> None:
    durations = [Duration(count, count * 1_000) for count in range(1, 7)]
    dataplane.counted = [ModelStatistics("penguins", "2", 1_700_000_000_000, 30, 20, *durations)]
    request = pb.ModelStatisticsRequest(name="penguins", version="2")
    answer = client.method("ModelStatistics", pb.ModelStatisticsResponse)(request, timeout=20)
    (model,) = answer.model_stats
    assert (model.name, model.version) == ("penguins", "2")
    assert (model.last_inference, model.inference_count, model.execution_count) == (1_700_000_000_000, 30, 20)
    stages = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output")
    told = [getattr(model.inference_stats, stage) for stage in stages]
    assert [(stage.count, stage.ns) for stage in told] == [(count, count * 1_000) for count in range(1, 7)]
    assert dataplane.asked == [("statistics", "penguins", "2")]


@pytest.mark.parametrize("ready", [True, False])
def test_repository_index(client: Client, *, ready: bool) -> None:
    request = pb.RepositoryIndexRequest(ready=ready)
    answer = client.method("RepositoryIndex", pb.RepositoryIndexResponse)(request, timeout=20)
    states = [(model.name, model.version, model.state, model.reason) for model in answer.models]
    everything = [("penguins", "2", "READY", ""), ("penguins", "1", "UNAVAILABLE", "digest")]
    assert states == (everything[:1] if ready else everything)


@pytest.mark.parametrize("field", ["model_name", "repository_name"], ids=["as Triton's clients", "as KServe's clients"])
def test_load(client: Client, dataplane: FakeDataPlane, field: str) -> None:
    request = pb.RepositoryModelLoadRequest()
    setattr(request, field, "penguins")
    answer = client.method("RepositoryModelLoad", pb.RepositoryModelLoadResponse)(request, timeout=20)
    assert answer == pb.RepositoryModelLoadResponse(model_name="penguins", is_loaded=True)
    assert dataplane.asked == [("load", "penguins")]


@pytest.mark.parametrize("field", ["model_name", "repository_name"], ids=["as Triton's clients", "as KServe's clients"])
def test_unload(client: Client, dataplane: FakeDataPlane, field: str) -> None:
    request = pb.RepositoryModelUnloadRequest()
    setattr(request, field, "penguins")
    answer = client.method("RepositoryModelUnload", pb.RepositoryModelUnloadResponse)(request, timeout=20)
    assert answer == pb.RepositoryModelUnloadResponse(model_name="penguins", is_unloaded=True)
    assert dataplane.asked == [("unload", "penguins")]


def test_a_load_that_would_override_the_artifact_is_invalid(client: Client, dataplane: FakeDataPlane) -> None:
    request = pb.RepositoryModelLoadRequest(model_name="penguins")
    request.parameters["config"].string_param = "{}"
    with failing() as failure:
        client.method("RepositoryModelLoad", pb.RepositoryModelLoadResponse)(request, timeout=20)
    assert failure.code is grpc.StatusCode.INVALID_ARGUMENT
    assert dataplane.asked == []


def test_tritons_mark_for_dependents_is_no_hindrance_to_unloading(client: Client, dataplane: FakeDataPlane) -> None:
    request = pb.RepositoryModelUnloadRequest(model_name="penguins")
    request.parameters["unload_dependents"].bool_param = False
    client.method("RepositoryModelUnload", pb.RepositoryModelUnloadResponse)(request, timeout=20)
    assert dataplane.asked == [("unload", "penguins")]


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("RepositoryIndex", pb.RepositoryIndexRequest(repository_name="other")),
        ("RepositoryModelLoad", pb.RepositoryModelLoadRequest(repository_name="other", model_name="penguins")),
        ("RepositoryModelUnload", pb.RepositoryModelUnloadRequest(repository_name="other", model_name="penguins")),
    ],
    ids=["index", "load", "unload"],
)
def test_another_repository_than_the_only_one_is_invalid(
    client: Client, dataplane: FakeDataPlane, method: str, request_: Message
) -> None:
    with failing() as failure:
        client.method(method, pb.RepositoryIndexResponse)(request_, timeout=20)
    assert failure.code is grpc.StatusCode.INVALID_ARGUMENT
    assert dataplane.asked == []
