"""Whatever comes over the wire: it is answered, or refused in one sentence that blames the client; never a failure."""

import json
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocol.encodings import (
    LENGTH_HEADER,
    Answer,
    Ask,
    binary,
    document,
    has_infinity,
    infer_path,
    message,
    same,
)
from tests.protocol.layouts import CASES, ask, instances, rows_for
from tests.protocol.mutations import asks, damaged, mutated
from tests.protocol.refusals import STATUSES, Refused, over_rest
from tests.protocol.wires import WIRES, Clients, Wire, carries

MODELS = ("mixed_columns", "fish", "k_neighbors", "text_pipeline", "dates", "hist_gradient_boosting_category", "plane")
BLAMED = (400, 404, 413)
FAILURES = ("request failed", "grpc request failed", "model failed")


@pytest.fixture(scope="module")
def right(clients: Clients) -> dict[str, Ask]:
    """A right request for each of a few models, of two rows, from which the wrong ones are made."""
    cases = {case.model: case for case in reversed(CASES) if case.model in MODELS}
    requests = {name: ask(clients, case, rows_for(name, gaps=False)[:2], ()) for name, case in cases.items()}
    assert all(wire(clients, request).outputs for wire in WIRES.values() for request in requests.values())
    return requests


@pytest.fixture(autouse=True)
def _no_failure_in_the_log(clients: Clients) -> Iterator[None]:
    before = {event: len(clients.server.events(event)) for event in FAILURES}
    yield
    assert {event: len(clients.server.events(event)) for event in FAILURES} == before


def check_rest(response: httpx.Response) -> None:
    if response.status_code == 200:
        json.loads(response.content[: int(response.headers.get(LENGTH_HEADER, len(response.content)))])
    else:
        assert over_rest(response).status in BLAMED


def check_grpc(clients: Clients, method: str, content: bytes) -> None:
    try:
        clients.call(method, content)
    except grpc.RpcError as error:
        call: Any = error
        assert call.code().name in {STATUSES[status] for status in BLAMED}, call


def test_mutated_documents(clients: Clients, right: dict[str, Ask]) -> None:
    documents = {name: [document(request), document(request, nest=True)] for name, request in right.items()}
    extras = {"id": "7", "parameters": {"content_type": "pd"}, "outputs": [{"name": "predict", "parameters": {}}]}

    @given(data=st.data(), name=st.sampled_from(MODELS))
    @settings(max_examples=250)
    def mutate(data: st.DataObject, name: str) -> None:
        content = data.draw(mutated([*documents[name], *(item | extras for item in documents[name])]))
        check_rest(clients.post(infer_path(name), content))

    mutate()


def test_mutated_instances_and_rows(clients: Clients) -> None:
    bodies: list[tuple[str, Any]] = []
    for name in MODELS:
        for form in ("lists", "objects"):
            rows = instances(name, rows_for(name, gaps=True)[:2], form)
            bodies.append((f"/v1/models/{name}:predict", {"instances": rows}))
            bodies.append((f"/predict/{name}", rows))

    @given(data=st.data(), body=st.sampled_from(bodies))
    @settings(max_examples=250)
    def mutate(data: st.DataObject, body: tuple[str, Any]) -> None:
        path, rows = body
        check_rest(clients.post(path, data.draw(mutated([rows]))))

    mutate()


def test_damaged_bodies(clients: Clients, right: dict[str, Ask]) -> None:
    bodies = {name: (json.dumps(document(request)).encode(), *binary(request)) for name, request in right.items()}

    @given(data=st.data(), name=st.sampled_from(MODELS))
    @settings(max_examples=200)
    def damage(data: st.DataObject, name: str) -> None:
        in_json, in_binary, headers = bodies[name]
        check_rest(clients.post(infer_path(name), data.draw(damaged([in_json]))))
        check_rest(clients.post(infer_path(name), data.draw(damaged([in_binary])), **headers))

    damage()


def test_mutated_heads_of_binary_tensors(clients: Clients, right: dict[str, Ask]) -> None:
    @given(data=st.data(), name=st.sampled_from(MODELS))
    @settings(max_examples=200)
    def mutate(data: st.DataObject, name: str) -> None:
        content, headers = binary(right[name])
        size = int(headers[LENGTH_HEADER])
        head = data.draw(mutated([json.loads(content[:size])]))
        check_rest(clients.post(infer_path(name), head + content[size:], **{LENGTH_HEADER: str(len(head))}))

    mutate()


PATHS = (*map(infer_path, MODELS), "/v1/models/fish:predict", "/predict/fish", "/predict", "/v2/repository/index")


@given(
    path=st.sampled_from(PATHS),
    content=st.binary(max_size=64),
    length=st.none() | st.integers(-1, 70).map(str) | st.text(st.characters(codec="ascii", categories=["L", "N", "P"])),
    encoding=st.none() | st.sampled_from(["gzip", "deflate", "identity"]),
)
@settings(max_examples=200)
def test_any_bytes_over_rest(
    clients: Clients, path: str, content: bytes, length: str | None, encoding: str | None
) -> None:
    headers = {} if length is None else {LENGTH_HEADER: length}
    if encoding is not None:
        headers["Content-Encoding"] = encoding
    check_rest(clients.post(path, content, **headers))


METHODS = (
    "ModelInfer",
    "ModelMetadata",
    "ModelReady",
    "ModelStatistics",
    "RepositoryIndex",
    "ServerLive",
    "ServerMetadata",
    "ServerReady",
)


@given(method=st.sampled_from(METHODS), content=st.binary(max_size=64))
@settings(max_examples=200)
def test_any_bytes_over_grpc(clients: Clients, method: str, content: bytes) -> None:
    check_grpc(clients, method, content)


def test_damaged_messages(clients: Clients, right: dict[str, Ask]) -> None:
    contents = [message(ask, raw=raw).SerializeToString() for ask in right.values() for raw in (True, False)]

    @given(content=damaged(contents))
    @settings(max_examples=250)
    def damage(content: bytes) -> None:
        check_grpc(clients, "ModelInfer", content)

    damage()


NAMES = ["left", "right", "length", "eggs", "tagged", "island", "x"]


JSON_OUT = ("json_flat", "json_nested", "json_gzipped", "binary_in")


def fate(clients: Clients, wire: Wire, request: Ask) -> Answer | str:
    """Return the answer, or the status of the refusal."""
    try:
        return wire(clients, request)
    except Refused as refused:
        return refused.status


@pytest.mark.parametrize("model", ["plane", "fish", "k_neighbors", "echo_floats", "echo_integers", "echo_strings"])
def test_every_encoding_of_any_request_meets_the_same_fate(clients: Clients, model: str) -> None:
    names = ["value", "x"] if model.startswith("echo") else NAMES

    @given(request=asks(model, names))
    @settings(max_examples=100)
    def ask(request: Ask) -> None:
        fates = {name: fate(clients, wire, request) for name, wire in WIRES.items() if carries(name, request)}
        reference = fates.get("grpc_raw", fates["json_flat"])
        for name, met in fates.items():
            if isinstance(reference, str) or isinstance(met, str):
                no_token = name in JSON_OUT and isinstance(reference, Answer) and has_infinity(reference)
                assert met == ("INVALID_ARGUMENT" if no_token else reference), name
            else:
                assert same(met, reference), name

    ask()
