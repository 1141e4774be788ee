"""
The way to the estimator: who goes next and with whom, and who has waited too long.

Each model version has a queue: what it holds when the model is free is answered in one run, up to a limit of rows.
Nothing waits for others to come, and there is one run at a time, for estimators promise nothing about threads. A run
that warm-up measured as short happens on the event loop, any other in a thread.

A short run could always happen at once. But where many clients ask, the event loop has several requests in hand, each of
which would be run by itself. So now and then a request lets those go first that are in hand, and joins them; as long as
there are any, the others do the same.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from typing import Final

from model.batch import Job, Observe, expired, run
from model.errors import DeadlineExceeded, Overloaded
from model.servable import Servable
from model.signature.inputs import X
from model.signature.schema import Output

_LOOK_EVERY: Final = 16
"""Short runs at once between two looks whether others are in hand; a look costs a few microseconds."""


class Queue:
    """
    The requests that wait for one model version, and the run that is going on.

    Parameters
    ----------
    executor : Executor
        Runs what may not hold the event loop.
    max_batch_rows : int
        Rows that are joined to one run; a single request may have more.
    limit : int
        Requests that may wait.
    observe : callable
        Told the rows of each run of the model.
    """

    # It knows no servable but those of its jobs: who keeps queues by servable would else keep these for ever.
    __slots__ = ("_at_once", "_busy", "_due", "_executor", "_limit", "_max_batch_rows", "_observe", "_waiting")

    def __init__(self, executor: Executor, *, max_batch_rows: int, limit: int, observe: Observe) -> None:
        self._executor = executor
        self._max_batch_rows = max_batch_rows
        self._limit = limit
        self._observe = observe
        self._waiting: deque[Job] = deque()
        self._busy = False
        self._due = False
        self._at_once = 0

    def __len__(self) -> int:
        """Return the number of requests that wait."""
        return len(self._waiting)

    async def answer(
        self,
        servable: Servable,
        table: X,
        outputs: tuple[Output, ...],
        *,
        deadline: float | None = None,
        small: bool = True,
    ) -> Job:
        """
        Run a model when its turn comes, and return the job that holds the answer.

        Parameters
        ----------
        servable : Servable
        table : ndarray, DataFrame or Tensors
        outputs : tuple of Output
        deadline : float or None
            ``time.monotonic()`` seconds, after which nobody wants the answer.
        small : bool
            Whether its values are as small as those that warm-up measured; a long text is not.

        Raises
        ------
        DeadlineExceeded
            The deadline passed; if that was before the turn came, the model was not run.
        Overloaded
            Too many wait already.
        InvalidInput, ServingError
            See ``Servable.run``.
        """
        job = Job(servable, table, outputs, servable.short_rows(outputs) if small else 0, deadline)
        if self._at_once and job.short and not self._busy and not self._waiting:
            self._at_once -= 1
            run((job,), self._observe)
        else:
            await self._wait(job)
        if job.error is not None:
            raise job.error
        return job

    async def _wait(self, job: Job) -> None:
        if len(self._waiting) >= self._limit:
            raise Overloaded(
                f"The requests that wait for model {job.servable.name!r} have reached the limit of {self._limit}; "
                "try again later."
            )
        job.waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(job)
        if self._busy:
            _wake_in_time(job)
        else:
            self._next_turn()
        try:
            await job.waiter
        finally:
            if job.timer is not None:
                job.timer.cancel()
            if not job.begun:  # Its client has left or its deadline passed: another may have its place.
                with suppress(ValueError):
                    self._waiting.remove(job)

    def _next_turn(self) -> None:
        """Look at the queue once all that the event loop has in hand was done: what came with it joins the batch."""
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        self._due = False
        if self._busy:
            return
        batch = self._take()
        if not batch:
            return
        self._at_once = _LOOK_EVERY if len(batch) == 1 else 0
        # What is short together stays on the event loop, which is worth more than a larger batch.
        if batch[0].short:
            run(batch, self._observe)
            self._finish(batch)
        else:
            self._start(batch)

    def _take(self) -> list[Job]:
        """Take the first that waits, and those that join it; drop those that nobody waits for."""
        batch: list[Job] = []
        left: deque[Job] = deque()
        most = rows = 0
        for job in self._waiting:
            if job.abandoned:
                continue
            if job.late:
                _end(job, expired())
            elif not batch:
                batch.append(job)
                rows = job.rows
                most = job.short_rows if job.short else self._max_batch_rows
            elif rows + job.rows <= most and job.short >= batch[0].short and batch[0].joins(job):
                batch.append(job)
                rows += job.rows
            else:
                left.append(job)
        self._waiting = left
        for job in batch:
            job.begun = True
        return batch

    def _start(self, batch: Sequence[Job]) -> None:
        """Run a batch in a thread, to whose end the turn lasts: a client that leaves does not stop it."""
        self._busy = True
        for job in (*batch, *self._waiting):
            _wake_in_time(job)
        try:
            future = asyncio.get_running_loop().run_in_executor(self._executor, run, batch, self._observe)
        except RuntimeError as error:  # The executor takes no more work.
            for job in batch:
                job.error = error
            self._busy = False
            self._finish(batch)
        else:
            future.add_done_callback(partial(self._done, batch))

    def _done(self, batch: Sequence[Job], future: "asyncio.Future[None]") -> None:
        self._busy = False
        error = future.exception() if not future.cancelled() else RuntimeError("The server has stopped.")
        for job in batch:
            job.error = job.error or error
        self._finish(batch)

    def _finish(self, batch: Sequence[Job]) -> None:
        for job in batch:
            _end(job)
        if self._waiting:
            self._next_turn()


def _wake_in_time(job: Job) -> None:
    """Let the waiter go at the deadline, wherever the job is then."""
    if job.deadline is not None and job.timer is None:
        loop = asyncio.get_running_loop()
        job.timer = loop.call_later(max(0.0, job.deadline - time.monotonic()), _time_out, job)


def _time_out(job: Job) -> None:
    _end(job, DeadlineExceeded("The deadline passed before there was an answer.") if job.begun else expired())


def _end(job: Job, error: BaseException | None = None) -> None:
    if job.waiter is not None and not job.waiter.done():
        if error is not None:
            job.error = error
        job.waiter.set_result(None)
