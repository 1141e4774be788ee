"""The process that starts the workers, holds their sockets, and starts anew what has died."""

import asyncio
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import Any, Final

import structlog

from model.errors import ArtifactError
from model.settings import Settings
from model.sockets import listen, reserve
from model.workers.channel import Channel
from model.workers.link import Inherited
from model.workers.roster import Roster, Worker
from model.workers.silence import Silence

_STOP_WITHIN_SECONDS: Final = 29.5
"""From the signal to the end of every worker, each of which keeps within Kubernetes' 30 s by itself."""
_AFTER_DRAIN_SECONDS: Final = 4.5
"""What a worker needs beyond a drain that is longer than that."""
_FIRST_WAIT_SECONDS: Final = 0.25
_LONGEST_WAIT_SECONDS: Final = 30.0
_DOUBLINGS: Final = 7
"""After so many deaths one after the other the longest wait is reached."""
_STABLE_SECONDS: Final = 60.0
"""A worker that has lived so long has not died of what its predecessors died of."""
_WATCH_SECONDS: Final = 1.0
_LAST_WORDS_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


def supervise(settings: Settings) -> int:
    """
    Serve by several workers until a signal says stop.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    int
        Exit code: 0 after a drain, 1 if it could not start.
    """
    try:
        return asyncio.run(Supervisor(settings).run())
    except ArtifactError as error:
        _log.error(str(error))
        return 1


