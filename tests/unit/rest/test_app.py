import asyncio
import gzip
import json
import re

import orjson
import pytest
import structlog.testing

from model.errors import DeadlineExceeded, NotReady, Overloaded, ServingError, TooLarge, Unauthenticated
from model.rest.routes import ROUTES, Route
from tests.unit.rest.conftest import FakeDataPlane, Running, Serve

pytestmark = pytest.mark.asyncio

ROW = {"mass": 5.3, "island": "Dream"}
INFER = {
    "inputs": [
        {"name": "mass", "shape": [1], "datatype": "FP64", "data": [5.3]},
        {"name": "island", "shape": [1], "datatype": "BYTES", "data": ["Dream"]},
    ]
}


def path_of(route: Route) -> str:
    return route.path.replace("{model}", "penguins").replace("{version}", "3")


async def test_errors_have_one_form(running: Running) -> None:
    for method, path, status in [
        ("GET", "/nothing/here", 404),
        ("DELETE", "/v2", 405),
        ("POST", "/v2/models/unknown/infer", 404),
        ("POST", "/predict", 400),
    ]:
        answer = await running.client.request(method, path, content=b"[")
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/json"
        assert list(answer.json()) == ["error"]
        assert isinstance(answer.json()["error"], str)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_another_method_is_405_and_names_those_allowed(running: Running, route: Route) -> None:
    answer = await running.client.request("PATCH", path_of(route))
    assert answer.status_code == 405
    assert route.method in answer.headers["allow"].split(", ")
    assert ("HEAD" in answer.headers["allow"]) is (route.method == "GET")
    assert route.method in answer.json()["error"]


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.method == "GET"], ids=lambda route: route.path.replace("/", "_")
)
async def test_head_answers_as_get_does_without_the_body(running: Running, route: Route) -> None:
    got = await running.client.get(path_of(route))
    head = await running.client.head(path_of(route))
    assert got.status_code == head.status_code == 200
    assert int(head.headers["content-length"]) == len(got.content)
    assert head.content == b""
    assert head.headers["content-type"] == got.headers["content-type"]


@pytest.mark.parametrize("encoding", ["br", "gzip, br"])
async def test_unknown_content_encodings_are_415(running: Running, encoding: str) -> None:
    for path in ("/predict", "/v2/models/penguins/infer", "/v1/models/penguins:predict", "/v2/repository/index"):
        answer = await running.client.post(path, content=b"{}", headers={"Content-Encoding": encoding})
        assert answer.status_code == 415
        assert answer.headers["accept-encoding"] == "gzip, deflate"
        assert "expected gzip, deflate or identity" in answer.json()["error"]


async def test_compressed_bodies_are_read(running: Running, plane: FakeDataPlane) -> None:
    answer = await running.client.post(
        "/predict", content=gzip.compress(orjson.dumps(ROW)), headers={"Content-Encoding": "gzip"}
    )
    assert answer.status_code == 200
    assert plane.calls[0].size_bytes == len(orjson.dumps(ROW))


async def test_a_request_id_goes_in_and_out(running: Running, plane: FakeDataPlane) -> None:
    sent = "id " + "x" * 125
    answer = await running.client.post("/predict", json=ROW, headers={"X-Request-ID": sent})
    assert answer.headers["x-request-id"] == plane.calls[0].request_id == sent


@pytest.mark.parametrize("sent", [b"", b"x" * 129, b"\xc3\xa9", b"tab\there"])
async def test_a_bad_request_id_is_replaced(running: Running, plane: FakeDataPlane, sent: bytes) -> None:
    answer = await running.client.post("/predict", json=ROW, headers={b"X-Request-ID": sent})
    assert re.fullmatch("[0-9a-f]{16}-[0-9a-f]+", answer.headers["x-request-id"])
    assert plane.calls[0].request_id == answer.headers["x-request-id"]


async def test_new_request_ids_differ_and_stand_on_errors_too(running: Running) -> None:
    ids = [(await running.client.get(path)).headers["x-request-id"] for path in ("/", "/", "/nothing")]
    assert len(set(ids)) == 3


