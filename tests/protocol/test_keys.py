"""Who may ask: keys, the models they are for, and what the operator has not turned on."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from google.protobuf.message import Message

from model.grpc import open_inference_pb2 as pb
from tests.keys import make_key
from tests.protocol.conftest import Start
from tests.protocol.encodings import Ask, Sent, document, infer_path, message
from tests.protocol.refusals import over_grpc, over_rest
from tests.protocol.test_health import SERVING, health
from tests.protocol.wires import Clients

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


@dataclass
class Guarded:
    """A server with keys: its file of them, the clients of each by its id, and the key of one."""

    file: Path
    clients: dict[str, Clients]
    key: str


@pytest.fixture(scope="module")
def guarded(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A server of two models with a key for all, one for each, and one for a model that is not there."""
    file = tmp_path_factory.mktemp("keys") / "keys.json"
    key = make_key(file, "all")
    wanted = {"plane": ("plane",), "ridge": ("ridge",), "gone": ("gone",), "revoked": ()}
    keys = {key_id: make_key(file, key_id, *models) for key_id, models in wanted.items()}
    args = ("--api_key_file", str(file), "--default_model", "plane", "--enable_latency_logging")
    everyone = start("plane", "ridge", key=key, args=args)
    with ExitStack() as stack:
        others = {key_id: as_someone(everyone, f"Bearer {text}") for key_id, text in keys.items()}
        for other in others.values():
            stack.callback(other.rest.close)
        yield Guarded(file, {"all": everyone} | others, key)


@pytest.fixture
def keyed(guarded: Guarded) -> Clients:
    """A server whose clients need a key, and which lets them neither load nor unload."""
    return guarded.clients["all"]


@pytest.fixture(scope="module")
def operators(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Clients]]:
    """Clients, some of whom may load and unload."""
    file = tmp_path_factory.mktemp("keys") / "keys.json"
    admin = make_key(file, "admin", admin=True)
    keys = {"user": make_key(file, "user"), "admin of ridge": make_key(file, "ridge", "ridge", admin=True)}
    clients = start("plane", "ridge", key=admin, args=("--api_key_file", str(file), "--enable_repository_api"))
    with ExitStack() as stack:
        others = {name: as_someone(clients, f"Bearer {text}") for name, text in keys.items()}
        for other in others.values():
            stack.callback(other.rest.close)
        yield {"admin": clients} | others


@pytest.fixture
def operated(operators: dict[str, Clients]) -> Clients:
    """A server whose clients may load and unload, all models."""
    return operators["admin"]


def as_someone(clients: Clients, authorization: str | None) -> Clients:
    """Return clients of the same server with other credentials."""
    headers = {} if authorization is None else {"Authorization": authorization}
    rest = httpx.Client(base_url=clients.rest.base_url, headers=headers, timeout=30)
    return Clients(clients.server, rest, clients.channel, tuple((k.lower(), v) for k, v in headers.items()))


WITHOUT = "The request has no credentials; expected the header Authorization: Bearer <key>."
WRONG = "The request has a wrong key; expected the header Authorization: Bearer <key>."


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        (None, WITHOUT),
        ("Bearer", WRONG),
        ("Bearer all.swordfish", WRONG),
        ("Bearer nobody.swordfish", WRONG),
        ("Bearer {}es", WRONG),
        ("Basic {}", WRONG),
        ("{}", WRONG),
    ],
)
def test_without_the_right_key_nothing_is_answered_or_changed(
    guarded: Guarded, keyed: Clients, form: str | None, sentence: str
) -> None:
    someone = as_someone(keyed, form and form.format(guarded.key))
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
def test_with_the_key_all_is_answered(guarded: Guarded, keyed: Clients, scheme: str) -> None:
    someone = as_someone(keyed, f"{scheme} {guarded.key}")
    with someone.rest:
        assert someone.post(infer_path("plane"), document(PLANE)).status_code == 200
        assert someone.rest.get("/v2/models/plane").status_code == 200
        assert someone.rest.get("/metrics").status_code == 200
    assert someone.call("ModelInfer", message(PLANE)).model_name == "plane"
    assert [model.name for model in someone.call("RepositoryIndex", INDEX).models] == ["plane", "ridge"]


NOT_FOR = "The key is not for this model; expected one of 'ridge'."
OF_A_MODEL = [(method, path) for method, path in REST if "plane" in path or "unknown" in path]
"""Routes that name a model; load and unload, which are off here, are tried elsewhere."""


