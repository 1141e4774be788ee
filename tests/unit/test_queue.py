"""Whose turn it is and with whom, and what becomes of those who have waited too long."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.batch import Job
from model.datatypes import Datatype
from model.errors import DeadlineExceeded, Overloaded, ServingError
from model.queue import Queue
from model.signature.schema import Output

SOON = 5.0
"""Seconds in which whatever has to happen has happened."""
PREDICT = (Output(name="predict", method="predict"),)
PROBA = (Output(name="predict_proba", method="predict_proba"),)


class Model:
    """
    A servable whose answer to a row is the row; it may be held up, and notes what was asked for in each run.

    Parameters
    ----------
    short : int
        Rows that may be answered on the event loop.
    joinable : bool
    """

    name = "model"

    def __init__(self, short: int = 0, *, joinable: bool = True) -> None:
        self.short = short
        self.joinable = joinable
        self.started = threading.Event()
        self.finish = threading.Event()
        self.finish.set()
        self.runs: list[list[float]] = []
        self.threads: list[int] = []
        self.running = 0
        self.most_at_once = 0
        self.refused = -1.0
        self.error: Exception = ServingError("refused")

    def short_rows(self, outputs: Any) -> int:
        return self.short

    def run(self, table: Any, outputs: Any) -> dict[str, Any]:
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        self.started.set()
        assert self.finish.wait(SOON)
        self.running -= 1
        self.runs.append(table[:, 0].tolist())
        self.threads.append(threading.get_ident())
        if self.refused in table[:, 0]:
            raise self.error
        return {output.method: table[:, 0] for output in outputs}


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


@pytest.fixture
def model() -> Iterator[Model]:
    model = Model()
    yield model
    model.finish.set()


@pytest.fixture
def observed() -> list[int]:
    return []


@pytest.fixture
def queue(executor: ThreadPoolExecutor, observed: list[int]) -> Queue:
    return Queue(executor, max_batch_rows=8, limit=20, observe=observed.append)


def seconds_from_now(seconds: float) -> float:
    return time.monotonic() + seconds


def rows(*values: float) -> Any:
    return np.array(values, dtype=np.float64).reshape(-1, 1)


def ask(queue: Queue, model: Model, *values: float, outputs: Any = PREDICT, **options: Any) -> "asyncio.Task[Any]":
    """Ask for the answers to rows in a task of its own."""

    async def answered() -> list[float]:
        servable: Any = model
        job = await queue.answer(servable, options.pop("table", rows(*values)), outputs, **options)
        (tensor,) = job.tensors
        answer: list[float] = tensor.data.tolist()
        return answer

    return asyncio.create_task(answered())


async def held_up(queue: Queue, model: Model) -> "asyncio.Task[Any]":
    """Let the model be busy with a row of zero."""
    model.started.clear()
    model.finish.clear()
    task = ask(queue, model, 0)
    assert await asyncio.to_thread(model.started.wait, SOON)
    return task


async def settled() -> None:
    """Let every task go as far as it can without a thread."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.asyncio
class TestARun:
    @pytest.mark.parametrize(("short", "on_the_loop"), [(1, False), (2, True)])
    @pytest.mark.parametrize("seconds", [None, SOON])
    async def test_happens_where_it_may(
        self, queue: Queue, model: Model, seconds: float | None, short: int, *, on_the_loop: bool
    ) -> None:
        model.short = short
        deadline = None if seconds is None else seconds_from_now(seconds)
        assert await ask(queue, model, 1, 2, deadline=deadline) == [1, 2]
        assert [thread == threading.get_ident() for thread in model.threads] == [on_the_loop]

    @pytest.mark.parametrize("short", [0, 9])
    @pytest.mark.parametrize("error", [ValueError("bad"), TimeoutError("slow"), DeadlineExceeded("late")])
    async def test_that_fails_raises_and_the_next_goes_on(
        self, queue: Queue, model: Model, error: Exception, short: int
    ) -> None:
        model.short, model.refused, model.error = short, 1, error
        with pytest.raises(type(error)) as caught:
            await ask(queue, model, 1)
        assert str(caught.value) == str(error)
        assert await ask(queue, model, 2) == [2]

    async def test_is_the_only_one(self, queue: Queue, model: Model) -> None:
        model.joinable = False
        tasks = [ask(queue, model, i) for i in range(8)]
        assert await asyncio.gather(*tasks) == [[i] for i in range(8)]
        assert model.most_at_once == 1

    async def test_lasts_as_long_as_its_thread_though_the_client_has_left(self, queue: Queue, model: Model) -> None:
        gone = await held_up(queue, model)
        gone.cancel()
        following = ask(queue, model, 1)
        await settled()
        assert gone.cancelled()
        assert not following.done()
        model.finish.set()
        assert await following == [1]
        assert model.most_at_once == 1

    async def test_of_a_short_one_waits_for_a_thread(self, queue: Queue, model: Model) -> None:
        first = await held_up(queue, model)
        model.short = 9
        second = ask(queue, model, 1)
        await settled()
        assert not second.done()
        model.finish.set()
        assert (await first, await second) == ([0], [1])
        assert model.most_at_once == 1

    async def test_of_another_model_does_not_wait(self, executor: ThreadPoolExecutor, model: Model) -> None:
        queues = [Queue(executor, max_batch_rows=8, limit=9, observe=lambda _: None) for _ in range(2)]
        first = await held_up(queues[0], model)
        assert await ask(queues[1], Model(), 1) == [1]
        model.finish.set()
        await first

    async def test_fails_where_the_executor_takes_no_work(self) -> None:
        executor = ThreadPoolExecutor(1)
        queue = Queue(executor, max_batch_rows=8, limit=9, observe=lambda _: None)
        executor.shutdown()
        for _ in range(2):
            with pytest.raises(RuntimeError, match="after shutdown"):
                await ask(queue, Model(), 1)
        assert await ask(queue, Model(short=1), 1) == [1]


