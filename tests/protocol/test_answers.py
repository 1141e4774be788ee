"""The form of an answer: what is echoed, what is left out, which outputs come, and in which form."""

import json
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from model.grpc import open_inference_pb2 as pb
from tests.protocol.conftest import Start
from tests.protocol.encodings import (
    LENGTH_HEADER,
    Ask,
    Document,
    Sent,
    binary,
    document,
    infer_path,
    message,
    read_grpc,
    read_rest,
    same,
)
from tests.protocol.wires import WIRES, Clients, Wire

FISH = (
    Sent("length", "FP64", (2,), (41.0, 39.5)),
    Sent("eggs", "INT64", (2,), (1, 0)),
    Sent("tagged", "BOOL", (2,), (True, False)),
    Sent("island", "BYTES", (2,), ("Dream", "Biscoe")),
)
PLANE = (Sent("x", "FP64", (1, 2), (1.0, 2.0)),)


@pytest.fixture(scope="module")
def bare(start: Start, root: Any, tmp_path_factory: pytest.TempPathFactory) -> Clients:
    """A server of one artifact without a manifest, which has no version."""
    directory = tmp_path_factory.mktemp("bare")
    (directory / "model.joblib").write_bytes((root / "plane" / "1" / "model.joblib").read_bytes())
    return start(args=("--model_dir", str(directory), "--model_name", "plane"))


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
@pytest.mark.parametrize("request_id", ["", "42", "ünïcode 🐟"])
def test_an_id_is_echoed_if_there_is_one(clients: Clients, wire: Wire, request_id: str) -> None:
    assert wire(clients, Ask("fish", FISH, id=request_id)).id == request_id


@pytest.mark.parametrize("request_id", ["", "42"])
def test_json_leaves_out_what_there_is_not(clients: Clients, bare: Clients, request_id: str) -> None:
    ask = Ask("plane", PLANE, id=request_id)
    echoed = ["id"] if request_id else []
    body = clients.post(infer_path("plane"), document(ask)).json()
    assert list(body) == ["model_name", "model_version", *echoed, "outputs"]
    body = bare.post(infer_path("plane"), document(ask)).json()
    assert list(body) == ["model_name", *echoed, "outputs"]
    assert list(body["outputs"][0]) == ["name", "datatype", "shape", "data"]


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
@pytest.mark.parametrize("version", ["", "1"])
def test_a_versioned_model_says_its_version(clients: Clients, wire: Wire, version: str) -> None:
    assert wire(clients, Ask("plane", PLANE, version=version)).version == "1"


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
def test_a_model_without_versions_says_none(bare: Clients, wire: Wire) -> None:
    answer = wire(bare, Ask("plane", PLANE))
    assert (answer.model, answer.version) == ("plane", "")
    assert answer.outputs["predict"].values == pytest.approx((0.0,))


def test_metadata_of_a_model_without_versions_names_none(bare: Clients) -> None:
    body = bare.rest.get("/v2/models/plane").json()
    assert list(body) == ["name", "platform", "inputs", "outputs"]
    assert list(bare.call("ModelMetadata", pb.ModelMetadataRequest(name="plane")).versions) == []
    assert bare.post("/v2/repository/index", b"").json() == [{"name": "plane", "state": "READY", "reason": ""}]
    assert bare.rest.get("/v2/models/plane/versions/1").status_code == 404


def test_the_only_model_answers_where_none_is_named(bare: Clients) -> None:
    row = bare.post("/predict", {"left": 1, "right": 2})
    assert row.json() == {"prediction": pytest.approx(0.0), "model": "plane"}
    unnamed = bare.call("ModelInfer", message(Ask("", PLANE)))
    assert same(read_grpc(unnamed), read_grpc(bare.call("ModelInfer", message(Ask("plane", PLANE)))))


@pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)
@pytest.mark.parametrize("outputs", list(permutations(["predict", "predict_proba", "decision_function"], 2)))
def test_outputs_come_by_name_in_the_order_asked_for(clients: Clients, wire: Wire, outputs: tuple[str, ...]) -> None:
    assert tuple(wire(clients, Ask("fish", FISH, outputs=outputs)).outputs) == outputs


