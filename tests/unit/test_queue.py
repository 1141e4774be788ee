"""Who is admitted, whose turn it is, and what becomes of those who have waited too long."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from model.errors import DeadlineExceeded, Overloaded
from model.queue import Admission, Turns, in_thread

pytestmark = pytest.mark.asyncio

SOON = 5.0
"""Seconds in which whatever has to happen has happened."""


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


@pytest.fixture
def turns(executor: ThreadPoolExecutor) -> Turns:
    return Turns(executor)


class Work:
    """Work in a thread that ends when the test says so, and counts how much of it ran at once."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.finish = threading.Event()
        self.running = 0
        self.most_at_once = 0
        self.done: list[str] = []

    def __call__(self, name: str = "work") -> str:
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        self.started.set()
        assert self.finish.wait(SOON)
        self.running -= 1
        self.done.append(name)
        return name

    def named(self, name: str) -> Callable[[], str]:
        return lambda: self(name)


@pytest.fixture
def work() -> Iterator[Work]:
    work = Work()
    yield work
    work.finish.set()


async def begun(work: Work) -> None:
    assert await asyncio.to_thread(work.started.wait, SOON)


async def settled() -> None:
    """Let every task go as far as it can without a thread."""
    for _ in range(5):
        await asyncio.sleep(0)


class TestAdmission:
    async def test_refuses_at_once_what_is_over_the_limit(self) -> None:
        admission = Admission(2)
        with admission.admitted(), admission.admitted():
            with pytest.raises(Overloaded) as caught, admission.admitted():
                pytest.fail("a third request was admitted")
            assert str(caught.value) == "The requests in flight have reached the limit of 2; try again later."
            assert admission.in_flight == 2

    async def test_admits_again_when_one_has_left(self) -> None:
        admission = Admission(1)
        for _ in range(3):
            with admission.admitted():
                assert admission.in_flight == 1
        assert admission.in_flight == 0

    @pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError, KeyboardInterrupt])
    async def test_counts_out_what_failed(self, error: type[BaseException]) -> None:
        admission = Admission(1)
        with pytest.raises(error), admission.admitted():
            raise error
        assert admission.in_flight == 0

    async def test_counts_out_a_client_that_left(self, turns: Turns, work: Work) -> None:
        admission = Admission(1)

        async def request() -> str:
            with admission.admitted():
                return await turns.run(work, inline=False)

        task = asyncio.create_task(request())
        await begun(work)
        assert admission.in_flight == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert admission.in_flight == 0


@pytest.mark.parametrize("inline", [True, False])
@pytest.mark.parametrize("seconds", [None, SOON])
class TestRun:
    async def test_returns_what_the_work_returns(self, turns: Turns, *, inline: bool, seconds: float | None) -> None:
        deadline = None if seconds is None else time.monotonic() + seconds
        assert await turns.run(lambda: 42, inline=inline, deadline=deadline) == 42

    @pytest.mark.parametrize("error", [ValueError("bad"), TimeoutError("slow"), DeadlineExceeded("late")])
    async def test_raises_what_the_work_raises_and_goes_on(
        self, turns: Turns, error: Exception, *, inline: bool, seconds: float | None
    ) -> None:
        def fail() -> None:
            raise error

        deadline = None if seconds is None else time.monotonic() + seconds
        with pytest.raises(type(error)) as caught:
            await turns.run(fail, inline=inline, deadline=deadline)
        assert str(caught.value) == str(error)
        assert await turns.run(lambda: "next", inline=inline, deadline=deadline) == "next"

    async def test_happens_where_it_may(self, turns: Turns, *, inline: bool, seconds: float | None) -> None:
        deadline = None if seconds is None else time.monotonic() + seconds
        thread = await turns.run(threading.get_ident, inline=inline, deadline=deadline)
        assert (thread == threading.get_ident()) is inline


class TestTurns:
    async def test_run_one_at_a_time(self, turns: Turns, work: Work) -> None:
        tasks = [asyncio.create_task(turns.run(work.named(str(i)), inline=False)) for i in range(8)]
        await begun(work)
        work.finish.set()
        assert await asyncio.gather(*tasks) == [str(i) for i in range(8)]
        assert work.most_at_once == 1

    async def test_come_in_the_order_of_asking(self, turns: Turns, work: Work) -> None:
        deadline = time.monotonic() + SOON
        names = [str(i) for i in range(6)]
        tasks = [
            asyncio.create_task(
                turns.run(work.named(name), inline=name in "24", deadline=deadline if name in "135" else None)
            )
            for name in names
        ]
        await begun(work)
        work.finish.set()
        await asyncio.gather(*tasks)
        assert work.done == names

    async def test_of_a_newcomer_come_after_those_who_wait(self, turns: Turns, work: Work) -> None:
        first = asyncio.create_task(turns.run(work.named("first"), inline=False))
        await begun(work)
        second = asyncio.create_task(turns.run(work.named("second"), inline=False))
        await settled()
        work.finish.set()
        await first
        await turns.run(work.named("newcomer"), inline=True, deadline=time.monotonic() + SOON)
        await second
        assert work.done == ["first", "second", "newcomer"]

    async def test_inline_wait_for_a_running_thread(self, turns: Turns, work: Work) -> None:
        first = asyncio.create_task(turns.run(work.named("thread"), inline=False))
        await begun(work)
        second = asyncio.create_task(turns.run(work.named("inline"), inline=True))
        await settled()
        assert not second.done()
        work.finish.set()
        assert await first == "thread"
        assert await second == "inline"
        assert work.most_at_once == 1

    async def test_of_two_models_do_not_wait_for_each_other(self, executor: ThreadPoolExecutor, work: Work) -> None:
        first = asyncio.create_task(Turns(executor).run(work, inline=False))
        await begun(work)
        assert await Turns(executor).run(lambda: "other", inline=False) == "other"
        work.finish.set()
        await first

    async def test_last_as_long_as_the_thread_of_a_client_that_left(self, turns: Turns, work: Work) -> None:
        gone = asyncio.create_task(turns.run(work.named("gone"), inline=False))
        await begun(work)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        following = asyncio.create_task(turns.run(work.named("next"), inline=False))
        await settled()
        assert not following.done()
        assert work.running == 1
        work.finish.set()
        assert await following == "next"
        assert work.done == ["gone", "next"]
        assert work.most_at_once == 1

    async def test_are_given_up_by_a_client_that_leaves_while_waiting(self, turns: Turns, work: Work) -> None:
        first = asyncio.create_task(turns.run(work.named("first"), inline=False))
        await begun(work)
        gone = asyncio.create_task(turns.run(work.named("gone"), inline=False))
        await settled()
        gone.cancel()
        work.finish.set()
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert await turns.run(work.named("next"), inline=False) == "next"
        await first
        assert work.done == ["first", "next"]

    async def test_go_on_after_an_executor_that_takes_no_work(self) -> None:
        executor = ThreadPoolExecutor(1)
        turns = Turns(executor)
        executor.shutdown()
        for _ in range(2):
            with pytest.raises(RuntimeError, match="after shutdown"):
                await turns.run(lambda: None, inline=False)
        assert await turns.run(lambda: "inline", inline=True) == "inline"


