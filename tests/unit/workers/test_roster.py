"""What several workers are together, as a supervisor hears it from them."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, cast

import pytest
import pytest_asyncio

from model.workers.channel import Channel
from model.workers.roster import Roster, Worker
from model.workers.snapshot import label_key

pytestmark = pytest.mark.asyncio

REQUESTS = label_key("inference_requests_total", {"model": "m", "version": "1"})
UP = {"listening": True, "loaded": True, "ready": True, "models": ["m"]}
LOADING = {"listening": True, "loaded": False, "ready": False, "models": []}


class Remote:
    """A worker's end, with a process that is none."""

    def __init__(self, roster: Roster, worker: Worker, channel: Channel) -> None:
        self.roster = roster
        self.worker = worker
        self.channel = channel
        self.told: list[tuple[bool, list[str]]] = []
        self.count = 0
        self.numbered = 0
        self.answers = asyncio.Event()
        self.answers.set()
        self.done = True
        self.applied: list[tuple[str, str]] = []

    def handlers(self) -> dict[str, Any]:
        return {"group": self._hear, "snapshot": self._answer, "apply": self._apply}

    async def says(self, **state: Any) -> None:
        self.channel.tell("state", **state)
        await self.settle()

    async def settle(self) -> None:
        """Come back when all that was said is heard, there and here."""
        await self.channel.ask("total", snapshot=self.snapshot())

    async def total(self) -> float | None:
        total = await self.channel.ask("total", snapshot=self.snapshot())
        value: float | None = total["families"]["inference_requests"]["samples"].get(REQUESTS)
        return value

    def snapshot(self) -> dict[str, Any]:
        self.numbered += 1
        family = {"type": "counter", "help": "", "samples": {REQUESTS: self.count}}
        gauge = {"type": "gauge", "help": "", "samples": {label_key("in_flight", {}): 1}}
        statistics = {label_key("m", "1"): {"name": "m", "inference_count": self.count}}
        return {
            "number": self.numbered,
            "families": {"inference_requests": family, "in_flight": gauge},
            "statistics": statistics,
        }

    async def _answer(self) -> dict[str, Any]:
        await self.answers.wait()
        return self.snapshot()

    async def _apply(self, action: str, model: str) -> bool:
        self.applied.append((action, model))
        return self.done

    def _hear(self, ready: bool, models: list[str]) -> None:  # noqa: FBT001
        self.told.append((ready, models))


class Group:
    """A supervisor's roster of two, and its workers."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.roster = Roster(2, lambda: None)

    async def start(self, number: int, *, late: bool = False) -> Remote:
        ours, theirs = [await Channel.over(end) for end in socket.socketpair()]
        worker = Worker(number, cast("asyncio.subprocess.Process", None), ours, late)
        remote = Remote(self.roster, worker, theirs)
        self.roster.add(worker)
        handlers = (self.roster.handlers(worker), remote.handlers())
        serving = [asyncio.create_task(end.serve(h)) for end, h in zip((ours, theirs), handlers, strict=True)]

        async def end() -> None:
            ours.close()
            theirs.close()
            await asyncio.gather(*serving)

        self._stack.push_async_callback(end)
        return remote

    def ready(self) -> bool:
        return self.roster.ready

    def die(self, remote: Remote) -> None:
        remote.worker.channel.close()
        self.roster.remove(remote.worker)


@pytest_asyncio.fixture
async def group() -> AsyncIterator[Group]:
    async with AsyncExitStack() as stack:
        yield Group(stack)


async def test_at_first_it_is_ready_when_as_many_are_as_there_are_to_be(group: Group) -> None:
    one = await group.start(1)
    await one.says(**UP)
    assert not group.ready()
    two = await group.start(2)
    await two.says(**LOADING)
    assert not group.ready()
    await two.says(**UP)
    assert group.ready()
    await one.settle()
    assert one.told[-1] == two.told[-1] == (True, ["m"])


async def test_later_it_is_ready_while_all_that_accept_connections_are(group: Group) -> None:
    one, two = await group.start(1), await group.start(2)
    for remote in (one, two):
        await remote.says(**UP)
    group.die(two)
    assert group.ready()
    three = await group.start(2, late=True)
    await three.says(**LOADING | {"listening": False})
    assert group.ready(), "the new one loads, and accepts nothing"
    assert three.told[0] == (True, ["m"])
    await three.says(**UP | {"ready": False, "models": []})
    assert not group.ready()
    await three.says(**UP)
    assert group.ready()
    await one.says(**UP | {"listening": False})
    assert group.ready(), "the first leaves"
    group.die(one)
    group.die(three)
    assert not group.ready(), "there is nobody"


async def test_a_model_is_ready_where_all_have_it(group: Group) -> None:
    one, two = await group.start(1), await group.start(2)
    await one.says(**UP | {"models": ["a", "b"]})
    assert group.roster.models == []
    await two.says(**UP | {"ready": False, "models": ["b", "c"]})
    assert (group.roster.models, group.ready()) == (["b"], False)


async def test_counts_are_those_of_all_and_stay_when_one_dies(group: Group) -> None:
    one, two = await group.start(1), await group.start(2)
    for remote in (one, two):
        await remote.says(**UP)
    one.count, two.count = 3, 4
    assert await one.total() == 7
    group.die(two)
    assert await one.total() == 7
    three = await group.start(2, late=True)
    await three.says(**UP)
    three.count = 1
    assert await one.total() == await three.total() == 8
    total = group.roster.total()
    assert total["families"]["in_flight"]["samples"] == {label_key("in_flight", {}): 2}
    assert total["statistics"][label_key("m", "1")]["inference_count"] == 8
    assert next(iter(total["families"]["server_worker_restarts"]["samples"].values())) == 1


async def test_counts_that_come_late_are_no_news(group: Group) -> None:
    one, two = await group.start(1), await group.start(2)
    for remote in (one, two):
        await remote.says(**UP)
    two.count = 1
    old = two.snapshot()
    two.count = 5
    assert await one.total() == 5
    two.answers.clear()
    two.channel.tell("snapshot", snapshot=old)
    assert await one.total() == 5


async def test_one_that_does_not_answer_counts_as_it_was_known(group: Group) -> None:
    one, two = await group.start(1), await group.start(2)
    for remote in (one, two):
        await remote.says(**UP)
    two.count = 5
    assert await one.total() == 5
    two.answers.clear()
    two.count = 9
    one.count = 1
    async with asyncio.timeout(10):
        assert await one.total() == 6


@pytest.mark.parametrize("done", [True, False])
async def test_a_change_is_done_when_it_is_done_in_all(group: Group, *, done: bool) -> None:
    one, two = await group.start(1), await group.start(2)
    two.done = done
    assert await one.channel.ask("change", action="unload", model="m") is done
    assert one.applied == two.applied == [("unload", "m")]
    assert group.roster.unloaded == {"m"}
    await one.channel.ask("change", action="load", model="m")
    assert group.roster.unloaded == set()


async def test_one_that_dies_over_a_change_does_not_hold_it_up(group: Group) -> None:
    one, two = await group.start(1), await group.start(2)
    asked = asyncio.create_task(one.channel.ask("change", action="load", model="m"))
    await asyncio.sleep(0)
    group.die(two)
    assert await asyncio.wait_for(asked, 10) is True


async def test_the_supervisor_needs_no_heavy_library() -> None:
    code = "import sys, model.workers.supervisor; print(*sys.modules)"
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert not {"numpy", "sklearn", "grpc", "httptools", "prometheus_client", "pandas"} & set(done.stdout.split())
