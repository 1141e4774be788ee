"""What the metrics of a real server say after requests of both protocols, and of models that come and go."""

import json
from collections import defaultdict
from datetime import datetime
from pathlib import Path

import grpc
import pytest
from prometheus_client.parser import text_string_to_metric_families

from model.grpc import open_inference_pb2 as pb
from tests.keys import make_key
from tests.protocol.encodings import Ask, Sent, document, infer_path, message
from tests.protocol.wires import Clients
from tests.protocol.zoo import spoil
from tests.reliability.conftest import Serve
from tests.reliability.parts import ask, publish_flowers
from tests.reliability.test_readiness import index, ready

Samples = defaultdict[tuple[str, str], float]


def samples(clients: Clients, **labels: str) -> Samples:
    """Return the values of all samples with these labels, by name and the remaining labels in alphabetical order."""
    found: Samples = defaultdict(float)
    for family in text_string_to_metric_families(clients.rest.get("/metrics").text):
        for sample in family.samples:
            if labels.items() <= sample.labels.items():
                rest = {name: value for name, value in sample.labels.items() if name not in labels}
                found[sample.name, ",".join(rest[name] for name in sorted(rest))] = sample.value
    return found


def grown(before: Samples, after: Samples) -> Samples:
    return defaultdict(float, {key: value - before[key] for key, value in after.items() if value != before[key]})


@pytest.fixture(scope="module")
def clients(serve_all: Serve, tmp_path_factory: pytest.TempPathFactory) -> Clients:
    """A server whose operator may load and unload."""
    root = tmp_path_factory.mktemp("models")
    for name in ("flowers", "others"):
        publish_flowers(root, name)
        publish_flowers(root, name)
    key_file = tmp_path_factory.mktemp("keys") / "keys.json"
    key = make_key(key_file, "operator", admin=True)
    args = ("--model_root", root, "--enable_repository_api", "--api_key_file", key_file, "--max_rows", "10")
    return serve_all(*args, key=key)


@pytest.fixture
def root(clients: Clients) -> Path:
    args = clients.server.process.args
    assert isinstance(args, list)
    return Path(str(args[args.index("--model_root") + 1]))


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_a_request_moves_every_series_of_its_model(clients: Clients, protocol: str) -> None:
    before = samples(clients, model="flowers", version="2"), samples(clients, model_name="flowers")
    if protocol == "rest":
        assert clients.post(infer_path("flowers"), document(ask(rows=3))).status_code == 200
    else:
        assert clients.call("ModelInfer", message(ask(rows=3))).model_version == "2"
    of_version = grown(before[0], samples(clients, model="flowers", version="2"))
    of_model = grown(before[1], samples(clients, model_name="flowers"))

    assert of_version["inference_requests_total", f"200,{protocol}"] == 1
    assert of_version["inference_request_duration_seconds_count", protocol] == 1
    assert 0 < of_version["inference_request_duration_seconds_sum", protocol] < 10
    assert of_version["inference_queue_wait_seconds_count", ""] == 1
    assert (of_version["inference_batch_rows_count", ""], of_version["inference_batch_rows_sum", ""]) == (1, 3)
    for stage in ("preprocess", "predict", "postprocess"):
        assert of_model[f"request_{stage}_seconds_count", ""] == 1
        assert of_model[f"request_{stage}_seconds_sum", ""] > 0
    assert samples(clients)["inference_requests_in_flight", ""] == 0


def test_refusals_are_counted_by_code_and_reason_over_both_protocols(clients: Clients) -> None:
    before = samples(clients)
    unknown = Ask("nobody", (Sent("x", "FP64", (1, 2), (0.0, 0.5)),))
    for request in (ask(rows=11), unknown, ask(outputs=("colour",))):
        assert clients.post(infer_path(request.model), document(request)).status_code in {400, 404, 413}
        with pytest.raises(grpc.RpcError):
            clients.call("ModelInfer", message(request))
    stranger = Clients.of(clients.server, "a-wrong-key")
    assert stranger.post(infer_path("flowers"), document(ask())).status_code == 401
    with pytest.raises(grpc.RpcError):
        stranger.call("ModelInfer", message(ask()))
    stranger.close()

    after = grown(before, samples(clients))
    for protocol in ("rest", "grpc"):
        assert after["inference_requests_total", f"413,flowers,{protocol},2"] == 1
        assert after["inference_requests_total", f"400,flowers,{protocol},2"] == 1
        assert after["inference_requests_total", f"404,,{protocol},"] == 1
    assert after["inference_rejected_total", "too_large"] == 2
    assert after["inference_rejected_total", "unauthenticated"] == 2
    assert not any("nobody" in labels for _, labels in after), "a name from a request is no label"