async def test_a_key_is_needed_where_the_data_plane_wants_one(running: Running, plane: FakeDataPlane) -> None:
    plane.key = "secret"
    for route in ROUTES:
        answer = await running.client.request(route.method, path_of(route))
        assert (answer.status_code == 401) is not route.public, route.path
        if not route.public:
            assert answer.headers["www-authenticate"] == "Bearer"
    assert all(isinstance(error, Unauthenticated) for error in plane.refusals)


async def test_the_right_key_opens(running: Running, plane: FakeDataPlane) -> None:
    plane.key = "secret"
    answer = await running.client.get("/metrics", headers={"Authorization": "Bearer secret"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (Overloaded("Full."), 429, "1"),
        (NotReady("Not yet."), 503, "1"),
        (DeadlineExceeded("Late."), 504, None),
        (TooLarge("Rows."), 413, None),
        (ServingError("The model failed."), 500, None),
    ],
)
async def test_each_error_has_its_status(
    running: Running, plane: FakeDataPlane, error: ServingError, status: int, retry_after: str | None
) -> None:
    plane.failure = error
    answer = await running.client.post("/predict", json=ROW)
    assert answer.status_code == status
    assert answer.json() == {"error": str(error)}
    assert answer.headers.get("retry-after") == retry_after


async def test_an_unforeseen_error_is_for_the_log_alone(running: Running, plane: FakeDataPlane) -> None:
    plane.failure = KeyError("a feature's value")
    with structlog.testing.capture_logs() as logs:
        answer = await running.client.post("/predict", json=ROW, headers={"X-Request-ID": "abc"})
    assert answer.status_code == 500
    assert answer.json() == {"error": "The server failed to answer; see its log for request abc."}
    (line,) = logs
    assert (line["event"], line["request_id"], line["log_level"]) == ("request failed", "abc", "error")
    assert line["exc_info"]


async def test_while_draining_each_answer_closes_its_connection(running: Running, plane: FakeDataPlane) -> None:
    assert "connection" not in (await running.client.get("/v2/health/live")).headers
    running.app.draining = True
    plane.is_ready = False
    for answer in (
        await running.client.get("/v2/health/ready"),
        await running.client.post("/predict", json=ROW),
        await running.client.get("/nothing"),
    ):
        assert answer.headers["connection"] == "close"
    assert (await running.client.post("/predict", json=ROW)).status_code == 200


async def test_a_proxys_patience_is_the_deadline(running: Running, plane: FakeDataPlane) -> None:
    loop_time = asyncio.get_running_loop().time()  # the loop's clock is time.monotonic()
    await running.client.post("/predict", json=ROW, headers={"x-envoy-expected-rq-timeout-ms": "2000"})
    assert 1 < (plane.calls[0].deadline or 0.0) - loop_time < 3


async def test_without_a_timeout_there_is_no_deadline(running: Running, plane: FakeDataPlane) -> None:
    await running.client.post("/predict", json=ROW)
    assert plane.calls[0].deadline is None


async def test_docs_can_be_turned_off(serve: Serve) -> None:
    running = await serve(enable_docs=False)
    assert (await running.client.get("/docs")).status_code == 404
    document = (await running.client.get("/openapi.json")).json()
    assert "/docs" not in document["paths"]


async def test_the_page_loads_nothing_from_elsewhere(running: Running) -> None:
    answer = await running.client.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert not re.search(r"(src|href)=\"(?!data:)", answer.text)
    assert not re.search(r"https?://", answer.text)


async def test_metrics_are_what_the_scraper_accepts(running: Running) -> None:
    answer = await running.client.get("/metrics", headers={"Accept": "application/openmetrics-text"})
    assert answer.text == "# accept: application/openmetrics-text\n"
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


async def test_the_root_says_what_kserves_says(running: Running) -> None:
    answer = await running.client.get("/")
    assert json.loads(answer.content) == {"status": "alive"}
