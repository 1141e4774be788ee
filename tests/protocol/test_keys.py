"""Who may ask: keys, and what the operator has not turned on."""

import httpx
import pytest
from google.protobuf.message import Message

from model.grpc import open_inference_pb2 as pb
from tests.protocol.conftest import Start
from tests.protocol.encodings import Ask, Sent, document, infer_path, message
from tests.protocol.refusals import over_grpc, over_rest
from tests.protocol.test_health import SERVING, health
from tests.protocol.wires import Clients

KEY = "swordfish"
PLANE = Ask("plane", (Sent("x", "FP64", (1, 2), (1.0, 2.0)),))
INDEX = pb.RepositoryIndexRequest()
LOAD = pb.RepositoryModelLoadRequest(model_name="plane")
UNLOAD = pb.RepositoryModelUnloadRequest(model_name="plane")

REST = [
    ("POST", infer_path("plane")),
    ("POST", infer_path("plane", "1")),
    ("POST", "/v1/models/plane:predict"),
    ("POST", "/predict"),
    ("POST", "/predict/plane"),
    ("GET", "/v2"),
    ("GET", "/v2/models/plane"),
    ("GET", "/v2/models/plane/versions/1"),
    ("GET", "/v2/models/plane/stats"),
    ("GET", "/v2/models/stats"),
    ("GET", "/v1/models"),
    ("POST", "/v2/repository/index"),
    ("POST", "/v2/repository/models/plane/load"),
    ("POST", "/v2/repository/models/plane/unload"),
    ("POST", infer_path("unknown")),
]
GRPC: list[tuple[str, Message]] = [
    ("ModelInfer", message(PLANE)),
    ("ModelMetadata", pb.ModelMetadataRequest(name="plane")),
    ("ServerMetadata", pb.ServerMetadataRequest()),
    ("ModelStatistics", pb.ModelStatisticsRequest()),
    ("RepositoryIndex", INDEX),
    ("RepositoryModelLoad", LOAD),
    ("RepositoryModelUnload", UNLOAD),
]
OPEN = ["/v2/health/live", "/v2/health/ready", "/v2/models/plane/ready", "/v2/models/plane/versions/1/ready"]


@pytest.fixture(scope="module")
def keyed(start: Start) -> Clients:
    """A server whose clients need a key, and which lets them neither load nor unload."""
    return start("plane", key=KEY, env={"SKLEARN_KSERVE_API_KEY": KEY})


@pytest.fixture(scope="module")
def operated(start: Start) -> Clients:
    """A server whose clients may load and unload."""
    flags = ("--enable_repository_api", "true")
    return start("plane", "ridge", key=KEY, args=flags, env={"SKLEARN_KSERVE_API_KEY": KEY})


def as_someone(clients: Clients, authorization: str | None) -> Clients:
    """Return clients of the same server with other credentials."""
    headers = {} if authorization is None else {"Authorization": authorization}
    rest = httpx.Client(base_url=clients.rest.base_url, headers=headers, timeout=30)
    return Clients(clients.server, rest, clients.channel, tuple((k.lower(), v) for k, v in headers.items()))


WITHOUT = "The request has no credentials; expected the header Authorization: Bearer <key>."
WRONG = "The request has a wrong key; expected the header Authorization: Bearer <key>."


@pytest.mark.parametrize(
    ("authorization", "sentence"),
    [
        (None, WITHOUT),
        ("Bearer", WRONG),
        ("Bearer sword", WRONG),
        ("Bearer swordfishes", WRONG),
        ("Bearer SWORDFISH", WRONG),
        ("Basic swordfish", WRONG),
        ("swordfish", WRONG),
    ],
)
def test_without_the_right_key_nothing_is_answered_or_changed(
    keyed: Clients, authorization: str | None, sentence: str
) -> None:
    someone = as_someone(keyed, authorization)
    with someone.rest:
        for method, path in REST:
            response = someone.rest.request(method, path)
            assert over_rest(response) == (401, sentence)
            assert response.headers["www-authenticate"] == "Bearer"
        for name, request in GRPC:
            assert over_grpc(someone, name, request) == ("UNAUTHENTICATED", sentence)
    assert keyed.post(infer_path("plane"), document(PLANE)).status_code == 200


