"""The threads of a serving process: those that run models, and the one that loads them."""

import asyncio
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

import structlog

from model import logs
from model.batch import expired
from model.cpus import Share, limit_threads
from model.errors import DeadlineExceeded

T = TypeVar("T")

_END_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


class Threads:
    """
    What may not hold the event loop is done here; in each thread, its libraries keep to their share of the CPUs.

    Parameters
    ----------
    cpus : Share

    Attributes
    ----------
    models : Executor
        Runs models.
    loader : Executor
        Loads and unloads them, in a single thread: one after the other, and while requests go on.
    """

    def __init__(self, cpus: Share) -> None:
        limit = partial(limit_threads, cpus.calculation)
        self.models: Executor = ThreadPoolExecutor(cpus.threads, "model", limit)
        self.loader: Executor = ThreadPoolExecutor(1, "loader", limit)

    def stop(self) -> None:
        """Take no more work, and drop what has not begun."""
        for executor in (self.loader, self.models):
            executor.shutdown(wait=False, cancel_futures=True)

    def leave(self) -> None:
        """
        Let the threads end, and where one does not, end the process at once with exit code 0.

        Python would wait for a thread in which a model runs or is being loaded, and has no way to stop it.
        """
        ending = threading.Thread(target=self._end, daemon=True)
        ending.start()
        ending.join(_END_SECONDS)
        if ending.is_alive():
            _log.warning("a model is still busy; it is left")
            logs.flush()
            os._exit(0)

    def _end(self) -> None:
        self.loader.shutdown()
        self.models.shutdown()


async def in_thread(executor: Executor, work: Callable[[], T], deadline: float | None = None) -> T:
    """
    Run ``work`` in a thread, without a turn.

    What nobody waits for any more is not run, and nothing is kept of it, a large body least of all: an executor keeps
    what was submitted, cancelled or not, until a thread gets to it.

    Raises
    ------
    DeadlineExceeded
        The deadline passed; if that was before a thread was free, the work was not run.
    """
    wanted = [work]
    del work  # An exception keeps the frame that it came through, and what that names.

    def unless_late() -> T:
        if deadline is not None and deadline <= time.monotonic():
            raise expired()
        return wanted.pop()()

    future = asyncio.get_running_loop().run_in_executor(executor, unless_late)
    try:
        async with asyncio.timeout(None if deadline is None else deadline - time.monotonic()):
            return await future
    except TimeoutError:
        if future.done() and not future.cancelled() and isinstance(future.exception(), TimeoutError):
            raise
        raise DeadlineExceeded("The deadline passed before there was an answer.") from None
    finally:
        wanted.clear()
