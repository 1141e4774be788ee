"""A plain HTTP/1.1 client: what goes over the socket when no library is polite about it."""

import gzip
import http.client
import json
from collections.abc import Callable, Iterator

import pytest

from tests.clients.asked import MATRIX
from tests.clients.models import Models
from tests.clients.plain import BODY, PREDICT, Connection, chunk, head, request
from tests.servers import ServerProcess

POINTS_INFER = "/v2/models/points/infer"


@pytest.fixture
def connection(server: ServerProcess) -> Iterator[Connection]:
    with Connection(server.http_port) as connection:
        yield connection


@pytest.fixture
def labels(models: Models) -> list[str]:
    return models.of_birds()


def _labels(document: list[dict[str, str]]) -> list[str]:
    return [row["prediction"] for row in document]


def test_python_s_own_client_keeps_its_connection(server: ServerProcess, labels: list[str]) -> None:
    client = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=20)
    sockets = set()
    for _ in range(3):
        client.request("POST", PREDICT, BODY)
        answer = client.getresponse()
        assert _labels(json.load(answer)) == labels
        sockets.add(client.sock)
    client.close()
    assert len(sockets) == 1
    assert None not in sockets


def test_python_s_own_client_sends_chunks(server: ServerProcess, labels: list[str]) -> None:
    client = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=20)
    client.request("POST", PREDICT, iter([BODY[:7], BODY[7:]]), encode_chunked=True)
    assert _labels(json.load(client.getresponse())) == labels
    client.close()


def test_a_connection_outlives_a_refusal(connection: Connection, labels: list[str]) -> None:
    connection.send(request(body=b"{"))
    assert connection.reply().status == 400
    connection.send(request())
    assert _labels(connection.reply().json()) == labels


def test_a_client_may_ask_to_close(connection: Connection, labels: list[str]) -> None:
    connection.send(request(PREDICT, "Connection: close"))
    assert _labels(connection.reply().json()) == labels
    assert connection.is_closed()


def test_http_1_0_is_answered_and_closed(connection: Connection) -> None:
    connection.send(head("/v2/health/live", method="GET", version="1.0"))
    assert connection.reply().json() == {"live": True}
    assert connection.is_closed()


def test_a_body_may_come_in_chunks_with_extensions_and_trailers(connection: Connection, labels: list[str]) -> None:
    connection.send(
        head(PREDICT, "Transfer-Encoding: chunked"),
        chunk(BODY[:10], ";part=first"),
        chunk(BODY[10:]),
        b"0\r\nX-Trailer: ignored\r\n\r\n",
    )
    assert _labels(connection.reply().json()) == labels
    connection.send(request())
    assert connection.reply().status == 200


def test_chunks_may_be_compressed(connection: Connection, labels: list[str]) -> None:
    packed = gzip.compress(BODY)
    connection.send(head(PREDICT, "Transfer-Encoding: chunked", "Content-Encoding: gzip"))
    connection.send(*(chunk(packed[i : i + 20]) for i in range(0, len(packed), 20)), chunk(b""))
    assert _labels(connection.reply().json()) == labels


def test_a_request_may_trickle_in(connection: Connection, labels: list[str]) -> None:
    whole = request()
    connection.send(*(whole[i : i + 1] for i in range(len(whole))))
    assert _labels(connection.reply().json()) == labels


def test_expect_100_continue_is_told_to_go_on(connection: Connection, labels: list[str]) -> None:
    connection.send(head(PREDICT, f"Content-Length: {len(BODY)}", "Expect: 100-continue"))
    assert connection.reply().status == 100
    connection.send(BODY)
    assert _labels(connection.reply().json()) == labels


@pytest.mark.parametrize(
    ("target", "length", "status"), [("/nowhere", 10, 404), (PREDICT, 10**10, 413)], ids=["404", "413"]
)
def test_expect_100_continue_spares_a_body_that_nobody_will_read(
    connection: Connection, target: str, length: int, status: int
) -> None:
    connection.send(head(target, f"Content-Length: {length}", "Expect: 100-continue"))
    reply = connection.reply()
    assert reply.status == status
    assert reply.json()["error"]


