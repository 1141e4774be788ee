"""The log of a real server: JSON alone, a line per request if wanted, and never what was sent."""

import json
from pathlib import Path
from typing import Any

import grpc
import pytest

from model.grpc import open_inference_pb2 as pb
from tests.protocol.encodings import Ask, Sent, document, infer_path, message
from tests.protocol.wires import SERVICE, Clients
from tests.reliability.conftest import Serve
from tests.reliability.parts import ask, publish_flowers, publish_part, publish_places

WORD = "quokka-7f3a"
NUMBER = 48151.623421
"""What is looked for; in an error an estimator quotes it with six digits."""


@pytest.fixture(scope="module")
def clients(serve_all: Serve, tmp_path_factory: pytest.TempPathFactory) -> Clients:
    root = tmp_path_factory.mktemp("models")
    publish_flowers(root)
    publish_places(root)
    publish_part(root, "Gated")
    gates = tmp_path_factory.mktemp("gates")
    return serve_all(
        "--model_root", root, "--enable_latency_logging", "--log_level", "debug", env={"GATES": str(gates)}
    )


def place(name: str) -> Ask:
    return Ask("places", (Sent("place", "BYTES", (1, 1), (name,)),))


def over_grpc(clients: Clients, request: Ask, request_id: str) -> tuple[str, str]:
    """Send a request with an id, and return the status and the id that came back."""
    infer: Any = clients.channel.unary_unary(
        f"/{SERVICE}/ModelInfer", pb.ModelInferRequest.SerializeToString, pb.ModelInferResponse.FromString
    )
    try:
        _, call = infer.with_call(message(request), timeout=30, metadata=[("x-request-id", request_id)])
    except grpc.RpcError as error:
        call = error
    trailers = {str(key): str(value) for key, value in call.trailing_metadata()}
    return call.code().name, trailers["x-request-id"]


def line_of(clients: Clients, request_id: str) -> dict[str, Any]:
    """Return the one line of a request."""
    clients.server.wait_for("request", lambda line: line["request_id"] == request_id)
    (line,) = [line for line in clients.server.events("request") if line["request_id"] == request_id]
    assert line.pop("duration_ms") > 0
    assert line.pop("timestamp").endswith("Z")
    return line


REQUEST = {"event": "request", "level": "info", "client": ""}


def test_a_request_over_rest_has_one_line(clients: Clients) -> None:
    answer = clients.post(infer_path("flowers"), document(ask(rows=3)), X_Request_ID="rest-1")
    assert answer.headers["x-request-id"] == "rest-1"
    said = {"request_id": "rest-1", "protocol": "rest", "model": "flowers", "version": "1", "code": 200, "rows": 3}
    assert line_of(clients, "rest-1") == REQUEST | said


def test_a_request_over_grpc_has_one_line(clients: Clients) -> None:
    assert over_grpc(clients, ask(rows=2), "grpc-1") == ("OK", "grpc-1")
    said = {"request_id": "grpc-1", "protocol": "grpc", "model": "flowers", "version": "1", "code": 200, "rows": 2}
    assert line_of(clients, "grpc-1") == REQUEST | said


def test_a_refused_request_has_one_line_too(clients: Clients) -> None:
    assert over_grpc(clients, ask(model="nobody"), "grpc-2") == ("NOT_FOUND", "grpc-2")
    said = {"request_id": "grpc-2", "protocol": "grpc", "model": "", "version": "", "code": 404, "rows": 0}
    assert line_of(clients, "grpc-2") == REQUEST | said


def test_a_request_without_an_id_is_given_one(clients: Clients) -> None:
    given = clients.post(infer_path("flowers"), document(ask())).headers["x-request-id"]
    assert line_of(clients, given)["code"] == 200


def test_what_a_client_calls_a_request_cannot_break_the_log(clients: Clients) -> None:
    for request_id in ('"}\\n{"event": "forged', "x" * 5000, "\u00fc"):
        headers = [(b"X-Request-ID", request_id.encode())]
        path = infer_path("flowers")
        answer = clients.rest.post(path, content=json.dumps(document(ask())), headers=headers)
        assert line_of(clients, answer.headers["x-request-id"])["code"] == 200
    assert clients.server.events("forged") == []


def sentinels(clients: Clients) -> list[int]:
    """Send what must not be logged, in requests that are answered and in requests that are refused."""
    broken = json.dumps(document(place(WORD)))[:-3].encode()
    number = str(NUMBER).encode()
    answers = [
        clients.post(infer_path("flowers"), document(ask(NUMBER))),
        clients.post("/predict/places", {"place": WORD}),
        clients.post("/predict/places", {"place": "north", WORD: 1}),
        clients.post(infer_path("places"), document(place(WORD))),
        clients.post(infer_path("places"), broken),
        clients.post("/v1/models/places:predict", {"instances": [[WORD], [WORD, WORD]]}),
        clients.post(infer_path("flowers"), document(place(WORD))),
        clients.post(infer_path("flowers"), b'{"inputs": [' + number),
        clients.post(infer_path("gated"), document(ask(-NUMBER, "gated"))),
        clients.rest.post(infer_path("flowers"), content=broken, headers={"Content-Encoding": "gzip"}),
        clients.post("/v2/repository/index", {"ready": WORD}),
        clients.rest.get(f"/{WORD}"),
    ]
    return [answer.status_code for answer in answers]


def test_no_feature_value_is_ever_logged(clients: Clients) -> None:
    assert sentinels(clients) == [200, 400, 400, 400, 400, 400, 400, 400, 500, 400, 400, 404]
    assert over_grpc(clients, ask(NUMBER), "s-1") == ("OK", "s-1")
    assert over_grpc(clients, place(WORD), "s-2") == ("INVALID_ARGUMENT", "s-2")
    assert over_grpc(clients, ask(-NUMBER, "gated"), "s-3") == ("INTERNAL", "s-3")
    line_of(clients, "s-3")
    log = str(clients.server)
    assert WORD not in log
    assert str(NUMBER)[:8] not in log
    assert clients.server.stray == []


def test_the_cause_of_a_failure_is_in_the_log_by_type_and_place(clients: Clients) -> None:
    answer = clients.post(infer_path("gated"), document(ask(-1.5, "gated")), X_Request_ID="fails")
    assert answer.json() == {"error": "Model 'gated' failed on this input; the server's log has the cause."}
    line = clients.server.wait_for("model failed", lambda line: line["request_id"] == "fails")
    assert (line["model"], line["level"]) == ("gated", "error")
    assert [link["type"] for link in line["exception"]] == ["ServingError", "RuntimeError"]
    assert "reliability_parts.py" in line["exception"][1]["frames"][-1]
    assert "message" not in line["exception"][1]


def test_flags_without_a_meaning_are_named(tmp_path: Path, serve: Serve) -> None:
    publish_flowers(tmp_path)
    clients = serve("--model_root", tmp_path, "--max_threads", "4", "--configure_logging", "true")
    (line,) = clients.server.events("these flags have no meaning here and are ignored")
    assert line["flags"] == ["--max_threads", "--configure_logging"]
    assert clients.post(infer_path("flowers"), document(ask()), X_Request_ID="quiet").status_code == 200
    assert clients.rest.get("/metrics").status_code == 200
    assert clients.server.events("request") == [], "a line per request is for those who ask for it"