@pytest.mark.asyncio
class TestABatch:
    async def test_is_what_has_come_while_the_model_was_busy(
        self, queue: Queue, model: Model, observed: list[int]
    ) -> None:
        first = await held_up(queue, model)
        others = [ask(queue, model, i, i + 0.5) for i in (1, 2, 3)]
        await settled()
        assert len(queue) == 3
        model.finish.set()
        assert await asyncio.gather(first, *others) == [[0], [1, 1.5], [2, 2.5], [3, 3.5]]
        assert model.runs == [[0], [1, 1.5, 2, 2.5, 3, 3.5]]
        assert observed == [1, 6]
        assert len(queue) == 0

    async def test_is_what_came_in_one_turn_of_the_event_loop(self, queue: Queue, model: Model) -> None:
        model.short = 8
        tasks = [ask(queue, model, i) for i in range(5)]
        assert await asyncio.gather(*tasks) == [[i] for i in range(5)]
        assert model.runs == [[0, 1, 2, 3, 4]]
        assert set(model.threads) == {threading.get_ident()}

    async def test_of_short_ones_is_looked_for_now_and_then(self, queue: Queue, model: Model) -> None:
        model.short = 8
        for i in range(40):
            assert await ask(queue, model, i) == [i]
        model.runs.clear()
        for _ in range(3):
            await asyncio.gather(*[ask(queue, model, i) for i in range(8)])
        joined = [len(run) for run in model.runs if len(run) > 1]
        assert joined
        assert joined[1:] == [8] * (len(joined) - 1)
        assert model.runs[-1] == [0, 1, 2, 3, 4, 5, 6, 7], "once several were found, they go on being joined"

    async def test_is_not_looked_for_again_at_once_where_nobody_came(self, queue: Queue, model: Model) -> None:
        model.short = 8
        await ask(queue, model, 0)

        async def turns() -> int:
            """Count the turns of the event loop that a request takes."""
            task, count = ask(queue, model, 1), 0
            while not task.done():
                await asyncio.sleep(0)
                count += 1
            return count

        counts = [await turns() for _ in range(34)]
        assert counts.count(min(counts)) == 32

    async def test_has_no_more_rows_than_the_limit(self, queue: Queue, model: Model) -> None:
        tasks = [ask(queue, model, *[i] * 3) for i in range(5)]
        await asyncio.gather(*tasks)
        assert [len(run) for run in model.runs] == [6, 6, 3]

    async def test_has_no_more_rows_than_are_short_where_one_alone_is(self, queue: Queue, model: Model) -> None:
        model.short = 3
        tasks = [ask(queue, model, i) for i in range(7)]
        await asyncio.gather(*tasks)
        assert [len(run) for run in model.runs] == [3, 3, 1]
        assert set(model.threads) == {threading.get_ident()}

    async def test_of_one_may_have_more_rows_than_the_limit(self, queue: Queue, model: Model) -> None:
        assert await ask(queue, model, *range(20)) == list(range(20))

    @pytest.mark.parametrize(
        "different",
        [
            {"outputs": PROBA, "table": np.array([[1.0]])},
            {"table": np.array([[1]], dtype=np.float32)},
            {"table": np.array([[1.0, 2.0]])},
        ],
        ids=["methods", "dtype", "width"],
    )
    async def test_is_never_mixed(self, queue: Queue, model: Model, different: dict[str, Any]) -> None:
        tasks = [ask(queue, model, 1), ask(queue, model, **different), ask(queue, model, 2)]
        assert await asyncio.gather(*tasks) == [[1], [1], [2]]
        assert model.runs == [[1, 2], [1]]

    async def test_of_a_model_that_answers_otherwise_together_is_one_request(self, queue: Queue, model: Model) -> None:
        model.joinable = False
        await asyncio.gather(*[ask(queue, model, i) for i in range(3)])
        assert model.runs == [[0], [1], [2]]

    @pytest.mark.parametrize("short", [0, 8])
    async def test_that_fails_spoils_nobody_but_the_culprit(self, queue: Queue, model: Model, short: int) -> None:
        model.short, model.refused = short, 2
        tasks = [ask(queue, model, i) for i in range(4)]
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert [done[0], done[1], done[3]] == [[0], [1], [3]]
        assert isinstance(done[2], ServingError)
        assert model.runs == [[0, 1, 2, 3], [0], [1], [2], [3]]

    async def test_answered_with_another_number_of_rows_is_asked_one_by_one(self, queue: Queue, model: Model) -> None:
        whole = model.run

        def distinct(table: Any, outputs: Any) -> dict[str, Any]:
            return {method: np.unique(answer) for method, answer in whole(table, outputs).items()}

        model.run = distinct  # type: ignore[method-assign]
        assert await asyncio.gather(*[ask(queue, model, 5) for _ in range(2)]) == [[5], [5]]
        assert model.runs == [[5, 5], [5], [5]]

    async def test_is_refused_to_more_than_may_wait(self, queue: Queue, model: Model) -> None:
        first = await held_up(queue, model)
        others = [ask(queue, model, i) for i in range(20)]
        await settled()
        with pytest.raises(Overloaded) as caught:
            await ask(queue, model, 99)
        assert str(caught.value) == (
            "The requests that wait for model 'model' have reached the limit of 20; try again later."
        )
        model.finish.set()
        await asyncio.gather(first, *others)
        assert await ask(queue, model, 99) == [99]

    async def test_does_without_a_client_that_left_while_it_waited(self, queue: Queue, model: Model) -> None:
        first = await held_up(queue, model)
        gone, stays = ask(queue, model, 1), ask(queue, model, 2)
        await settled()
        gone.cancel()
        await settled()
        model.finish.set()
        assert (await first, await stays) == ([0], [2])
        assert model.runs == [[0], [2]]

    async def test_whose_parts_cannot_be_told_is_asked_one_by_one(self, queue: Queue, model: Model) -> None:
        whole = model.run

        def listed(table: Any, outputs: Any) -> dict[str, Any]:
            return {method: answer.tolist() for method, answer in whole(table, outputs).items()}

        model.run = listed  # type: ignore[method-assign]
        for model.short in (8, 0):
            assert await asyncio.wait_for(asyncio.gather(*[ask(queue, model, i) for i in (1, 2)]), SOON) == [[1], [2]]

    async def test_has_room_again_for_each_client_that_leaves_or_is_late(self, queue: Queue, model: Model) -> None:
        first = await held_up(queue, model)
        leave = [ask(queue, model, i) for i in range(10)]
        late = [ask(queue, model, i, deadline=seconds_from_now(0.02)) for i in range(10)]
        await settled()
        assert len(queue) == 20
        for task in leave:
            task.cancel()
        await asyncio.gather(*leave, *late, return_exceptions=True)
        assert len(queue) == 0
        following = ask(queue, model, 1)
        model.finish.set()
        assert (await first, await following) == ([0], [1])

    async def test_keeps_the_order_of_those_it_leaves(self, queue: Queue, model: Model) -> None:
        tasks = [ask(queue, model, *[i] * 7) for i in range(4)]
        await asyncio.gather(*tasks)
        assert [run[0] for run in model.runs] == [0, 1, 2, 3]


