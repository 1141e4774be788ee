"""
Requests that servers read in different ways: each is read by the RFC, or refused and the connection closed.

Behind each lies a second request. If it is answered, the server has read the first one to the end that its sender
meant; if not, nothing of what follows can be taken for a request that a proxy in front has not seen.
"""

import json
import socket
from typing import NamedTuple

import pytest

from tests.keys import make_key
from tests.protocol.encodings import document, infer_path
from tests.protocol.wires import Clients
from tests.reliability.conftest import Serve
from tests.reliability.parts import ask, publish_flowers

BODY = json.dumps(document(ask())).encode()
PATH = infer_path("flowers").encode()
SIZE = b"%x" % len(BODY)
LENGTH = b"Content-Length: %d" % len(BODY)
CODING = b"Transfer-Encoding: chunked"
CHUNKS = SIZE + b"\r\n" + BODY + b"\r\n0\r\n\r\n"
LIVE = b"/v2/health/live"


def post(*lines: bytes, body: bytes = BODY, host: bytes = b"Host: x\r\n", version: bytes = b"HTTP/1.1") -> bytes:
    return (
        b"POST " + PATH + b" " + version + b"\r\n" + host + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body
    )


def get(target: bytes = LIVE, *lines: bytes, version: bytes = b"HTTP/1.1", host: bytes = b"Host: x\r\n") -> bytes:
    return b"GET " + target + b" " + version + b"\r\n" + host + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def chunked(body: bytes) -> bytes:
    return post(CODING, body=body)


NEXT = get(b"/v2")

