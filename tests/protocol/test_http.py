"""What HTTP itself may bring: paths, methods, encodings and framing, down to the bytes."""

import gzip
import json
import socket
import zlib
from typing import Any

import httpx
import pytest

from tests.protocol.encodings import LENGTH_HEADER, Ask, Sent, binary, document, infer_path, read_rest, same
from tests.protocol.refusals import over_rest
from tests.protocol.wires import Clients

ASK = Ask("plane", (Sent("x", "FP64", (1, 2), (1.0, 2.0)),))
BODY = json.dumps(document(ASK)).encode()
PATH = infer_path("plane")


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/v2/nothing",
        "/v2/models",
        "/v2/models/plane/nothing",
        "/v2/models/plane/versions",
        "/v2/models/plane/versions/1/nothing",
        "/v2//models/plane",
        "/v2/models//infer",
        "/v2/models/..%2f..%2fetc/infer",
        "/v2/models/pl%00ane",
        "/v2/models/" + "x" * 300,
        "/v3/models/plane",
        "/favicon.ico",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_an_unknown_path_is_not_found(clients: Clients, method: str, path: str) -> None:
    refusal = over_rest(clients.rest.request(method, path))
    assert refusal.status == 404
    assert "/openapi.json" in refusal.sentence


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", PATH, "POST"),
        ("DELETE", "/v2/models/plane", "GET, HEAD"),
        ("POST", "/v2/models/plane", "GET, HEAD"),
        ("PUT", PATH, "POST"),
        ("POST", "/v2/health/live", "GET, HEAD"),
        ("GET", "/v2/repository/index", "POST"),
        ("GET", "/predict", "POST"),
        ("POST", "/metrics", "GET, HEAD"),
        ("OPTIONS", "/v2", "GET, HEAD"),
        ("BREW", "/v2", "GET, HEAD"),
    ],
)
def test_another_method_is_not_allowed(clients: Clients, method: str, path: str, allowed: str) -> None:
    response = clients.rest.request(method, path)
    if method == "BREW":
        assert response.status_code in {400, 405}
        return
    assert over_rest(response).status == 405
    assert response.headers["allow"] == allowed


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2", "/v2/models/plane", "/metrics", "/openapi.json", "/docs"])
def test_head_is_get_without_its_body(clients: Clients, path: str) -> None:
    head, get = clients.rest.head(path), clients.rest.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"]


@pytest.mark.parametrize("path", [f"{PATH}/", f"{PATH}?verbose=1", "/v2/models/plane/versions/1/infer"])
def test_a_slash_or_a_query_at_the_end_does_not_matter(clients: Clients, path: str) -> None:
    assert same(read_rest(clients.post(path, BODY)), read_rest(clients.post(PATH, BODY)))


@pytest.mark.parametrize(
    "content_type", [None, "application/json", "application/octet-stream", "text/plain", "nonsense", "application/xml"]
)
def test_the_content_type_of_a_request_does_not_matter(clients: Clients, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    assert read_rest(clients.post(PATH, BODY, **headers)).model == "plane"


def bare_deflate(content: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(content) + compressor.flush()


COMPRESSED: dict[str, tuple[str, bytes]] = {
    "gzip": ("gzip", gzip.compress(BODY)),
    "by its old name": ("x-gzip", gzip.compress(BODY)),
    "in capitals": ("GZIP", gzip.compress(BODY)),
    "two members": ("gzip", gzip.compress(BODY[:10]) + gzip.compress(BODY[10:])),
    "deflate": ("deflate", zlib.compress(BODY)),
    "bare deflate": ("deflate", bare_deflate(BODY)),
    "identity": ("identity", BODY),
    "empty": ("", BODY),
}


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_compressed_body_is_answered_like_a_plain_one(clients: Clients, name: str) -> None:
    encoding, content = COMPRESSED[name]
    answer = read_rest(clients.post(PATH, content, Content_Encoding=encoding))
    assert same(answer, read_rest(clients.post(PATH, BODY)))


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda body: body[:-3],
        lambda body: body[:1],
        lambda body: b"",
        lambda body: b"hello",
        lambda body: bytes([*body[:12], body[12] ^ 255, *body[13:]]),
        lambda body: body + b"more",
    ],
    ids=["cut", "first byte", "empty", "another format", "damaged", "more behind"],
)
def test_a_damaged_stream_is_refused(clients: Clients, encoding: str, damage: Any) -> None:
    content = damage((gzip if encoding == "gzip" else zlib).compress(BODY))
    assert over_rest(clients.post(PATH, content, Content_Encoding=encoding)).status == 400


def test_the_length_header_counts_decompressed_bytes(clients: Clients) -> None:
    content, headers = binary(ASK)
    answer = read_rest(clients.post(PATH, gzip.compress(content), Content_Encoding="gzip", **headers))
    assert same(answer, read_rest(clients.post(PATH, BODY)))


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_body_in_chunks_is_answered_like_a_whole_one(clients: Clients, size: int) -> None:
    content, headers = binary(ASK)
    chunks = (content[start : start + size] for start in range(0, len(content), size))
    response = clients.rest.post(PATH, content=chunks, headers=headers)
    assert same(read_rest(response), read_rest(clients.post(PATH, BODY)))


