"""A server that is still loading: it lives, is not ready, and says so."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from model.grpc import open_inference_pb2 as pb
from tests.protocol import zoo
from tests.protocol.encodings import Ask, Sent, document, infer_path, message
from tests.protocol.gates import Gates
from tests.protocol.refusals import Refusal, caught, over_rest
from tests.protocol.test_health import NOT_SERVING, SERVING, health
from tests.protocol.wires import Clients
from tests.servers import ServerProcess

ASK = Ask("sluggish", (Sent("x", "FP64", (1, 2), (5.0, 6.0)),))
PLANE = Ask("plane", (Sent("x", "FP64", (1, 2), (1.0, 2.0)),))


@pytest.fixture
def loading(tmp_path: Path) -> Iterator[Clients]:
    """A server that has one model loaded and is busy with another."""
    zoo.publish_subjects(tmp_path / "root", "plane", "sluggish")
    flags = ("--model_root", str(tmp_path / "root"), "--code_dir", str(zoo.CODE_DIR), "--drain_seconds", "0")
    server = ServerProcess.start(*flags, until="loaded", env={"GATES": str(tmp_path)})
    with server, closing(Clients.of(server)) as clients:
        yield clients


def test_it_lives_but_is_not_ready_until_all_is_loaded(loading: Clients, tmp_path: Path) -> None:
    assert loading.rest.get("/v2/health/live").status_code == 200
    assert loading.call("ServerLive", pb.ServerLiveRequest()).live
    for path in ("/v2/health/ready", "/v2/models/sluggish/ready"):
        assert loading.rest.get(path).status_code == 503
    assert not loading.call("ServerReady", pb.ServerReadyRequest()).ready
    assert not loading.call("ModelReady", pb.ModelReadyRequest(name="sluggish")).ready
    assert [health(loading, service) for service in ("", "sluggish", "plane")] == [NOT_SERVING, NOT_SERVING, SERVING]
    response = loading.post(infer_path("sluggish"), document(ASK))
    assert over_rest(response) == (503, "Model 'sluggish' is loading; try again later.")
    refusal, metadata = caught(loading, "ModelInfer", message(ASK))
    assert refusal == Refusal("UNAVAILABLE", "Model 'sluggish' is loading; try again later.")
    assert response.headers["retry-after"] == metadata["retry-after"] == "1"
    states = {line["name"]: line["state"] for line in loading.post("/v2/repository/index", b"").json()}
    assert states == {"plane": "READY", "sluggish": "LOADING"}
    assert loading.post(infer_path("plane"), document(PLANE)).status_code == 200
    Gates(tmp_path).open(0)
    loading.server.wait_for("ready")
    assert loading.rest.get("/v2/health/ready").status_code == 200
    assert loading.post(infer_path("sluggish"), document(ASK)).json()["outputs"][0]["data"] == [5.0]


def test_it_can_be_stopped(loading: Clients) -> None:
    assert loading.server.stop(25) == 0