# Read by the RFC: both requests are answered.
READ = {
    "a length": post(LENGTH),
    "a length with zeros before it": post(b"Content-Length: 00%d" % len(BODY)),
    "a length with white space around it": post(b"Content-Length: \t%d \t" % len(BODY)),
    "chunks": chunked(CHUNKS),
    "chunks in capitals": post(b"TRANSFER-ENCODING: CHUNKED", body=CHUNKS),
    "a chunk's extensions": chunked(SIZE + b';a=b;c="d"\r\n' + BODY + b"\r\n0;last\r\n\r\n"),
    "a chunk's size with zeros before it": chunked(b"000" + SIZE + b"\r\n" + BODY + b"\r\n000\r\n\r\n"),
    "trailers": chunked(CHUNKS[:-2] + b"X-Checksum: a\r\n\r\n"),
    "trailers that would count as headers": chunked(
        CHUNKS[:-2] + b"Host: y\r\nHost: z\r\nContent-Encoding: gzip\r\nInference-Header-Content-Length: 1\r\n\r\n"
    ),
    "a name with an underscore": post(b"Transfer_Encoding: chunked", LENGTH),
    "bytes beyond ASCII in a value": post(LENGTH, b"X: a\xff"),
    "an empty line before": b"\r\n" + post(LENGTH),
    "a host with a port": post(LENGTH, host=b"Host: example.org:8080\r\n"),
    "an address of IPv6": post(LENGTH, host=b"Host: [::1]:8080\r\n"),
    "an empty host": post(LENGTH, host=b"Host:\r\n"),
    "GET with a body": get(LIVE, LENGTH) + BODY,
    "GET with chunks": get(LIVE, CODING) + CHUNKS,
    "an absolute target": get(b"http://other" + LIVE),
    "an offer of HTTP/2": post(LENGTH, b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AA"),
    "an offer of HTTP/2 with chunks": post(CODING, b"Connection: Upgrade", b"Upgrade: h2c", body=CHUNKS),
    "two offers": post(LENGTH, b"Connection: Upgrade", b"Upgrade: websocket", b"Upgrade: h2c"),
}
# Read, but the connection ends with the answer; what follows is not looked at.
LAST = {
    "close": post(LENGTH, b"Connection: close"),
    "close among others": post(LENGTH, b"Connection: close, x"),
    "close behind others": post(LENGTH, b"Connection: x, close"),
    "close in a second line": post(LENGTH, b"Connection: keep-alive", b"Connection: close"),
    "HTTP/1.0": post(LENGTH, version=b"HTTP/1.0"),
    "HTTP/1.0 without a host": post(LENGTH, version=b"HTTP/1.0", host=b""),
    "HTTP/1.0 that would be kept": post(LENGTH, b"Connection: keep-alive", version=b"HTTP/1.0"),
    "HTTP/1.0 that expects to be asked": post(LENGTH, b"Expect: 100-continue", version=b"HTTP/1.0"),
}
REFUSED = {
    # Two ways to tell where the body ends.
    "a length and chunks": post(LENGTH, CODING, body=CHUNKS),
    "chunks and a length": post(CODING, LENGTH, body=CHUNKS),
    "chunks, and a length of nothing": post(CODING, b"Content-Length: 0", body=CHUNKS),
    "two lengths": post(LENGTH, b"Content-Length: 3"),
    "the same length twice": post(LENGTH, LENGTH),
    "a list of lengths": post(b"Content-Length: %d, %d" % (len(BODY), len(BODY))),
    "chunks in HTTP/1.0": post(CODING, body=CHUNKS, version=b"HTTP/1.0"),
    "chunks in HTTP/1.0 that would be kept": post(CODING, b"Connection: keep-alive", body=CHUNKS, version=b"HTTP/1.0"),
    "chunks twice": post(CODING, CODING, body=CHUNKS),
    "chunked chunks": post(b"Transfer-Encoding: chunked, chunked", body=CHUNKS),
    "chunks and another coding": post(CODING, b"Transfer-Encoding: identity", body=CHUNKS),
    "another coding last": post(b"Transfer-Encoding: chunked, gzip", body=CHUNKS),
    "no coding": post(b"Transfer-Encoding:", LENGTH),
    "a coding and a comma": post(b"Transfer-Encoding: chunked,", body=CHUNKS),
    "a coding with a NUL": post(b"Transfer-Encoding: chunked\0", LENGTH),
    "a coding behind a vertical tab": post(b"Transfer-Encoding:\x0bchunked", LENGTH),
    "a space before the colon": post(b"Transfer-Encoding : chunked", LENGTH),
    "a space before the colon of a length": post(b"Content-Length : %d" % len(BODY)),
    "a folded coding": post(b"Transfer-Encoding:\r\n chunked", LENGTH),
    "a coding behind a space": post(b" Transfer-Encoding: chunked", LENGTH),
    "a coding behind a bare line feed": post(b"X: x\nTransfer-Encoding: chunked", LENGTH),
    "a coding behind a bare carriage return": post(b"X: x\rTransfer-Encoding: chunked", LENGTH),
    # Lengths that are no numbers.
    **{
        f"a length of {value!r}": post(b"Content-Length: " + value)
        for value in (b"", b"+5", b"-5", b"0x5", b"1_0", b"5.0", b"5 5", b"5\x0b", b"99999999999999999999999", b"ten")
    },
    "a length of 2 to the 64 and more": post(b"Content-Length: %d" % (2**64 + len(BODY))),
    "a length in Arabic digits": post("Content-Length: \u0665".encode()),
    # Lines.
    "a folded line": post(LENGTH, b"X: a\r\n b"),
    "bare line feeds": post(LENGTH).replace(b"\r\n", b"\n"),
    "a bare line feed": post(LENGTH, b"X: a\nY: b"),
    "a bare line feed at the end": post(LENGTH, body=b"").removesuffix(b"\r\n") + b"\n" + BODY,
    "a bare carriage return": post(LENGTH, b"X: a\rb"),
    "a NUL in a value": post(LENGTH, b"X: a\0b"),
    "a NUL in a name": post(LENGTH, b"X\0: a"),
    "a control character": post(LENGTH, b"X: a\x01b"),
    "no colon": post(LENGTH, b"X"),
    "no name": post(LENGTH, b": a"),
    "a name with parentheses": post(LENGTH, b"X(a): a"),
    "a name beyond ASCII": post(LENGTH, "é: a".encode()),
    # Chunks.
    **{
        f"a chunk's size of {size!r}": chunked(size + b"\r\n" + BODY + b"\r\n0\r\n\r\n")
        for size in (
            b"",
            b"0x" + SIZE,
            b"-" + SIZE,
            b"+" + SIZE,
            b"1_0",
            b" " + SIZE,
            SIZE + b" ",
            b"1%016x" % 5,
            b"zz",
        )
    },
    "a chunk's size and a bare line feed": chunked(SIZE + b"\n" + BODY + b"\r\n0\r\n\r\n"),
    "a bare line feed behind a chunk": chunked(SIZE + b"\r\n" + BODY + b"\n0\r\n\r\n"),
    "nothing behind a chunk": chunked(SIZE + b"\r\n" + BODY + b"0\r\n\r\n"),
    "more behind a chunk": chunked(SIZE + b"\r\n" + BODY + b"xx0\r\n\r\n"),
    "bare line feeds behind the last chunk": chunked(SIZE + b"\r\n" + BODY + b"\r\n0\n\n"),
    "a bare line feed in an extension": chunked(SIZE + b";a\n" + BODY + b"\r\n0\r\n\r\n"),
    "a bare carriage return in an extension": chunked(SIZE + b";a\rb\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "a NUL in an extension": chunked(SIZE + b";a\0\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "a quoted line end in an extension": chunked(SIZE + b';a="\r\n' + BODY + b'\r\n0\r\n\r\n"'),
    "a trailer with a length": chunked(CHUNKS[:-2] + b"Content-Length: 5\r\n\r\n"),
    "a trailer with a coding": chunked(CHUNKS[:-2] + b"Transfer-Encoding: chunked\r\n\r\n"),
    "a trailer that is no header": chunked(CHUNKS[:-2] + b"X T\r\n\r\n"),
    # Hosts.
    "no host": post(LENGTH, host=b""),
    "no host beside an absolute target": get(b"http://x" + LIVE, host=b""),
    "two hosts": post(LENGTH, b"Host: y"),
    "the same host twice": post(LENGTH, b"Host: x"),
    "two hosts in HTTP/1.0": post(LENGTH, b"Host: y", version=b"HTTP/1.0"),
    **{
        f"a host of {host!r}": post(LENGTH, host=b"Host: " + host + b"\r\n")
        for host in (b"a b", b"a, b", b"a/b", b"u@a", b"a:b", b"a:1:2", b"[::1", b"a?b", b"a#b", b"\xe9")
    },
    # Request lines.
    "no method": b" " + LIVE + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a method in small letters": b"get " + LIVE + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "tabs": b"GET\t" + LIVE + b"\tHTTP/1.1\r\nHost: x\r\n\r\n",
    "a space before": b" " + get(),
    "a space in the target": get(b"/a b"),
    "a NUL in the target": get(LIVE + b"\0"),
    "a target beyond ASCII": get("/é".encode()),
    "a target without a slash": get(b"v2"),
    "a fragment": get(LIVE + b"#x"),
    "CONNECT": b"CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    "an answer": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.2": get(version=b"HTTP/1.2"),
    "HTTP/1.10": get(version=b"HTTP/1.10"),
    "http/1.1": get(version=b"http/1.1"),
}
OTHER_STATUS = {
    501: {
        "another coding": post(b"Transfer-Encoding: gzip", body=CHUNKS),
        "another coding first": post(b"Transfer-Encoding: gzip, chunked", body=CHUNKS),
        "another coding in a line before": post(b"Transfer-Encoding: gzip", CODING, body=CHUNKS),
        "another coding under an offer": post(
            b"Transfer-Encoding: gzip, chunked", b"Connection: Upgrade", b"Upgrade: h2c", body=CHUNKS
        ),
        "the identity": post(b"Transfer-Encoding: identity"),
        "almost chunked": post(b"Transfer-Encoding: xchunked", body=CHUNKS),
        "chunked in quotes": post(b'Transfer-Encoding: "chunked"', body=CHUNKS),
        "chunked with a parameter": post(b"Transfer-Encoding: chunked;q=1", body=CHUNKS),
    },
    505: {
        "HTTP/0.9": b"GET " + LIVE + b"\r\n\r\n",
        "HTTP/2.0 in the words of HTTP/1.1": get(version=b"HTTP/2.0"),
    },
    431: {
        "a long head that comes at once": post(LENGTH, b"X: " + b"x" * 65_536),
        "a long head of many lines": post(LENGTH, *[b"X-%d: %b" % (i, b"y" * 50) for i in range(1200)]),
        "a long target": get(b"/" + b"x" * 65_536),
        "a long head under an offer": post(LENGTH, b"Connection: Upgrade", b"Upgrade: h2c", b"X: " + b"x" * 65_536),
    },
}


class Case(NamedTuple):
    """What is sent, and what has to come of it and of the request behind it."""

    sent: bytes
    statuses: list[int]
    stays: bool


CASES = {
    **{name: Case(sent, [200, 200], stays=True) for name, sent in READ.items()},
    **{name: Case(sent, [200], stays=False) for name, sent in LAST.items()},
    **{name: Case(sent, [400], stays=False) for name, sent in REFUSED.items()},
    **{
        name: Case(sent, [status], stays=False)
        for status, cases in OTHER_STATUS.items()
        for name, sent in cases.items()
    },
}


@pytest.fixture(scope="module")
def clients(serve_all: Serve, tmp_path_factory: pytest.TempPathFactory) -> Clients:
    root = tmp_path_factory.mktemp("models")
    publish_flowers(root)
    return serve_all("--model_root", root)


def exchange(clients: Clients, *sent: bytes, stays: bool) -> list[tuple[int, bytes, bytes]]:
    """Send, and read to the end, which the server makes by itself unless the connection stays."""
    with socket.create_connection(("127.0.0.1", clients.server.http_port), timeout=30) as connection:
        for part in sent:
            connection.sendall(part)
        if stays:
            connection.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: connection.recv(65_536), b""))
    answers = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        status = int(head.split()[1])
        if status >= 200:
            size = int(head.partition(b"content-length: ")[2].split()[0])
            answers.append((status, head, rest[:size]))
            rest = rest[size:]
        received = rest
    return answers


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_request_is_read_in_one_way_or_refused(clients: Clients, case: Case) -> None:
    answers = exchange(clients, case.sent + NEXT, stays=case.stays)
    assert [status for status, _, _ in answers] == case.statuses
    status, head, body = answers[-1]
    if status >= 400:
        assert b"connection: close" in head
        assert list(json.loads(body)) == ["error"]


