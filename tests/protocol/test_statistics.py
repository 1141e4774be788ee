"""Counts and durations, of both protocols together, as both protocols tell them."""

from typing import Any

import pytest

from model.grpc import open_inference_pb2 as pb
from tests.protocol.encodings import Ask, Sent, document, infer_path, message
from tests.protocol.refusals import over_grpc, over_rest
from tests.protocol.wires import Clients

STAGES = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output")
ASK = Ask("champion", (Sent("x", "FP64", (3, 1), (1.0, 2.0, 3.0)),), "3")
BAD = Ask("champion", (Sent("x", "BYTES", (1,), ("1.0",)),), "3")


def by_rest(clients: Clients, path: str) -> list[dict[str, Any]]:
    response = clients.rest.get(path)
    assert response.status_code == 200
    statistics: list[dict[str, Any]] = response.json()["model_stats"]
    return statistics


def by_grpc(clients: Clients, name: str = "", version: str = "") -> list[dict[str, Any]]:
    answer = clients.call("ModelStatistics", pb.ModelStatisticsRequest(name=name, version=version))
    return [
        {
            "name": model.name,
            "version": model.version,
            "last_inference": model.last_inference,
            "inference_count": model.inference_count,
            "execution_count": model.execution_count,
            "inference_stats": {
                stage: {
                    "count": getattr(model.inference_stats, stage).count,
                    "ns": getattr(model.inference_stats, stage).ns,
                }
                for stage in STAGES
            },
            "batch_stats": [],
        }
        for model in answer.model_stats
    ]


def test_requests_of_both_protocols_are_counted_together(clients: Clients) -> None:
    (before,) = by_rest(clients, "/v2/models/champion/versions/3/stats")
    clients.post(infer_path("champion", "3"), document(ASK))
    clients.call("ModelInfer", message(ASK))
    assert over_rest(clients.post(infer_path("champion", "3"), document(BAD))).status == 400
    (after,) = by_rest(clients, "/v2/models/champion/versions/3/stats")
    assert after["inference_count"] - before["inference_count"] == 6
    assert after["execution_count"] - before["execution_count"] == 2
    counts = {
        stage: after["inference_stats"][stage]["count"] - before["inference_stats"][stage]["count"] for stage in STAGES
    }
    assert counts == {"success": 2, "fail": 1, "queue": 2, "compute_input": 2, "compute_infer": 2, "compute_output": 2}
    assert after["inference_stats"]["success"]["ns"] > before["inference_stats"]["success"]["ns"]
    assert after["inference_stats"]["fail"]["ns"] > before["inference_stats"]["fail"]["ns"]
    assert after["last_inference"] > 1_700_000_000_000


@pytest.mark.parametrize(
    ("path", "name", "version", "versions"),
    [
        ("/v2/models/champion/versions/3/stats", "champion", "3", ["3"]),
        ("/v2/models/champion/stats", "champion", "", ["1", "2", "3"]),
        ("/v2/models/newest/stats", "newest", "", ["1", "2", "10"]),
    ],
)
def test_both_protocols_tell_the_same(
    clients: Clients, path: str, name: str, version: str, versions: list[str]
) -> None:
    statistics = by_rest(clients, path)
    assert [(item["name"], item["version"]) for item in statistics] == [(name, version) for version in versions]
    assert by_grpc(clients, name, version) == statistics


def test_without_a_name_there_are_those_of_all_models(clients: Clients) -> None:
    statistics = by_rest(clients, "/v2/models/stats")
    assert by_grpc(clients) == statistics
    ready = {(line["name"], line["version"]) for line in clients.post("/v2/repository/index", {"ready": True}).json()}
    assert {(item["name"], item["version"]) for item in statistics} == ready


@pytest.mark.parametrize(("name", "version"), [("unknown", ""), ("unknown", "1"), ("champion", "8")])
def test_of_what_there_is_not_there_are_none(clients: Clients, name: str, version: str) -> None:
    path = f"/v2/models/{name}/versions/{version}/stats" if version else f"/v2/models/{name}/stats"
    rest = over_rest(clients.rest.get(path))
    rpc = over_grpc(clients, "ModelStatistics", pb.ModelStatisticsRequest(name=name, version=version))
    assert (rest.status, rpc.status) == (404, "NOT_FOUND")
    assert rest.sentence == rpc.sentence
