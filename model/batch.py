"""
Requests that a model answers in one run, and each one's own part of the answers.

Only such tables are joined as the model answers alike together and one by one, which warm-up has seen. Where a run of
several fails, each is run by itself, so that no request is spoilt by its neighbours.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from model.errors import DeadlineExceeded, ServingError
from model.servable import Servable
from model.signature.inputs import X
from model.signature.outputs import encode
from model.signature.schema import Output
from model.signature.tensors import Tensors
from model.tensors import Tensor

Observe = Callable[[int], None]
"""Takes the rows of each run."""


@dataclass(slots=True, eq=False)
class Job:
    """
    The rows of one request, and what becomes of them.

    Parameters
    ----------
    servable : Servable
        That is to answer; the same one for all jobs of a batch.
    table : ndarray, DataFrame or Tensors
    outputs : tuple of Output
    short_rows : int
        Largest number of rows, of this and others, that may be answered on the event loop.
    deadline : float or None
        ``time.monotonic()`` seconds, after which nobody wants the answer.
    waiter : Future or None
        Of who waits for it; done before the job is, where nobody does any longer.
    timer : TimerHandle or None
        That wakes the waiter at the deadline.
    begun : bool
        Whether it has left the queue, to be run.
    started, finished : float
        ``time.perf_counter()`` seconds of the run.
    tensors : list of Tensor
        The answer.
    error : BaseException or None
        In its stead.
    """

    servable: Servable
    table: X
    outputs: tuple[Output, ...]
    short_rows: int = 0
    deadline: float | None = None
    waiter: asyncio.Future[None] | None = None
    timer: asyncio.TimerHandle | None = None
    begun: bool = False
    started: float = 0.0
    finished: float = 0.0
    tensors: Sequence[Tensor] = ()
    error: BaseException | None = None

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.table)

    @property
    def short(self) -> bool:
        """Whether it may be answered on the event loop."""
        return self.rows <= self.short_rows

    @property
    def abandoned(self) -> bool:
        """Whether nobody waits for it any longer."""
        return self.waiter is not None and self.waiter.done()

    @property
    def late(self) -> bool:
        """Whether its deadline has passed."""
        return self.deadline is not None and self.deadline <= time.monotonic()

    def joins(self, other: "Job") -> bool:
        """Whether both can be answered in one run: by the same methods, from the same kind of table."""
        if self.outputs != other.outputs or not self.servable.joinable:
            return False
        mine, others = self.table, other.table
        if isinstance(mine, np.ndarray):
            return isinstance(others, np.ndarray) and mine.dtype == others.dtype and mine.shape[1:] == others.shape[1:]
        if isinstance(mine, Tensors) or isinstance(others, np.ndarray | Tensors):
            return False
        return mine.dtypes.equals(others.dtypes)


def run(jobs: Sequence[Job], observe: Observe) -> None:
    """
    Answer jobs that join each other, in one run if there is no failure; each holds its answer or its error then.

    Parameters
    ----------
    jobs : sequence of Job
    observe : callable
        Told the rows of each run of the model.
    """
    if len(jobs) > 1:
        try:
            # A thread may have been long in coming.
            _run_together([job for job in jobs if not (job.abandoned or job.late)], observe)
        except Exception:  # noqa: BLE001, S110 -- of one of them; whose, and what for, each finds out by itself
            pass
        else:
            jobs = [job for job in jobs if not job.finished]
    for job in jobs:
        if not job.abandoned:
            _run_alone(job, observe)


def _run_alone(job: Job, observe: Observe) -> None:
    try:
        _answer(job, observe)
    except Exception as error:  # noqa: BLE001 -- raised again where it is waited for
        job.error = error


def _answer(job: Job, observe: Observe) -> None:
    if job.late:
        raise expired()
    job.started = time.perf_counter()
    try:
        answers = job.servable.run(job.table, job.outputs)
    finally:
        job.finished = time.perf_counter()
        observe(job.rows)
    job.tensors = encode(job.outputs, answers)


def _run_together(jobs: Sequence[Job], observe: Observe) -> None:
    if not jobs:
        return
    first = jobs[0]
    started = time.perf_counter()
    rows = sum(job.rows for job in jobs)
    answers = first.servable.run(_joined([job.table for job in jobs]), first.outputs)
    finished = time.perf_counter()
    observe(rows)
    stop = 0
    for job in jobs:
        start, stop = stop, stop + job.rows
        job.tensors = encode(job.outputs, _part(answers, start, stop, rows))
        job.started, job.finished = started, finished


def _joined(tables: Sequence[Any]) -> Any:
    if isinstance(tables[0], np.ndarray):
        return np.concatenate(tables)
    from pandas import concat  # noqa: PLC0415 -- whose frames these are; a model of numbers does without it

    return concat(tables, ignore_index=True)


def _part(answers: dict[str, Any], start: int, stop: int, rows: int) -> dict[str, Any]:
    """Return the answers to some of the rows."""
    return {method: _rows_of(answer, start, stop, rows) for method, answer in answers.items()}


def _rows_of(answer: Any, start: int, stop: int, rows: int) -> Any:
    if isinstance(answer, list):
        return [_rows_of(each, start, stop, rows) for each in answer]
    if answer.shape[0] != rows:
        raise ServingError(f"{rows} rows were answered with {answer.shape[0]}.")
    return answer.iloc[start:stop] if hasattr(answer, "iloc") else answer[start:stop]


def expired() -> DeadlineExceeded:
    """Return the error of a job that was not run."""
    return DeadlineExceeded("The deadline passed before the request's turn came; the model was not run.")