@pytest.mark.parametrize(
    ("method", "path"), [*((m, p) for m, p in OF_A_MODEL if "repository" not in p), ("GET", "/v1/models/plane")]
)
def test_a_key_for_another_model_opens_no_route_of_it(guarded: Guarded, method: str, path: str) -> None:
    assert over_rest(guarded.clients["ridge"].rest.request(method, path)) == (403, NOT_FOR)


def test_a_key_for_another_model_does_not_open_the_default_model(guarded: Guarded) -> None:
    assert over_rest(guarded.clients["ridge"].post("/predict", [{"x": 1}])) == (403, NOT_FOR)
    nameless = pb.ModelInferRequest.FromString(message(PLANE).SerializeToString())
    nameless.model_name = ""
    assert over_grpc(guarded.clients["ridge"], "ModelInfer", nameless) == ("PERMISSION_DENIED", NOT_FOR)
    assert guarded.clients["plane"].call("ModelInfer", nameless).model_name == "plane"


@pytest.mark.parametrize("name", ["plane", "unknown"])
def test_a_key_for_another_model_opens_no_call_of_it(guarded: Guarded, name: str) -> None:
    calls: list[tuple[str, Message]] = [
        ("ModelInfer", message(Ask(name, PLANE.inputs))),
        ("ModelMetadata", pb.ModelMetadataRequest(name=name)),
        ("ModelStatistics", pb.ModelStatisticsRequest(name=name)),
        ("ModelStatistics", pb.ModelStatisticsRequest(name=name, version="1")),
    ]
    for method, request in calls:
        assert over_grpc(guarded.clients["ridge"], method, request) == ("PERMISSION_DENIED", NOT_FOR)


def test_a_key_opens_the_model_that_it_is_for(guarded: Guarded) -> None:
    owner = guarded.clients["ridge"]
    assert owner.rest.get("/v2/models/ridge").json()["name"] == "ridge"
    assert owner.rest.get("/v2/models/ridge/stats").status_code == 200
    assert owner.rest.get("/v1/models/ridge").json() == {"name": "ridge", "ready": True}
    assert owner.rest.get("/v2").status_code == 200
    assert owner.call("ModelMetadata", pb.ModelMetadataRequest(name="ridge")).name == "ridge"


def test_lists_show_the_models_of_the_key_alone(guarded: Guarded) -> None:
    owner = guarded.clients["ridge"]
    assert owner.rest.get("/v1/models").json() == {"models": ["ridge"]}
    assert [line["name"] for line in owner.post("/v2/repository/index", b"").json()] == ["ridge"]
    assert [line["name"] for line in owner.rest.get("/v2/models/stats").json()["model_stats"]] == ["ridge"]
    assert [model.name for model in owner.call("RepositoryIndex", INDEX).models] == ["ridge"]
    statistics = owner.call("ModelStatistics", pb.ModelStatisticsRequest())
    assert [model.name for model in statistics.model_stats] == ["ridge"]


def test_nothing_that_a_key_opens_names_another_model(guarded: Guarded) -> None:
    owner = guarded.clients["ridge"]
    for method, path in [*REST, ("GET", "/openapi.json"), ("GET", "/metrics"), ("GET", "/v2/models/ridge")]:
        answer = owner.rest.request(method, path, content=b"" if method == "POST" else None)
        assert "plane" not in answer.text, path


def test_a_key_for_a_model_that_is_not_there_learns_of_no_other(guarded: Guarded) -> None:
    stranger = guarded.clients["gone"]
    sentence = "Model 'gone' is unknown; expected none."
    assert over_rest(stranger.post(infer_path("gone"), document(PLANE))) == (404, sentence)
    assert over_grpc(stranger, "ModelMetadata", pb.ModelMetadataRequest(name="gone")) == ("NOT_FOUND", sentence)


def test_the_metrics_are_for_a_key_of_all_models(guarded: Guarded) -> None:
    sentence = "The metrics tell of all models; expected a key that is for all."
    assert over_rest(guarded.clients["ridge"].rest.get("/metrics")) == (403, sentence)


