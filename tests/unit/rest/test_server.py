import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import orjson
import pytest
from structlog.testing import capture_logs

from model.errors import ArtifactError, TooLarge
from model.rest.protocol import Protocol
from model.rest.server import RestServer
from tests.unit.rest.conftest import FakeDataPlane, Running, Serve
from tests.unit.rest.test_app import ROW

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("fast_ticks")]


@pytest.fixture
def fast_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.rest.server._TICK_SECONDS", 0.05)


BODY = orjson.dumps(ROW)
PREDICT = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
LIVE = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def parsed(answer: bytes) -> tuple[int, dict[str, str], dict[str, object]]:
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(status.split()[1]), headers, orjson.loads(body)


async def next_answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], dict[str, object]]:
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return parsed(head + await reader.readexactly(length))


async def closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await asyncio.wait_for(reader.read(), 5) == b""
    except ConnectionError:
        return True


async def test_a_connection_that_can_not_be_looked_at_ends_no_look_at_the_others(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: set[int] = set()
    often = asyncio.Event()

    def look(connection: Protocol, *_since: float) -> None:
        if id(connection) in looks and len(looks) == 2:
            often.set()
        looks.add(id(connection))
        raise ZeroDivisionError

    monkeypatch.setattr(Protocol, "close_if_slow", look)
    with capture_logs() as log:
        clients = [await asyncio.open_connection("127.0.0.1", running.port) for _ in range(2)]
        await asyncio.wait_for(often.wait(), 5)
        for _, writer in clients:
            writer.close()
    assert {line["event"] for line in log} == {"a look at a connection failed; the next follows"}


@pytest.mark.parametrize(
    "sent",
    [
        b"rubbish\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_400_in_json(running: Running, sent: bytes) -> None:
    status, headers, body = parsed(await running.exchange(sent))
    assert (status, body) == (400, {"error": "The request is not valid HTTP/1.1."})
    assert headers["connection"] == "close"
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "sent",
    [
        [b"GET / HTTP/1.1\r\n", b"x-filler: " + b"f" * 40_000, b"f" * 40_000],
        [b"GET /", b"a" * 40_000, b"a" * 40_000],
        [
            b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n",
            b"t: " + b"x" * 40_000,
            b"x" * 40_000,
        ],
    ],
    ids=["headers", "request line", "trailers"],
)
async def test_a_head_without_end_is_refused(running: Running, sent: list[bytes]) -> None:
    async with running.connection() as (reader, writer):
        for piece in sent:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.05)
        status, _, body = await next_answer(reader)
    assert (status, body) == (431, {"error": "The request line and headers are over 65536 bytes."})


async def test_a_long_head_within_the_limit_is_answered(running: Running) -> None:
    status, _, _ = parsed(await running.exchange(CLOSE[:-2] + b"x-filler: " + b"f" * 60_000 + b"\r\n\r\n"))
    assert status == 200


async def test_one_connection_serves_many_requests(running: Running) -> None:
    async with running.connection() as (reader, writer):
        for _ in range(3):
            writer.write(PREDICT)
            assert (await next_answer(reader))[0] == 200


async def test_pipelined_requests_are_answered_in_order(running: Running) -> None:
    async with running.connection() as (reader, writer):
        writer.write(PREDICT + LIVE + PREDICT)
        answers = [(await next_answer(reader))[2] for _ in range(3)]
    assert ["prediction" in answer for answer in answers] == [True, False, True]


async def test_an_offer_of_http2_is_answered_by_http1(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    async with running.connection() as (reader, writer):
        for request in (LIVE, PREDICT, LIVE):
            writer.write(request.replace(b"Host: x\r\n", b"Host: x\r\n" + offer))
            assert (await next_answer(reader))[0] == 200
    assert not caplog.records


async def test_every_answer_has_a_date_and_no_servers_name(running: Running) -> None:
    answer = await running.client.get("/v2/health/live")
    assert "GMT" in answer.headers["date"]
    assert "server" not in answer.headers


async def test_expecting_100_a_body_over_the_limit_is_never_asked_for(running: Running) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\nExpect: 100-continue\r\n\r\n"
    async with running.connection() as (reader, writer):
        writer.write(head)
        status, headers, _ = await next_answer(reader)
        assert (status, headers["connection"]) == (413, "close")
        writer.write_eof()
        assert await closed(reader)


async def test_expecting_100_a_body_within_the_limit_is_asked_for(running: Running) -> None:
    head, _, body = PREDICT.partition(b"\r\n\r\n")
    async with running.connection() as (reader, writer):
        writer.write(head + b"\r\nExpect: 100-continue\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 Continue")
        writer.write(body)
        assert (await next_answer(reader))[0] == 200


async def test_a_client_that_sends_all_before_it_reads_still_gets_its_413(
    running: Running, plane: FakeDataPlane
) -> None:
    answer = await running.client.post("/predict", content=bytes(20 << 20))
    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"
    assert "expected at most 1048576 bytes" in answer.json()["error"]
    assert isinstance(plane.refusals[0], TooLarge)


async def test_a_chunked_body_over_the_limit_is_413(running: Running) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield bytes(1 << 16)

    answer = await running.client.post("/predict", content=chunks())
    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"


async def test_a_chunked_body_is_read(running: Running) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for i in range(len(BODY)):
            yield BODY[i : i + 1]

    assert (await running.client.post("/predict", content=chunks())).status_code == 200


async def test_a_refused_body_is_not_read_for_ever(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.rest.exchange._LINGER_SECONDS", 0.2)
    async with running.connection() as (reader, writer):
        writer.write(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n{")
        assert (await next_answer(reader))[0] == 413
        begin = time.monotonic()
        assert await closed(reader)
        assert time.monotonic() - begin < 2


def requests_in_hand() -> list[str]:
    coroutines = [task.get_coro() for task in asyncio.all_tasks()]
    return [name for coroutine in coroutines if (name := getattr(coroutine, "__name__", "")) == "_serve"]


async def test_a_client_that_leaves_in_the_middle_costs_nothing(
    running: Running, plane: FakeDataPlane, caplog: pytest.LogCaptureFixture
) -> None:
    async with running.connection() as (_, writer):
        writer.write(PREDICT[:-5])
    await asyncio.sleep(0.05)
    assert not requests_in_hand()
    assert not plane.calls
    assert not caplog.records
    assert (await running.client.get("/v2/health/live")).status_code == 200


@pytest.mark.parametrize("part", [b"GET / HTT", b"GET / HTTP/1.1\r\nHost: x\r\n", PREDICT[:-1]])
async def test_a_slow_client_is_given_up(serve: Serve, part: bytes) -> None:
    running = await serve(client_seconds=0.1)
    async with running.connection() as (reader, writer):
        writer.write(part)
        status, headers, body = await next_answer(reader)
        assert (status, body) == (408, {"error": "The request did not come in time."})
        assert headers["connection"] == "close"
        assert await closed(reader)


async def test_a_silent_client_is_given_up_without_a_word(serve: Serve) -> None:
    running = await serve(client_seconds=0.1)
    async with running.connection() as (reader, _):
        assert await closed(reader)


async def test_an_idle_connection_is_kept_for_its_time(serve: Serve) -> None:
    running = await serve(client_seconds=0.1, keep_alive_seconds=1)
    async with running.connection() as (reader, writer):
        for _ in range(2):
            writer.write(LIVE)
            assert (await next_answer(reader))[0] == 200
            await asyncio.sleep(0.6)
        begin = time.monotonic()
        assert await closed(reader)
        assert time.monotonic() - begin < 2


async def test_a_connection_that_was_answered_before_its_body_came_is_kept_for_its_time(serve: Serve) -> None:
    running = await serve(keep_alive_seconds=1)
    async with running.connection() as (reader, writer):
        writer.write(b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n")
        assert (await next_answer(reader))[0] == 404
        writer.write(b"x")
        assert await closed(reader)


async def test_who_is_refused_instead_of_asked_for_the_body_has_to_connect_anew(running: Running) -> None:
    async with running.connection() as (reader, writer):
        writer.write(b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n" + LIVE)
        status, headers, _ = await next_answer(reader)
        assert (status, headers["connection"]) == (404, "close")
        assert await closed(reader)


@pytest.mark.parametrize("line", [b"", b"Content-Encoding: gzip\r\n", b"Expect: 100-continue\r\n"])
async def test_a_body_for_which_there_is_no_room_is_not_waited_for(
    running: Running, plane: FakeDataPlane, line: bytes
) -> None:
    plane.full = True
    async with running.connection() as (reader, writer):
        writer.write(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n" + line + b"\r\n")
        status, headers, _ = await next_answer(reader)
        assert (status, headers["retry-after"]) == (429, "1")
    assert len(plane.calls) == 1


async def test_a_client_that_left_has_its_request_dropped(running: Running, plane: FakeDataPlane) -> None:
    plane.blocked = asyncio.Event()
    async with running.connection() as (_, writer):
        writer.write(PREDICT * 3)
        await plane.entered.wait()
        writer.transport.abort()
    for _ in range(200):
        if not requests_in_hand():
            break
        await asyncio.sleep(0.01)
    assert not requests_in_hand()
    assert len(plane.calls) == 1


async def test_a_client_of_http_1_0_that_closed_its_side_is_not_asked_whether_it_is_there(
    running: Running, plane: FakeDataPlane
) -> None:
    plane.blocked = asyncio.Event()
    async with running.connection() as (reader, writer):
        writer.write(PREDICT.replace(b"HTTP/1.1", b"HTTP/1.0"))
        writer.write_eof()
        await plane.entered.wait()
        plane.blocked.set()
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")


async def test_a_connection_too_many_takes_the_place_of_one_that_waits_for_its_client(
    running: Running, plane: FakeDataPlane
) -> None:
    running.server._max_connections = 3
    plane.blocked = asyncio.Event()
    async with AsyncExitStack() as stack:
        (busy, busy_writer), (idle, idle_writer), (slow, slow_writer) = [
            await stack.enter_async_context(running.connection()) for _ in range(3)
        ]
        busy_writer.write(PREDICT)
        await plane.entered.wait()
        idle_writer.write(LIVE)
        await next_answer(idle)
        slow_writer.write(LIVE[:9])
        await asyncio.sleep(0.05)
        for reader in (idle, slow):
            other, writer = await stack.enter_async_context(running.connection())
            writer.write(PREDICT)
            assert await closed(reader)
            assert not other.at_eof()
        plane.blocked.set()
        assert (await next_answer(busy))[0] == 200


async def test_a_slow_model_does_not_make_a_slow_client(serve: Serve, plane: FakeDataPlane) -> None:
    running = await serve(client_seconds=0.1)
    plane.blocked = asyncio.Event()
    async with running.connection() as (reader, writer):
        writer.write(PREDICT)
        await asyncio.sleep(0.3)
        plane.blocked.set()
        assert (await next_answer(reader))[0] == 200


@pytest.mark.parametrize(
    ("host", "port", "reason"),
    [("127.0.0.1", None, "address already in use"), ("203.0.113.1", 0, "cannot assign requested address")],
)
async def test_an_address_that_cannot_be_bound_is_one_sentence(
    running: Running, host: str, port: int | None, reason: str
) -> None:
    server = RestServer(running.app, host=host, port=running.port if port is None else port)
    with pytest.raises(ArtifactError, match=rf"REST can't listen on {host}:\d+: {reason}; choose others"):
        await server.start()


async def test_an_unknown_host_is_one_sentence(running: Running) -> None:
    with pytest.raises(ArtifactError, match=r"REST can't listen on no\.such\.host\.invalid:0: [a-z]"):
        await RestServer(running.app, host="no.such.host.invalid", port=0).start()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
async def test_listens_on_ipv6(running: Running) -> None:
    server = RestServer(running.app, host="::1", port=0)
    port = await server.start()
    reader, writer = await asyncio.open_connection("::1", port)
    writer.write(CLOSE)
    assert parsed(await reader.read())[0] == 200
    writer.close()
    await server.stop(0)


async def test_a_hundred_slow_sockets_do_not_slow_others(running: Running) -> None:
    connections = [await asyncio.open_connection("127.0.0.1", running.port) for _ in range(100)]
    for _, writer in connections:
        writer.write(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
    durations = []
    for _ in range(50):
        begin = time.monotonic()
        assert (await running.client.get("/v2/health/live")).status_code == 200
        durations.append(time.monotonic() - begin)
    assert sorted(durations)[-5] < 0.1
    for _, writer in connections:
        writer.close()