def exchange(clients: Clients, *parts: bytes) -> list[tuple[int, dict[str, str], bytes]]:
    """Send bytes over a connection of its own, and read every answer until the server closes it."""
    with socket.create_connection(("127.0.0.1", clients.server.http_port), timeout=20) as connection:
        for part in parts:
            connection.sendall(part)
        received = b"".join(iter(lambda: connection.recv(65_536), b""))
    answers = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        size = int(headers["content-length"])
        answers.append((int(status.split()[1]), headers, rest[:size]))
        received = rest[size:]
    return answers


def head(*lines: str, method: str = "POST", path: str = PATH, version: str = "HTTP/1.1") -> bytes:
    return "\r\n".join([f"{method} {path} {version}", "Host: localhost", *lines, "", ""]).encode()


CLOSE = "Connection: close"
LENGTH = f"Content-Length: {len(BODY)}"


def test_requests_may_follow_one_another_without_waiting(clients: Clients) -> None:
    answers = exchange(clients, head(LENGTH) + BODY + head(LENGTH) + BODY + head(LENGTH, CLOSE) + BODY)
    assert [status for status, _, _ in answers] == [200] * 3
    assert len({body for _, _, body in answers}) == 1
    assert answers[-1][1]["connection"] == "close"


def test_a_request_may_come_byte_by_byte(clients: Clients) -> None:
    content = head(LENGTH, CLOSE) + BODY
    ((status, _, _),) = exchange(clients, *(content[i : i + 1] for i in range(len(content))))
    assert status == 200


def test_who_asks_whether_to_continue_is_told_so(clients: Clients) -> None:
    with socket.create_connection(("127.0.0.1", clients.server.http_port), timeout=20) as connection:
        connection.sendall(head(LENGTH, CLOSE, "Expect: 100-continue"))
        assert connection.recv(65_536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(BODY)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_who_offers_http_2_is_answered_in_http_1(clients: Clients) -> None:
    offer = ("Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABk")
    answers = exchange(clients, head(LENGTH, *offer) + BODY + head(LENGTH, CLOSE) + BODY)
    assert [status for status, _, _ in answers] == [200, 200]


def test_http_1_0_is_answered_and_closed(clients: Clients) -> None:
    ((status, _, _),) = exchange(clients, head(LENGTH, version="HTTP/1.0") + BODY)
    assert status == 200


NO_HTTP = {
    "words": b"hello\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "length a word": head("Content-Length: ten", CLOSE),
    "length negative": head("Content-Length: -1", CLOSE),
    "two lengths": head("Content-Length: 5", "Content-Length: 6", CLOSE) + b"hello!",
    "a length and chunks": head("Transfer-Encoding: chunked", LENGTH, CLOSE) + b"0\r\n\r\n",
    "chunk of no length": head("Transfer-Encoding: chunked", CLOSE) + b"zz\r\nhello\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("content", NO_HTTP.values(), ids=NO_HTTP)
def test_what_is_no_http_is_refused_in_json(clients: Clients, content: bytes) -> None:
    status, headers, body = exchange(clients, content)[-1]
    assert (status, headers["content-type"], headers["connection"]) == (400, "application/json", "close")
    assert list(json.loads(body)) == ["error"]


def test_a_request_that_never_ends_disturbs_nobody(clients: Clients) -> None:
    with socket.create_connection(("127.0.0.1", clients.server.http_port), timeout=10) as slow:
        slow.sendall(head("Content-Length: 1000") + b"{")
        assert clients.post(PATH, BODY).status_code == 200


def test_a_client_that_goes_away_disturbs_nobody(clients: Clients) -> None:
    for content in (head("Content-Length: 1000") + b"{", head(LENGTH) + BODY, head("Transfer-Encoding: chunked")):
        with socket.create_connection(("127.0.0.1", clients.server.http_port), timeout=10) as connection:
            connection.sendall(content)
    assert clients.post(PATH, BODY).status_code == 200


def test_errors_keep_a_connection_alive(clients: Clients) -> None:
    with httpx.Client(base_url=clients.rest.base_url, limits=httpx.Limits(max_connections=1)) as client:
        ports = set()
        for content in (b"x", BODY, b"", BODY):
            with client.stream("POST", PATH, content=content) as response:
                ports.add(response.extensions["network_stream"].get_extra_info("client_addr")[1])
                response.read()
        assert len(ports) == 1


def test_binary_answers_name_their_length(clients: Clients) -> None:
    response = clients.post(PATH, document(ASK) | {"parameters": {"binary_data_output": True}})
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["content-length"] == str(len(response.content))
    assert int(response.headers[LENGTH_HEADER]) == len(response.content) - 8
