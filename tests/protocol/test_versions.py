"""Several versions of a model at once: which one answers, which one can't, and what is said of them."""

from pathlib import Path
from typing import Any

import pytest

from model.grpc import open_inference_pb2 as pb
from tests.protocol.conftest import Start
from tests.protocol.encodings import Ask, Sent, document, infer_path, message
from tests.protocol.refusals import over_grpc, over_rest
from tests.protocol.test_health import SERVING, health
from tests.protocol.wires import WIRES, Clients, Wire

INPUTS = (Sent("x", "FP64", (2, 1), (5.0, 6.0)),)
DEFAULTS = {"newest": "10", "champion": "2", "vacant": "2"}
VERSIONS = {"newest": ["1", "2", "10"], "champion": ["1", "2", "3"], "vacant": ["1", "2"]}
EACH = [(model, version) for model, versions in VERSIONS.items() for version in versions]


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
@pytest.mark.parametrize(("model", "version"), DEFAULTS.items())
def test_without_a_version_the_champion_answers_or_the_newest(
    clients: Clients, model: str, version: str, wire: Wire
) -> None:
    answer = wire(clients, Ask(model, INPUTS))
    assert (answer.model, answer.version) == (model, version)
    assert answer.outputs["predict"].values == (float(version),) * 2


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
@pytest.mark.parametrize(("model", "version"), EACH)
def test_a_version_that_is_named_answers_itself(clients: Clients, model: str, version: str, wire: Wire) -> None:
    answer = wire(clients, Ask(model, INPUTS, version))
    assert (answer.model, answer.version) == (model, version)
    assert answer.outputs["predict"].values == (float(version),) * 2


@pytest.mark.parametrize(("model", "version"), DEFAULTS.items())
def test_v1_and_rows_are_answered_by_the_same_version(clients: Clients, model: str, version: str) -> None:
    assert clients.post(f"/v1/models/{model}:predict", {"instances": [[7]]}).json() == {"predictions": [float(version)]}
    expected = {"prediction": float(version), "model": model, "version": version}
    assert clients.post(f"/predict/{model}", {"x": 7}).json() == expected
    assert clients.post(f"/predict/{model}", [{"x": 7}]).json() == [expected]


@pytest.mark.parametrize(("model", "versions"), VERSIONS.items())
def test_metadata_name_the_versions_that_answer(clients: Clients, model: str, versions: list[str]) -> None:
    for path in [f"/v2/models/{model}", *(f"/v2/models/{model}/versions/{version}" for version in versions)]:
        assert clients.rest.get(path).json()["versions"] == versions
    for version in ["", *versions]:
        answer = clients.call("ModelMetadata", pb.ModelMetadataRequest(name=model, version=version))
        assert list(answer.versions) == versions


@pytest.mark.parametrize(("model", "version"), EACH)
def test_each_version_that_answers_is_ready(clients: Clients, model: str, version: str) -> None:
    assert clients.rest.get(f"/v2/models/{model}/versions/{version}/ready").status_code == 200
    assert clients.call("ModelReady", pb.ModelReadyRequest(name=model, version=version)).ready


def test_a_broken_newest_version_leaves_server_and_model_ready(clients: Clients) -> None:
    assert clients.rest.get("/v2/health/ready").json() == {"ready": True}
    assert clients.rest.get("/v2/models/newest/ready").json() == {"name": "newest", "ready": True}
    assert clients.call("ModelReady", pb.ModelReadyRequest(name="newest")).ready
    assert health(clients, "newest") == SERVING


def test_a_broken_version_is_not_ready_and_does_not_answer(clients: Clients) -> None:
    response = clients.rest.get("/v2/models/newest/versions/11/ready")
    assert (response.status_code, response.json()) == (503, {"name": "newest", "ready": False})
    assert not clients.call("ModelReady", pb.ModelReadyRequest(name="newest", version="11")).ready
    ask = Ask("newest", INPUTS, "11")
    sentence = "Model 'newest' version 11 is not ready; the repository index has the reason."
    assert over_rest(clients.post(infer_path("newest", "11"), document(ask))) == (503, sentence)
    assert over_grpc(clients, "ModelInfer", message(ask)) == ("UNAVAILABLE", sentence)


def index(clients: Clients, **body: Any) -> list[dict[str, str]]:
    response = clients.post("/v2/repository/index", body)
    assert response.status_code == 200
    lines: list[dict[str, str]] = response.json()
    return lines


def by_grpc(clients: Clients, *, ready: bool) -> list[dict[str, str]]:
    answer = clients.call("RepositoryIndex", pb.RepositoryIndexRequest(ready=ready))
    return [{"name": m.name, "version": m.version, "state": m.state, "reason": m.reason} for m in answer.models]


def test_the_index_has_every_version_and_the_reason_of_a_broken_one(clients: Clients) -> None:
    lines = [line for line in index(clients) if line["name"] == "newest"]
    states = [(line["version"], line["state"]) for line in lines]
    assert states == [("1", "READY"), ("2", "READY"), ("10", "READY"), ("11", "UNAVAILABLE")]
    assert [line["reason"] for line in lines[:3]] == ["", "", ""]
    assert "model.joblib" in lines[3]["reason"]
    assert "sha256" in lines[3]["reason"]


def test_the_index_lists_the_same_over_both_protocols(clients: Clients) -> None:
    assert by_grpc(clients, ready=False) == index(clients)
    assert by_grpc(clients, ready=False) == index(clients, ready=False)
    ready = index(clients, ready=True)
    assert by_grpc(clients, ready=True) == ready
    assert {line["state"] for line in ready} == {"READY"}
    assert [line for line in index(clients) if line["state"] == "READY"] == ready


def test_a_body_is_no_condition_of_the_index(clients: Clients) -> None:
    assert clients.post("/v2/repository/index", b"").json() == index(clients)


def test_the_repository_has_no_other_name(clients: Clients) -> None:
    request = pb.RepositoryIndexRequest(repository_name="other")
    assert over_grpc(clients, "RepositoryIndex", request).status == "INVALID_ARGUMENT"


def test_a_version_that_is_no_number_is_not_there(clients: Clients) -> None:
    """There is a directory of that name among the versions."""
    assert all(line.get("version") != "latest" for line in index(clients))
    assert over_rest(clients.rest.get("/v2/models/newest/versions/latest")).status == 404


def test_v1_lists_each_model_once(clients: Clients) -> None:
    models = clients.rest.get("/v1/models").json()["models"]
    assert models.count("newest") == 1
    assert set(models) == {line["name"] for line in index(clients, ready=True)}


def test_one_models_directory_of_versions_is_served_under_the_name_given(start: Start, root: Path) -> None:
    clients = start(args=("--model_dir", str(root / "newest"), "--model_name", "other"))
    assert [(line["name"], line["version"]) for line in index(clients, ready=True)] == [
        ("other", version) for version in VERSIONS["newest"]
    ]
    for wire in WIRES.values():
        answer = wire(clients, Ask("other", INPUTS))
        assert (answer.model, answer.version) == ("other", "10")
    assert clients.post("/predict", {"x": 7}).json() == {"prediction": 10.0, "model": "other", "version": "10"}