@given(
    short=st.sampled_from([0, 1, 4, 100]),
    asked=st.lists(
        st.tuples(st.integers(1, 9), st.sampled_from([PREDICT, PROBA]), st.booleans(), st.booleans()), max_size=12
    ),
)
def test_everyone_gets_the_answer_to_their_own_rows(short: int, asked: list[tuple[int, Any, bool, bool]]) -> None:
    async def answered() -> None:
        model = Model(short)
        model.refused = 1e9
        with ThreadPoolExecutor(2) as executor:
            queue = Queue(executor, max_batch_rows=8, limit=99, observe=lambda _: None)
            tables, tasks = [], []
            for i, (count, outputs, bad, pause) in enumerate(asked):
                table = [100.0 * i + j for j in range(count)]
                tables.append(None if bad else table)
                tasks.append(ask(queue, model, *([*table, 1e9] if bad else table), outputs=outputs))
                if pause:
                    await asyncio.sleep(0)
            done = await asyncio.gather(*tasks, return_exceptions=True)
        assert [None if isinstance(answer, ServingError) else answer for answer in done] == tables
        assert model.most_at_once <= 1

    asyncio.run(answered())


@pytest.mark.asyncio
class TestADeadline:
    @pytest.mark.parametrize("short", [0, 9])
    async def test_that_has_passed_runs_nothing(self, queue: Queue, model: Model, short: int) -> None:
        model.short = short
        with pytest.raises(DeadlineExceeded) as caught:
            await ask(queue, model, 1, deadline=time.monotonic())
        assert str(caught.value) == "The deadline passed before the request's turn came; the model was not run."
        assert model.runs == []

    @pytest.mark.parametrize("short", [0, 9])
    async def test_that_passes_before_the_turn_comes_runs_nothing(self, queue: Queue, model: Model, short: int) -> None:
        first = await held_up(queue, model)
        model.short = short
        with pytest.raises(DeadlineExceeded, match="the model was not run"):
            await ask(queue, model, 1, deadline=seconds_from_now(0.02))
        model.finish.set()
        await first
        assert await ask(queue, model, 2) == [2]
        assert model.runs == [[0], [2]]

    async def test_that_passes_in_a_thread_answers_at_once_and_keeps_the_turn(self, queue: Queue, model: Model) -> None:
        model.finish.clear()
        with pytest.raises(DeadlineExceeded) as caught:
            await ask(queue, model, 1, deadline=seconds_from_now(0.05))
        assert str(caught.value) == "The deadline passed before there was an answer."
        assert model.running == 1
        following = ask(queue, model, 2)
        await settled()
        assert not following.done()
        model.finish.set()
        assert await following == [2]
        assert model.runs == [[1], [2]]

    async def test_that_passes_while_threads_are_busy_runs_nothing(self, model: Model) -> None:
        late = Model()
        with ThreadPoolExecutor(1) as executor:
            queues = [Queue(executor, max_batch_rows=8, limit=9, observe=lambda _: None) for _ in range(2)]
            first = await held_up(queues[0], model)
            asked = [ask(queues[1], late, i, deadline=seconds_from_now(0.02)) for i in range(2)]
            for task in asked:
                with pytest.raises(DeadlineExceeded):
                    await task
            model.finish.set()
            await first
        assert late.runs == []

    async def test_of_one_that_came_together_with_another_run_is_kept(self, queue: Queue, model: Model) -> None:
        model.joinable = False
        model.finish.clear()
        first, left = ask(queue, model, 1), ask(queue, model, 2, deadline=seconds_from_now(0.02))
        with pytest.raises(DeadlineExceeded, match="the model was not run"):
            await asyncio.wait_for(left, 3)
        model.finish.set()
        assert await first == [1]

    async def test_that_is_far_away_does_not_matter(self, queue: Queue, model: Model) -> None:
        assert await ask(queue, model, 1, deadline=seconds_from_now(SOON)) == [1]

    async def test_of_one_in_a_batch_is_not_the_others(self, queue: Queue, model: Model) -> None:
        model.finish.clear()
        late, patient = ask(queue, model, 1, deadline=seconds_from_now(0.05)), ask(queue, model, 2)
        with pytest.raises(DeadlineExceeded):
            await late
        model.finish.set()
        assert await patient == [2]