def test_a_probe_learns_of_no_model_but_its_own(guarded: Guarded) -> None:
    nobody = as_someone(guarded.clients["all"], None)
    sentence = "Model 'unknown' is unknown."
    with nobody.rest:
        assert over_rest(nobody.rest.get("/v2/models/unknown/ready")) == (404, sentence)
    assert over_grpc(nobody, "ModelReady", pb.ModelReadyRequest(name="unknown")) == ("NOT_FOUND", sentence)


def test_a_key_that_is_taken_out_of_the_file_is_refused(guarded: Guarded) -> None:
    former = guarded.clients["revoked"]
    assert former.rest.get("/v2").status_code == 200
    document = json.loads(guarded.file.read_bytes())
    document["keys"] = [entry for entry in document["keys"] if entry["id"] != "revoked"]
    guarded.file.write_text(json.dumps(document))
    end = time.monotonic() + 20
    while former.rest.get("/v2").status_code == 200:
        assert time.monotonic() < end, "the key still opens"
        time.sleep(0.1)
    assert over_rest(former.rest.get("/v2")) == (401, WRONG)
    assert over_grpc(former, "ServerMetadata", pb.ServerMetadataRequest()) == ("UNAUTHENTICATED", WRONG)
    assert guarded.clients["all"].rest.get("/v2").status_code == 200


def test_a_file_that_is_broken_later_leaves_the_keys_as_they_were(guarded: Guarded) -> None:
    good, server = guarded.file.read_bytes(), guarded.clients["all"].server
    guarded.file.write_bytes(good[:-20])
    end = time.monotonic() + 20
    said = "changed files are not used, what they held before is"
    while not server.events(said):
        assert time.monotonic() < end, server
        assert guarded.clients["all"].rest.get("/v2").status_code == 200
    (line,) = server.events(said)
    assert line["reason"].startswith(f"The file of keys {guarded.file} is not JSON")
    guarded.file.write_bytes(good)


def test_the_log_names_the_key_and_never_holds_it(guarded: Guarded) -> None:
    asked = guarded.clients["all"]
    for clients in (asked, guarded.clients["ridge"]):
        clients.post(infer_path("plane"), document(PLANE), X_Request_ID="named")
    asked.rest.get("/v2", headers={"Authorization": f"Basic {guarded.key}"})
    asked.server.wait_for("request", lambda line: line["request_id"] == "named" and line["code"] == 403)
    named = [line for line in asked.server.events("request") if line["request_id"] == "named"]
    assert [(line["client"], line["code"]) for line in named] == [("all", 200), ("ridge", 403)]
    assert guarded.key.partition(".")[2] not in str(asked.server)


OFF = "Loading and unloading are off; expected --enable_repository_api of the operator."


@pytest.mark.parametrize("name", ["plane", "unknown"])
@pytest.mark.parametrize("with_keys", [True, False])
def test_loading_and_unloading_are_off_by_default(
    keyed: Clients, clients: Clients, name: str, *, with_keys: bool
) -> None:
    asked = keyed if with_keys else clients
    for verb in ("load", "unload"):
        assert over_rest(asked.post(f"/v2/repository/models/{name}/{verb}", b"")) == (403, OFF)
    for method, request in [
        ("RepositoryModelLoad", pb.RepositoryModelLoadRequest(model_name=name)),
        ("RepositoryModelUnload", pb.RepositoryModelUnloadRequest(model_name=name)),
    ]:
        assert over_grpc(asked, method, request) == ("PERMISSION_DENIED", OFF)
    assert asked.call("ModelReady", pb.ModelReadyRequest(name="plane")).ready


NO_ADMIN = "The key is not an admin's; expected one that is, for loading and unloading."


@pytest.mark.parametrize(("who", "sentence"), [("user", NO_ADMIN), ("admin of ridge", NOT_FOR)])
def test_loading_and_unloading_need_an_admin_of_the_model(
    operators: dict[str, Clients], who: str, sentence: str
) -> None:
    for verb in ("load", "unload"):
        assert over_rest(operators[who].post(f"/v2/repository/models/plane/{verb}", b"")) == (403, sentence)
    assert over_grpc(operators[who], "RepositoryModelLoad", LOAD) == ("PERMISSION_DENIED", sentence)
    assert over_grpc(operators[who], "RepositoryModelUnload", UNLOAD) == ("PERMISSION_DENIED", sentence)
    assert operators["admin"].call("ModelReady", pb.ModelReadyRequest(name="plane")).ready
    assert operators["admin of ridge"].post("/v2/repository/models/ridge/load", b"").status_code == 200


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