def test_loads_are_counted_and_dated(clients: Clients, root: Path) -> None:
    before = samples(clients, model="others")
    published = json.loads((root / "others" / "1" / "manifest.json").read_text())["created"]
    assert before["model_created_timestamp_seconds", "1"] == datetime.fromisoformat(published).timestamp()
    assert before["model_loads_total", "success"] >= 2
    assert before["model_last_load_timestamp_seconds", "1"] > 1.6e9
    assert clients.post("/v2/repository/models/others/load", {}).json() == {"name": "others", "load": True}
    after = grown(before, samples(clients, model="others"))
    assert after["model_loads_total", "success"] == 2
    assert after["model_last_load_timestamp_seconds", "2"] > 0
    assert after["model_created_timestamp_seconds", "2"] == 0


def test_an_unloaded_model_takes_its_series_with_it(clients: Clients) -> None:
    assert clients.post(infer_path("others"), document(ask(model="others"))).status_code == 200
    assert samples(clients, model="others")["inference_requests_total", "200,rest,2"] >= 1
    assert clients.post("/v2/repository/models/others/unload", {}).json() == {"name": "others", "unload": True}

    left = samples(clients, model="others")
    assert {name for name, _ in left} == {"model_loads_total", "model_swaps_total"}
    assert samples(clients, model_name="others") == {}
    assert index(clients)["others", ""] == ("UNAVAILABLE", "Unloaded.")
    assert (ready(clients, "others"), ready(clients)) == (503, 200)
    answer = clients.post(infer_path("others"), document(ask(model="others")))
    assert (answer.status_code, answer.json()) == (503, {"error": "Model 'others' is unloaded."})
    assert {name for name, _ in samples(clients, model="others")} == {"model_loads_total", "model_swaps_total"}

    clients.call("RepositoryModelLoad", pb.RepositoryModelLoadRequest(model_name="others"))
    assert index(clients)["others", "1"] == index(clients)["others", "2"] == ("READY", "")
    assert clients.post(infer_path("others"), document(ask(model="others"))).status_code == 200
    fresh = samples(clients, model="others")
    assert fresh["inference_requests_total", "200,rest,2"] == 1


def test_a_version_that_is_published_later_is_loaded_when_told(clients: Clients, root: Path) -> None:
    publish_flowers(root, "flowers")
    assert ("flowers", "3") not in index(clients)
    assert clients.post("/v2/repository/models/flowers/load", {}).status_code == 200
    assert clients.post(infer_path("flowers"), document(ask())).json()["model_version"] == "3"
    assert index(clients)["flowers", "3"] == ("READY", "")


def test_a_version_that_is_damaged_later_goes_on_as_it_was_loaded(clients: Clients, root: Path) -> None:
    before = samples(clients, model="others")
    for version in ("1", "2"):
        spoil(root / "others" / version)
    answer = clients.post("/v2/repository/models/others/load", {})
    assert answer.status_code == 503
    assert answer.json() == {
        "error": "No version of model 'others' could be loaded; the repository index has the reasons."
    }
    assert clients.post(infer_path("others"), document(ask(model="others"))).json()["model_version"] == "2"
    state, reason = index(clients)["others", "2"]
    assert state == "READY"
    assert "was damaged or replaced" in reason
    after = grown(before, samples(clients, model="others"))
    assert after["model_loads_total", "failure"] == after["model_swaps_total", "failure"] == 2
    assert after["inference_requests_total", "200,rest,2"] == 1