@pytest.mark.parametrize("case", ["a length", "chunks", "trailers", "no host", "two lengths", "another coding"])
def test_it_is_so_byte_by_byte(clients: Clients, case: str) -> None:
    sent, statuses, stays = CASES[case]
    content = sent + NEXT if stays else sent
    parts = (content[i : i + 1] for i in range(len(content)))
    assert [status for status, _, _ in exchange(clients, *parts, stays=stays)] == statuses


def test_a_fault_does_not_take_the_answers_to_the_requests_before_it(clients: Clients) -> None:
    answers = exchange(clients, post(LENGTH) * 3 + post(LENGTH, host=b"") + NEXT, stays=False)
    assert [status for status, _, _ in answers] == [200, 200, 200, 400]


def test_a_fault_in_a_body_does_not_take_the_answers_to_the_requests_before_it(clients: Clients) -> None:
    answers = exchange(clients, post(LENGTH) * 2 + chunked(b"zz") + NEXT, stays=False)
    assert [status for status, _, _ in answers] == [200, 200, 400]


def test_a_chunk_without_end_takes_all_that_follows(clients: Clients) -> None:
    assert exchange(clients, chunked(b"ffffffffffffffff\r\n" + BODY + b"\r\n0\r\n\r\n") + NEXT, stays=True) == []


def test_a_trailer_is_no_header(tmp_path_factory: pytest.TempPathFactory, serve: Serve) -> None:
    root = tmp_path_factory.mktemp("keys") / "models"
    publish_flowers(root)
    key = make_key(root.parent / "keys.json")
    clients = serve("--model_root", root, "--api_key_file", root.parent / "keys.json", key=key)
    with_key = f"Authorization: Bearer {key}\r\n".encode()
    ((status, _, _),) = exchange(clients, chunked(CHUNKS[:-2] + with_key + b"\r\n"), stays=True)
    assert status == 401
    ((status, _, _),) = exchange(clients, post(CODING, with_key[:-2], body=CHUNKS), stays=True)
    assert status == 200
