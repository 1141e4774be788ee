"""Work beside the event loop, and what becomes of it where nobody waits for it any longer."""

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from structlog.testing import capture_logs

from model import threads
from model.cpus import Share
from model.errors import DeadlineExceeded
from model.threads import Threads, in_thread

SOON = 5.0
"""Seconds in which whatever has to happen has happened."""


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


def seconds_from_now(seconds: float) -> float:
    return time.monotonic() + seconds


def test_a_busy_thread_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    monkeypatch.setattr(threads, "_END_SECONDS", 0.05)
    monkeypatch.setattr("os._exit", codes.append)
    both = Threads(Share(1, 1))
    free = threading.Event()
    busy = both.models.submit(free.wait, 30)
    with capture_logs() as log:
        both.leave()
    assert codes == [0]
    assert log[-1]["event"] == "a model is still busy; it is left"
    free.set()
    assert busy.result(30)


@pytest.mark.asyncio
class TestInThread:
    async def test_runs_beside_the_event_loop(self, executor: ThreadPoolExecutor) -> None:
        assert await in_thread(executor, threading.get_ident) != threading.get_ident()

    async def test_raises_what_the_work_raises(self, executor: ThreadPoolExecutor) -> None:
        with pytest.raises(ZeroDivisionError):
            await in_thread(executor, lambda: 1 // 0)

    async def test_does_not_run_what_is_late(self, executor: ThreadPoolExecutor) -> None:
        done: list[object] = []
        with pytest.raises(DeadlineExceeded):
            await in_thread(executor, lambda: done.append(1), time.monotonic())
        executor.shutdown()
        assert done == []

    async def test_answers_at_the_deadline(self, executor: ThreadPoolExecutor) -> None:
        finish = threading.Event()
        with pytest.raises(DeadlineExceeded, match="before there was an answer"):
            await in_thread(executor, lambda: finish.wait(SOON), seconds_from_now(0.02))
        finish.set()

    @pytest.mark.parametrize("leaves", [True, False])
    async def test_keeps_nothing_of_what_nobody_waits_for(self, *, leaves: bool) -> None:
        class Body(bytearray):
            """Something that can be seen to go."""

        finish = threading.Event()
        done: list[object] = []
        with ThreadPoolExecutor(1) as executor:
            busy = executor.submit(finish.wait, SOON)
            body = Body(b"large")
            seen = weakref.ref(body)
            work = in_thread(executor, partial(done.append, body), None if leaves else seconds_from_now(0.02))
            task = asyncio.create_task(work)
            await asyncio.sleep(0)
            if leaves:
                task.cancel()
            with pytest.raises(asyncio.CancelledError if leaves else DeadlineExceeded):
                await task
            del body, work, task
            gc.collect()
            assert seen() is None
            finish.set()
            assert busy.result(SOON)
        assert done == []
