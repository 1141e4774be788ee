import asyncio
import time

import pytest

from model.rest.server import RestServer
from tests.unit.rest.conftest import FakeDataPlane, Running
from tests.unit.rest.test_server import LIVE, PREDICT, closed, next_answer

pytestmark = pytest.mark.asyncio


async def test_stopping_before_starting_is_nothing(running: Running) -> None:
    await RestServer(running.app, host="127.0.0.1", port=0).stop(1)


async def test_stop_lets_requests_in_flight_finish(running: Running, plane: FakeDataPlane) -> None:
    plane.blocked = asyncio.Event()
    async with running.connection() as (reader, writer):
        writer.write(PREDICT)
        await plane.entered.wait()
        stopping = asyncio.create_task(running.server.stop(5))
        await asyncio.sleep(0.2)
        assert not stopping.done()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", running.port)
        plane.blocked.set()
        status, headers, _ = await next_answer(reader)
        assert (status, headers["connection"]) == (200, "close")
        assert await closed(reader)
        await asyncio.wait_for(stopping, 2)


async def test_stop_closes_idle_connections_at_once(running: Running) -> None:
    async with running.connection() as (reader, writer), running.connection() as (silent, _):
        writer.write(LIVE)
        await next_answer(reader)
        begin = time.monotonic()
        await running.server.stop(10)
        assert time.monotonic() - begin < 1
        assert await closed(reader)
        assert await closed(silent)


async def test_stop_answers_a_request_of_which_a_part_has_come(running: Running) -> None:
    async with running.connection() as (reader, writer):
        writer.write(PREDICT[:30])
        await asyncio.sleep(0.05)
        stopping = asyncio.create_task(running.server.stop(5))
        await asyncio.sleep(0.2)
        writer.write(PREDICT[30:])
        assert (await next_answer(reader))[0] == 200
        await asyncio.wait_for(stopping, 2)


async def test_after_the_grace_what_is_left_is_503(
    running: Running, plane: FakeDataPlane, caplog: pytest.LogCaptureFixture
) -> None:
    plane.blocked = asyncio.Event()
    async with running.connection() as (reader, writer), running.connection() as (half, half_writer):
        writer.write(PREDICT)
        half_writer.write(PREDICT[:30])
        await plane.entered.wait()
        begin = time.monotonic()
        await running.server.stop(0.2)
        assert time.monotonic() - begin < 3
        status, headers, body = await next_answer(reader)
        assert (status, headers["retry-after"], headers["connection"]) == (503, "1", "close")
        assert body == {"error": "The server stopped before it could answer; try again elsewhere."}
        assert await closed(half)
    assert not caplog.records