@pytest.mark.parametrize("target", ["/", "/v2", "/v2/models/birds", "/v2/health/ready", "/openapi.json", "/docs"])
def test_head_tells_what_get_would_without_its_body(connection: Connection, target: str) -> None:
    connection.send(head(target, method="HEAD"))
    told = connection.reply(to_head=True)
    connection.send(head(target, method="GET"))
    got = connection.reply()
    assert (told.status, told.body) == (200, b"")
    assert int(told.headers["content-length"]) == len(got.body) > 0
    assert told.headers["content-type"] == got.headers["content-type"]


def test_pipelined_requests_are_answered_in_order(connection: Connection, models: Models) -> None:
    tensor = {"name": "x", "shape": [3, 3], "datatype": "FP64", "data": MATRIX.tolist()}
    infer = request(POINTS_INFER, body=json.dumps({"id": "second", "inputs": [tensor]}).encode())
    connection.send(request() + infer + head("/nowhere", method="GET") + request())
    first, second, third, fourth = (connection.reply() for _ in range(4))
    assert _labels(first.json()) == _labels(fourth.json()) == models.of_birds()
    assert second.json()["id"] == "second"
    assert second.json()["outputs"][0]["data"] == pytest.approx(models.of_points(), rel=1e-12)
    assert third.status == 404


@pytest.mark.parametrize(
    "content_type",
    ["", "Content-Type: application/x-www-form-urlencoded", "Content-Type: application/json; charset=utf-8"],
    ids=["none", "curl's", "with a charset"],
)
def test_the_content_type_does_not_matter(connection: Connection, labels: list[str], content_type: str) -> None:
    connection.send(request(PREDICT, *filter(None, [content_type])))
    assert _labels(connection.reply().json()) == labels


@pytest.mark.parametrize("change", [str.lower, str.upper, str.title])
def test_the_case_of_header_names_does_not_matter(
    connection: Connection, models: Models, change: Callable[[str], str]
) -> None:
    parameters = {"binary_data_size": MATRIX.nbytes}
    tensor = {"name": "x", "shape": [3, 3], "datatype": "FP64", "parameters": parameters}
    document = json.dumps({"inputs": [tensor]}).encode()
    body = gzip.compress(document + MATRIX.tobytes())
    names = [
        change("inference-header-content-length") + f": {len(document)}",
        change("content-encoding") + ": GZIP",
        change("content-length") + f": {len(body)}",
        change("x-request-id") + ": Some-Id",
    ]
    connection.send(head(POINTS_INFER, *names) + body)
    reply = connection.reply()
    assert reply.json()["outputs"][0]["data"] == pytest.approx(models.of_points(), rel=1e-12)
    assert reply.headers["x-request-id"] == "Some-Id"


@pytest.mark.parametrize(
    "target", [f"http://127.0.0.1{PREDICT}", f"{PREDICT}?pretty=1", "/predict/b%69rds", f"{PREDICT}/"]
)
def test_a_path_may_be_written_in_other_ways(connection: Connection, labels: list[str], target: str) -> None:
    connection.send(request(target))
    assert _labels(connection.reply().json()) == labels


@pytest.mark.parametrize(
    "message",
    [
        head(PREDICT, "Content-Length: 5", "Transfer-Encoding: chunked") + chunk(BODY) + chunk(b""),
        head(PREDICT, "Content-Length: 5", "Content-Length: 7") + BODY,
        head(PREDICT, "Content-Length: five"),
        head(PREDICT, "Transfer-Encoding: chunked") + b"zz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=["two lengths", "lengths that differ", "no number", "no chunk", "TLS"],
)
def test_what_is_no_http_is_refused_and_closed(connection: Connection, message: bytes) -> None:
    connection.send(message)
    reply = connection.reply()
    assert reply.status == 400
    assert "not valid HTTP" in reply.json()["error"]
    assert connection.is_closed()
