"""Answers as they go over the connection, and requests that wait for theirs."""

import asyncio

import pytest
import pytest_asyncio
import structlog.testing

from model.rest.answer import Answer, rendered
from model.rest.protocol import Protocol
from tests.unit.rest.conftest import FakeDataPlane, Running
from tests.unit.rest.test_server import BODY, LIVE, PREDICT

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize(
    "target", [b"/v2/health/live", b"/v2/health/live?a=b", b"/v2/health/%6Cive", b"http://x/v2/health/live"]
)
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
async def test_however_the_target_is_written_the_answer_is_the_same(
    running: Running, method: bytes, target: bytes
) -> None:
    answer = await running.exchange(method + b" " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *headers = head.split(b"\r\n")
    assert status == b"HTTP/1.1 200 OK"
    assert [line.split(b":")[0] for line in headers] == [
        b"date",
        b"content-type",
        b"content-length",
        b"x-request-id",
        b"connection",
    ]
    assert body == (b"" if method == b"HEAD" else b'{"live":true}')


async def test_a_client_of_http_1_0_gets_its_connection_closed(running: Running) -> None:
    answer = await running.exchange(b"GET /v2/health/live HTTP/1.0\r\n\r\n")
    assert b"\r\nconnection: close\r\n\r\n" in answer


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\nb", b"a\rb"])
async def test_a_header_that_breaks_its_line_is_never_sent(value: bytes) -> None:
    with pytest.raises(RuntimeError, match="line break"):
        rendered(Answer(b"{}", headers=((b"x-a", value),)), b"id", last=False)


class Wire(asyncio.Transport):
    """A connection without a network: what is written is kept, and it tells whether it is read from."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self._read_from = True
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        assert self._read_from
        self._read_from = False

    def resume_reading(self) -> None:
        assert not self._read_from
        self._read_from = True

    def read_from(self) -> bool:
        return self._read_from

    @property
    def answers(self) -> int:
        return self.written.count(b"HTTP/1.1 200 OK\r\n")


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest_asyncio.fixture
async def connection(running: Running, wire: Wire) -> Protocol:
    connection = Protocol(running.app, set())
    connection.connection_made(wire)
    return connection


async def all_done() -> None:
    while tasks := [task for task in asyncio.all_tasks() if getattr(task.get_coro(), "__name__", "") == "_serve"]:
        await asyncio.wait(tasks)


async def test_no_request_is_begun_while_the_client_does_not_take_the_answers(
    connection: Protocol, wire: Wire, plane: FakeDataPlane
) -> None:
    connection.data_received(PREDICT + PREDICT)
    connection.pause_writing()
    await all_done()
    assert (len(plane.calls), wire.answers) == (1, 1)
    connection.data_received(PREDICT)
    await all_done()
    assert len(plane.calls) == 1
    connection.resume_writing()
    await all_done()
    assert wire.answers == 3


async def test_who_sends_faster_than_it_is_answered_is_held_back(connection: Protocol, wire: Wire) -> None:
    connection.data_received(LIVE * 10)
    assert wire.read_from()  # that it leaves is noticed
    connection.data_received(LIVE * 10)
    assert not wire.read_from()
    await all_done()
    assert wire.read_from()
    assert wire.answers == 20


async def test_a_body_that_comes_faster_than_it_is_read_is_held_back(
    connection: Protocol, wire: Wire, plane: FakeDataPlane
) -> None:
    body = BODY + b" " * 500_000
    sent = PREDICT.replace(b"%d" % len(BODY), b"%d" % len(body)).removesuffix(BODY) + body
    for start in range(0, len(sent), 100_000):
        connection.data_received(sent[start : start + 100_000])
        assert wire.read_from() is (start + 100_000 > len(sent))
        for _ in range(3):
            await asyncio.sleep(0)
        assert wire.read_from()
    await all_done()
    assert wire.answers == 1
    assert plane.calls[0].size_bytes == len(body)


async def test_thousands_of_offers_at_once_are_read_one_after_another(connection: Protocol, wire: Wire) -> None:
    connection.data_received(LIVE.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n") * 2000)
    await all_done()
    assert wire.answers == 2000


async def test_where_there_is_no_answer_the_connection_ends(
    running: Running, connection: Protocol, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(_: object, __: object) -> Answer:
        return Answer(b"", headers=((b"a", b"\r\n"),))

    monkeypatch.setattr(type(running.app), "__call__", answer)
    connection.data_received(LIVE)
    with structlog.testing.capture_logs() as logs:
        await all_done()
    assert [line["event"] for line in logs] == ["an answer could not be given"]
    assert wire.aborted
    assert not wire.written