class TestFrames:
    def test_join_where_their_columns_have_the_same_types(self) -> None:
        pd = pytest.importorskip("pandas")
        servable: Any = Model()
        frames = [pd.DataFrame({"a": a, "b": b}) for a, b in [(["x"], [1.0]), (["y"], [2.0]), ([1], [2.0])]]
        jobs = [Job(servable, frame, PREDICT) for frame in frames]
        assert jobs[0].joins(jobs[1])
        assert not jobs[0].joins(jobs[2])
        assert not jobs[0].joins(Job(servable, rows(1), PREDICT))

    def test_are_joined_without_their_index_and_parted_again(self) -> None:
        pd = pytest.importorskip("pandas")

        class Echo(Model):
            def run(self, table: Any, outputs: Any) -> dict[str, Any]:
                assert table.index.tolist() == [0, 1, 2]
                return {"predict": table["a"].to_frame()}

        from model.batch import run

        servable: Any = Echo()
        jobs = [Job(servable, pd.DataFrame({"a": a}), PREDICT) for a in (["x", "y"], ["z"])]
        observed: list[int] = []
        run(jobs, observed.append)
        assert [job.tensors[0].data.tolist() for job in jobs] == [[["x"], ["y"]], [["z"]]]
        assert {job.tensors[0].datatype for job in jobs} == {Datatype.BYTES}
        assert observed == [3]