def test_an_empty_list_of_outputs_is_none_named(clients: Clients) -> None:
    answer = read_rest(clients.post(infer_path("fish"), document(Ask("fish", FISH)) | {"outputs": []}))
    assert list(answer.outputs) == ["predict"]


BINARY: list[tuple[bool | None, dict[str, bool | None], set[str]]] = [
    (None, {"predict": None, "predict_proba": None}, set()),
    (False, {"predict": None, "predict_proba": None}, set()),
    (True, {"predict": None, "predict_proba": None}, {"predict", "predict_proba"}),
    (True, {"predict": False, "predict_proba": None}, {"predict_proba"}),
    (True, {"predict": False, "predict_proba": False}, set()),
    (None, {"predict": True, "predict_proba": False}, {"predict"}),
    (False, {"predict": None, "predict_proba": True}, {"predict_proba"}),
    (True, {}, {"predict"}),
    (None, {}, set()),
]


@pytest.mark.parametrize(("default", "outputs", "expected"), BINARY)
def test_binary_is_asked_for_per_request_and_overridden_per_output(
    clients: Clients, *, default: bool | None, outputs: dict[str, bool | None], expected: set[str]
) -> None:
    body = document(Ask("fish", FISH))
    if default is not None:
        body["parameters"] = {"binary_data_output": default}
    if outputs:
        body["outputs"] = [
            {"name": name} if flag is None else {"name": name, "parameters": {"binary_data": flag}}
            for name, flag in outputs.items()
        ]
    response = clients.post(infer_path("fish"), body)
    assert response.headers["content-length"] == str(len(response.content))
    assert response.headers["content-type"] == ("application/octet-stream" if expected else "application/json")
    assert (LENGTH_HEADER in response.headers) == bool(expected)
    head = json.loads(response.content[: int(response.headers.get(LENGTH_HEADER, len(response.content)))])
    assert {item["name"] for item in head["outputs"] if "data" not in item} == expected
    everything = Ask("fish", FISH, outputs=tuple(outputs))
    assert same(read_rest(response), read_rest(clients.post(infer_path("fish"), document(everything))))


@pytest.mark.parametrize("binary_first", [True, False])
def test_some_inputs_may_be_binary_and_others_not(clients: Clients, *, binary_first: bool) -> None:
    content, headers = binary(Ask("fish", FISH[:2] if binary_first else FISH[2:]))
    size = int(headers[LENGTH_HEADER])
    mixed: Document = json.loads(content[:size])
    in_json = document(Ask("fish", FISH[2:] if binary_first else FISH[:2]))["inputs"]
    mixed["inputs"] = [*mixed["inputs"], *in_json] if binary_first else [*in_json, *mixed["inputs"]]
    head = json.dumps(mixed).encode()
    response = clients.post(infer_path("fish"), head + content[size:], **{LENGTH_HEADER: str(len(head))})
    assert same(read_rest(response), read_rest(clients.post(infer_path("fish"), document(Ask("fish", FISH)))))


def test_parameters_that_mean_nothing_here_are_let_pass(clients: Clients) -> None:
    parameters = {"sequence_id": 7, "priority": 1.5, "flag": True, "note": "x"}
    plain, told = Ask("fish", FISH), Ask("fish", FISH, parameters=parameters)
    assert all(same(wire(clients, told), wire(clients, plain)) for wire in WIRES.values())


@pytest.mark.parametrize("path", [infer_path("fish"), infer_path("fish", "1")])
def test_an_answer_carries_the_id_of_its_request_in_a_header(clients: Clients, path: str) -> None:
    body = document(Ask("fish", FISH))
    assert clients.post(path, body, X_Request_ID="mine").headers["x-request-id"] == "mine"
    first, second = (clients.post(path, body).headers["x-request-id"] for _ in range(2))
    assert first
    assert first != second


def test_an_answer_carries_the_id_of_its_call_in_the_trailing_metadata(clients: Clients) -> None:
    mine = replace(clients, metadata=(("x-request-id", "mine"),))
    assert mine.call_with_trailers("ModelInfer", message(Ask("fish", FISH)))[1]["x-request-id"] == "mine"
    ids = {clients.call_with_trailers("ModelInfer", message(Ask("fish", FISH)))[1]["x-request-id"] for _ in range(2)}
    assert len(ids) == 2
