"""The line between supervisor and worker, over a real pair of sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from model.workers.channel import Channel, ChannelClosed, Handlers

pytestmark = pytest.mark.asyncio


@asynccontextmanager
async def line(here: Handlers, there: Handlers) -> AsyncIterator[tuple[Channel, Channel]]:
    """Both ends of a line, each served."""
    ends = [await Channel.over(end) for end in socket.socketpair()]
    serving = [asyncio.create_task(end.serve(handlers)) for end, handlers in zip(ends, (here, there), strict=True)]
    try:
        yield ends[0], ends[1]
    finally:
        for end in ends:
            end.close()
        await asyncio.wait_for(asyncio.gather(*serving), 10)


async def test_a_question_is_answered_and_news_is_heard_in_order() -> None:
    heard: list[int] = []

    def hear(number: int) -> None:
        heard.append(number)

    async with line({}, {"news": hear, "heard": lambda: heard}) as (here, _):
        for number in range(100):
            here.tell("news", number=number)
        assert await here.ask("heard") == list(range(100))


async def test_messages_larger_than_any_buffer_arrive_whole() -> None:
    async with line({}, {"echo": lambda text: text}) as (here, _):
        text = "é" * 3_000_000
        assert await here.ask("echo", text=text) == text


async def test_a_slow_answer_holds_up_no_other() -> None:
    gate = asyncio.Event()

    async def slow() -> str:
        await gate.wait()
        return "slow"

    async with line({}, {"slow": slow, "fast": lambda: "fast"}) as (here, _):
        waiting = asyncio.create_task(here.ask("slow"))
        assert await here.ask("fast") == "fast"
        assert not waiting.done()
        gate.set()
        assert await waiting == "slow"


async def test_both_ends_may_ask_at_once() -> None:
    async with line({"name": lambda: "here"}, {"name": lambda: "there"}) as (here, there):
        names = await asyncio.gather(here.ask("name"), there.ask("name"))
        assert list(names) == ["there", "here"]


async def test_who_waits_for_an_end_that_goes_learns_of_it() -> None:
    never = asyncio.Event()
    async with line({}, {"never": never.wait}) as (here, there):
        waiting = asyncio.create_task(here.ask("never"))
        await asyncio.sleep(0)
        there.close()
        with pytest.raises(ChannelClosed):
            await waiting
        with pytest.raises(ChannelClosed):
            await here.ask("never")
        here.tell("news")
        await here.flush()
        never.set()


async def test_a_handler_that_fails_leaves_nobody_waiting() -> None:
    async def fail() -> None:
        raise ValueError("a fault of ours")

    with capture_logs() as log:
        async with line({}, {"fail": fail}) as (here, _):
            with pytest.raises(ChannelClosed):
                await here.ask("fail")
    assert [entry["kind"] for entry in log] == ["fail"]


async def test_an_answer_that_nobody_waits_for_any_more_is_nothing() -> None:
    gate = asyncio.Event()

    async def slow() -> None:
        await gate.wait()

    async with line({}, {"slow": slow, "fast": lambda: "fast"}) as (here, _):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(here.ask("slow"), 0.01)
        gate.set()
        assert await here.ask("fast") == "fast"


async def test_it_is_idle_when_the_other_end_has_all() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        channel = await Channel.over(ours)
        assert channel.is_idle()
        channel.tell("news", text="x" * 10_000_000)
        assert not channel.is_idle()
        flushing = asyncio.create_task(channel.flush())
        theirs.settimeout(0)
        loop = asyncio.get_running_loop()
        received = 0
        while received < 10_000_000:
            received += len(await loop.sock_recv(theirs, 1 << 20))
        await asyncio.wait_for(flushing, 10)
        assert channel.is_idle()
        channel.close()