class TestDeadline:
    @pytest.mark.parametrize("inline", [True, False])
    async def test_that_has_passed_runs_nothing(self, turns: Turns, work: Work, *, inline: bool) -> None:
        work.finish.set()
        with pytest.raises(DeadlineExceeded) as caught:
            await turns.run(work, inline=inline, deadline=time.monotonic())
        assert str(caught.value) == "The deadline passed before the request's turn came; the model was not run."
        assert work.done == []

    @pytest.mark.parametrize("inline", [True, False])
    async def test_that_passes_before_the_turn_comes_runs_nothing(
        self, turns: Turns, work: Work, *, inline: bool
    ) -> None:
        first = asyncio.create_task(turns.run(work.named("first"), inline=False))
        await begun(work)
        with pytest.raises(DeadlineExceeded, match="the model was not run"):
            await turns.run(work.named("late"), inline=inline, deadline=time.monotonic() + 0.02)
        work.finish.set()
        await first
        assert await turns.run(work.named("next"), inline=False) == "next"
        assert work.done == ["first", "next"]

    async def test_holds_for_a_newcomer_behind_those_who_wait(self, turns: Turns, work: Work) -> None:
        await turns._lock.acquire()
        second = asyncio.create_task(turns.run(work, inline=False))
        await settled()
        turns._lock.release()  # the turn is free, but promised to the second
        with pytest.raises(DeadlineExceeded, match="the model was not run"):
            await asyncio.wait_for(turns.run(lambda: None, inline=True, deadline=time.monotonic() + 0.02), SOON)
        work.finish.set()
        await second

    async def test_that_passes_in_a_thread_answers_at_once_and_keeps_the_turn(self, turns: Turns, work: Work) -> None:
        with pytest.raises(DeadlineExceeded) as caught:
            await turns.run(work.named("slow"), inline=False, deadline=time.monotonic() + 0.05)
        assert str(caught.value) == "The deadline passed before there was an answer."
        assert work.running == 1
        following = asyncio.create_task(turns.run(work.named("next"), inline=False))
        await settled()
        assert not following.done()
        work.finish.set()
        assert await following == "next"
        assert work.done == ["slow", "next"]
        assert work.most_at_once == 1

    async def test_that_passes_while_threads_are_busy_runs_nothing(self, work: Work) -> None:
        with ThreadPoolExecutor(1) as executor:
            other = asyncio.create_task(Turns(executor).run(work.named("other"), inline=False))
            await begun(work)
            with pytest.raises(DeadlineExceeded):
                await Turns(executor).run(work.named("late"), inline=False, deadline=time.monotonic() + 0.02)
            work.finish.set()
            await other
        assert work.done == ["other"]

    async def test_that_is_far_away_does_not_matter(self, turns: Turns, work: Work) -> None:
        work.finish.set()
        assert await turns.run(work, inline=False, deadline=time.monotonic() + SOON) == "work"


class TestInThread:
    async def test_runs_beside_the_event_loop(self, executor: ThreadPoolExecutor) -> None:
        assert await in_thread(executor, threading.get_ident) != threading.get_ident()

    async def test_takes_no_turn(self, executor: ThreadPoolExecutor, turns: Turns, work: Work) -> None:
        running = asyncio.create_task(turns.run(work, inline=False))
        await begun(work)
        assert await in_thread(executor, lambda: "beside", time.monotonic() + SOON) == "beside"
        work.finish.set()
        await running

    async def test_raises_what_the_work_raises(self, executor: ThreadPoolExecutor) -> None:
        with pytest.raises(ZeroDivisionError):
            await in_thread(executor, lambda: 1 // 0)

    async def test_does_not_run_what_is_late(self, executor: ThreadPoolExecutor, work: Work) -> None:
        work.finish.set()
        with pytest.raises(DeadlineExceeded):
            await in_thread(executor, work, time.monotonic())
        executor.shutdown()
        assert work.done == []

    async def test_answers_at_the_deadline(self, executor: ThreadPoolExecutor, work: Work) -> None:
        with pytest.raises(DeadlineExceeded, match="before there was an answer"):
            await in_thread(executor, work, time.monotonic() + 0.02)
        work.finish.set()