class Supervisor:
    """
    Keeps the workers alive.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._born = time.monotonic()
        self._roster = Roster(settings.workers, self._announce)
        self._stopping = asyncio.Event()
        self._code = 0
        self._announced: set[str] = set()

    async def run(self) -> int:
        """
        Start the workers, and return the exit code when the last of them has ended.

        Raises
        ------
        ArtifactError
            A port can't be had.
        """
        settings = self._settings
        with listen(settings.host, settings.http_port) as self._listener, self._reserved() as self._grpc:
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, self._signalled, number)
            keepers = [asyncio.create_task(self._keep(number)) for number in range(1, settings.workers + 1)]
            watch = asyncio.create_task(self._watch())
            stopping = asyncio.create_task(self._stopping.wait())
            await asyncio.wait([stopping, watch, *keepers], return_when=asyncio.FIRST_COMPLETED)
            if not self._stopping.is_set():  # A fault of ours; what it was is raised below.
                self._stop(drain=False)
            # While a worker or this process has it, clients may connect: the last that stops accepting has to end it.
            self._listener.close()
            longest = max(_STOP_WITHIN_SECONDS, settings.drain_seconds + _AFTER_DRAIN_SECONDS)
            _, late = await asyncio.wait(keepers, timeout=longest)
            if late:
                self._kill("it did not stop in time")
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*keepers, watch)
        _log.info("stopped")
        return self._code

    def _reserved(self) -> socket.socket:
        """Return what holds gRPC's port; a socket that holds none where gRPC is off."""
        settings = self._settings
        return reserve(settings.host, settings.grpc_port) if settings.enable_grpc else socket.socket()

    async def _keep(self, number: int) -> None:
        """Keep one place filled: start a worker, wait for its end, start the next."""
        failures = 0
        late = False
        while not self._stopping.is_set():
            born = time.monotonic()
            end = await self._live_through(number, late=late)
            if self._stopping.is_set():
                return
            late = True
            failures = 1 if time.monotonic() - born > _STABLE_SECONDS else failures + 1
            seconds = min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2 ** min(failures - 1, _DOUBLINGS))
            _log.error("worker ended", worker=number, **end, restart_in_seconds=seconds)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _live_through(self, number: int, *, late: bool) -> dict[str, Any]:
        """Start a worker and wait for its end; return what there is to say of that."""
        try:
            worker = await self._start(number, late=late)
        except OSError as error:
            return {"reason": f"The process could not be started: {error.strerror}."}
        if self._stopping.is_set():  # It was told to nobody who was not there yet.
            _end(worker)
        code = await self._attend(worker)
        if code > 0 and not late and not worker.listened and not self._stopping.is_set():
            self._give_up(worker, code)
        return {
            "pid": worker.process.pid,
            **how_it_ended(code),
            **({"reason": worker.failure} if worker.failure else {}),
        }

    async def _start(self, number: int, *, late: bool) -> Worker:
        """Start the same program as a worker; a fork would take over threads' locks, but not the threads."""
        ours, theirs = socket.socketpair()
        with theirs:
            inherited = Inherited(
                worker=number,
                channel=theirs.fileno(),
                listener=self._listener.fileno(),
                grpc_port=self._grpc.getsockname()[1],
                late=late,
                unloaded=tuple(sorted(self._roster.unloaded)),
            )
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *sys.orig_argv[1:],
                env=os.environ | inherited.variables(),
                pass_fds=(inherited.channel, inherited.listener),
            )
        worker = Worker(number, process, await Channel.over(ours), late)
        self._roster.add(worker)
        _log.info("worker started", worker=number, pid=process.pid)
        return worker

    async def _attend(self, worker: Worker) -> int:
        """Listen to a worker until it ends, and return its exit code; negative is a signal's number."""
        serving = asyncio.create_task(worker.channel.serve(self._roster.handlers(worker)))
        code = await worker.process.wait()
        await asyncio.wait([serving], timeout=_LAST_WORDS_SECONDS)
        worker.channel.close()
        await serving
        self._roster.remove(worker)
        return code

    def _signalled(self, number: int) -> None:
        """Have the workers drain; at a second signal, have them wait no longer."""
        drain = number == signal.SIGTERM and not self._stopping.is_set()
        _log.info("draining", seconds=self._settings.drain_seconds if drain else 0)
        self._stop(drain=drain)

    def _stop(self, *, drain: bool) -> None:
        self._stopping.set()
        for worker in self._roster:
            if worker.heard is None:
                _end(worker)  # It is being started, and serves nobody.
            else:
                worker.channel.tell("stop", drain=drain)

    def _give_up(self, worker: Worker, code: int) -> None:
        """End all of them, for what keeps one from starting keeps the others too."""
        reason = worker.failure or f"Worker {worker.number} ended with exit code {code} before it could listen."
        _log.error(reason)
        self._code = 1
        self._stop(drain=False)

    async def _watch(self) -> None:
        """End workers whose event loop is stuck: a liveness probe may never come to them."""
        silence = Silence(time.monotonic())
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            self._kill("its event loop is stuck", before=silence.limit(time.monotonic()))

    def _kill(self, reason: str, before: float | None = None) -> None:
        for worker in self._roster:
            if before is None or (worker.heard is not None and worker.heard < before):
                _log.error("worker is killed", worker=worker.number, pid=worker.process.pid, reason=reason)
                _end(worker)

    def _announce(self) -> None:
        """Log once what all workers have come to."""
        settings = self._settings
        if self._roster.listening:
            http_port: int = self._listener.getsockname()[1]
            grpc_port = self._grpc.getsockname()[1] if settings.enable_grpc else None
            workers = [worker.process.pid for worker in self._roster]
            self._once("listening", host=settings.host, http_port=http_port, grpc_port=grpc_port, workers=workers)
        if self._roster.ready:
            self._once("ready", models=self._roster.models, seconds=round(time.monotonic() - self._born, 3))

    def _once(self, event: str, **fields: Any) -> None:
        if event not in self._announced:
            self._announced.add(event)
            _log.info(event, **fields)


def how_it_ended(code: int) -> dict[str, Any]:
    """Return what a process's exit code says, for the log; a negative one is a signal's number."""
    if code >= 0:
        return {"exit_code": code}
    try:
        return {"signal": signal.Signals(-code).name}
    except ValueError:  # Most real-time signals have no name.
        return {"signal": str(-code)}


def _end(worker: Worker) -> None:
    with suppress(ProcessLookupError):
        worker.process.kill()