def test_health_needs_no_key(keyed: Clients) -> None:
    nobody = as_someone(keyed, None)
    with nobody.rest:
        assert [nobody.rest.get(path).status_code for path in OPEN] == [200] * len(OPEN)
    assert nobody.call("ServerLive", pb.ServerLiveRequest()).live
    assert nobody.call("ServerReady", pb.ServerReadyRequest()).ready
    assert nobody.call("ModelReady", pb.ModelReadyRequest(name="plane")).ready
    assert health(nobody, "") == SERVING


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_with_the_key_all_is_answered(keyed: Clients, scheme: str) -> None:
    someone = as_someone(keyed, f"{scheme} {KEY}")
    with someone.rest:
        assert someone.post(infer_path("plane"), document(PLANE)).status_code == 200
        assert someone.rest.get("/v2/models/plane").status_code == 200
        assert someone.rest.get("/metrics").status_code == 200
    assert someone.call("ModelInfer", message(PLANE)).model_name == "plane"
    assert [model.name for model in someone.call("RepositoryIndex", INDEX).models] == ["plane"]


OFF = "Loading and unloading are off; expected --enable_repository_api of the operator."


@pytest.mark.parametrize("name", ["plane", "unknown"])
@pytest.mark.parametrize("guarded", [True, False])
def test_loading_and_unloading_are_off_by_default(
    keyed: Clients, clients: Clients, name: str, *, guarded: bool
) -> None:
    asked = keyed if guarded else clients
    for verb in ("load", "unload"):
        assert over_rest(asked.post(f"/v2/repository/models/{name}/{verb}", b"")) == (403, OFF)
    for method, request in [
        ("RepositoryModelLoad", pb.RepositoryModelLoadRequest(model_name=name)),
        ("RepositoryModelUnload", pb.RepositoryModelUnloadRequest(model_name=name)),
    ]:
        assert over_grpc(asked, method, request) == ("PERMISSION_DENIED", OFF)
    assert asked.call("ModelReady", pb.ModelReadyRequest(name="plane")).ready


def states(clients: Clients) -> dict[str, tuple[str, str]]:
    return {item["name"]: (item["state"], item["reason"]) for item in clients.post("/v2/repository/index", b"").json()}


def by_rest(clients: Clients, verb: str) -> None:
    response = clients.post(f"/v2/repository/models/plane/{verb}", b"")
    assert (response.status_code, response.json()) == (200, {"name": "plane", verb: True})


def by_grpc(clients: Clients, verb: str) -> None:
    if verb == "load":
        answer = clients.call("RepositoryModelLoad", LOAD)
        assert (answer.model_name, answer.is_loaded) == ("plane", True)
    else:
        answer = clients.call("RepositoryModelUnload", UNLOAD)
        assert (answer.model_name, answer.is_unloaded) == ("plane", True)


def by_kserve(clients: Clients, verb: str) -> None:
    """Name the model as KServe's clients do, in the field that is the repository's name to Triton's."""
    message_type = pb.RepositoryModelLoadRequest if verb == "load" else pb.RepositoryModelUnloadRequest
    method = "RepositoryModelLoad" if verb == "load" else "RepositoryModelUnload"
    assert clients.call(method, message_type(repository_name="plane")).model_name == "plane"


@pytest.mark.parametrize("ask", [by_rest, by_grpc, by_kserve])
def test_a_model_is_unloaded_and_loaded_again(operated: Clients, ask: object) -> None:
    assert callable(ask)
    ask(operated, "unload")
    sentence = "Model 'plane' is unloaded."
    assert over_rest(operated.post(infer_path("plane"), document(PLANE))) == (503, sentence)
    assert over_grpc(operated, "ModelInfer", message(PLANE)) == ("UNAVAILABLE", sentence)
    assert states(operated) == {"plane": ("UNAVAILABLE", "Unloaded."), "ridge": ("READY", "")}
    assert operated.rest.get("/v2/health/ready").status_code == 200
    ask(operated, "load")
    assert operated.post(infer_path("plane"), document(PLANE)).status_code == 200
    assert states(operated) == {"plane": ("READY", ""), "ridge": ("READY", "")}


def test_an_unknown_model_is_neither_loaded_nor_unloaded(operated: Clients) -> None:
    for verb in ("load", "unload"):
        assert over_rest(operated.post(f"/v2/repository/models/unknown/{verb}", b"")).status == 404
    unknown = pb.RepositoryModelLoadRequest(model_name="unknown")
    assert over_grpc(operated, "RepositoryModelLoad", unknown).status == "NOT_FOUND"


def test_a_load_takes_no_parameters(operated: Clients) -> None:
    sentence = "A model is loaded as its artifact describes it; send no parameters with a load."
    body = {"parameters": {"config": "{}"}}
    assert over_rest(operated.post("/v2/repository/models/plane/load", body)) == (400, sentence)
    request = pb.RepositoryModelLoadRequest(model_name="plane")
    request.parameters["config"].string_param = "{}"
    assert over_grpc(operated, "RepositoryModelLoad", request) == ("INVALID_ARGUMENT", sentence)
