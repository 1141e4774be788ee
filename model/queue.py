"""
The way to the estimator: how many may be on it, who goes next, and who has waited too long.

A request is counted in at once or refused at once. Then each model version is run by one request at a time: estimators
promise nothing about threads. A run that warm-up measured as short happens on the event loop, any other in a thread.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import TypeVar

from model.errors import DeadlineExceeded, Overloaded

T = TypeVar("T")


class Admission:
    """
    The limit on requests in flight.

    Parameters
    ----------
    limit : int
        Requests admitted at once, over all models.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.in_flight = 0

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """
        Count a request in for as long as it is being answered.

        Raises
        ------
        Overloaded
            As many as the limit are in flight already.
        """
        if self.in_flight >= self.limit:
            raise Overloaded(f"The requests in flight have reached the limit of {self.limit}; try again later.")
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1


class Turns:
    """
    Lets one piece of work after another run on a model version.

    Parameters
    ----------
    executor : Executor
        Runs what may not hold the event loop.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._lock = asyncio.Lock()

    async def run(self, work: Callable[[], T], *, inline: bool, deadline: float | None = None) -> T:
        """
        Run ``work`` when its turn comes.

        Parameters
        ----------
        work : callable
        inline : bool
            Whether it is short enough for the event loop.
        deadline : float or None
            ``time.monotonic()`` seconds, after which nobody wants the answer.

        Raises
        ------
        DeadlineExceeded
            The deadline passed; if that was before the turn came, the work was not run.
        """
        await self._turn(deadline)
        if inline:
            try:
                return work()
            finally:
                self._lock.release()
        try:
            future = asyncio.get_running_loop().run_in_executor(self._executor, _unless_late, work, deadline)
        except BaseException:
            self._lock.release()
            raise
        # The turn ends with the thread, not with the client: a client that leaves does not stop a running thread.
        future.add_done_callback(lambda _: self._lock.release())
        return await _before(deadline, future)

    async def _turn(self, deadline: float | None) -> None:
        if deadline is None:
            await self._lock.acquire()
            return
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise _expired()
        try:
            async with asyncio.timeout(remaining):
                await self._lock.acquire()
        except TimeoutError:
            raise _expired() from None


async def in_thread(executor: Executor, work: Callable[[], T], deadline: float | None = None) -> T:
    """
    Run ``work`` in a thread, without a turn.

    Raises
    ------
    DeadlineExceeded
        The deadline passed; if that was before a thread was free, the work was not run.
    """
    return await _before(deadline, asyncio.get_running_loop().run_in_executor(executor, _unless_late, work, deadline))


async def _before(deadline: float | None, future: "asyncio.Future[T]") -> T:
    """Wait for a running thread, but no longer than the client does."""
    try:
        async with asyncio.timeout(None if deadline is None else deadline - time.monotonic()):
            return await asyncio.shield(future)
    except TimeoutError:
        if future.done() and not future.cancelled() and isinstance(future.exception(), TimeoutError):
            raise
        raise DeadlineExceeded("The deadline passed before there was an answer.") from None


def _unless_late(work: Callable[[], T], deadline: float | None) -> T:
    """Run ``work`` in a thread, which may have been long in coming."""
    if deadline is not None and deadline <= time.monotonic():
        raise _expired()
    return work()


def _expired() -> DeadlineExceeded:
    return DeadlineExceeded("The deadline passed before the request's turn came; the model was not run.")
