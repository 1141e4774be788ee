"""A worker's end of the line to its supervisor."""

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

import orjson

from model.errors import NotFound, NotReady
from model.workers.channel import Channel, ChannelClosed, Handlers, framed
from model.workers.group import Action, Member
from model.workers.snapshot import Snapshot

VARIABLE: Final = "_SKLEARN_KSERVE_WORKER"
"""By which a supervisor tells a process what it is; no setting, and not passed on."""

_REPORT_SECONDS: Final = 1.0
_REPORT_SELDOM_SECONDS: Final = 10.0
_REPORT_SHARE: Final = 0.02
"""Of the event loop's time that reports may take; where a thousand models are counted, they come less often."""
_TOTAL_SECONDS: Final = 3.0
_LEAVE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Inherited:
    """
    What a worker gets from its supervisor.

    Parameters
    ----------
    worker : int
    channel : int
        File descriptor of this end of the line.
    listener : int
        File descriptor of the socket that listens for REST.
    grpc_port : int
    late : bool
    unloaded : tuple of str
        See ``Group``.
    """

    worker: int
    channel: int
    listener: int
    grpc_port: int
    late: bool = False
    unloaded: tuple[str, ...] = ()

    def variables(self) -> dict[str, str]:
        """Return it as a part of the worker's environment."""
        return {VARIABLE: orjson.dumps(asdict(self)).decode()}


class Link:
    """
    The group of a worker: what the supervisor knows of the others, and hears of this one.

    When the supervisor is gone, the worker is told to stop.

    Parameters
    ----------
    inherited : Inherited

    Attributes
    ----------
    listener : socket.socket
        Listens for REST, in all workers.
    grpc_port : int
        To be shared with the others.
    """

    def __init__(self, inherited: Inherited) -> None:
        for descriptor in (inherited.channel, inherited.listener):
            os.set_inheritable(descriptor, False)  # noqa: FBT003 -- what a model starts must not keep the port
        self.worker: int | None = inherited.worker
        self.late = inherited.late
        self.unloaded = frozenset(inherited.unloaded)
        self.listener = socket.socket(fileno=inherited.listener)
        self.grpc_port = inherited.grpc_port
        self._end = socket.socket(fileno=inherited.channel)
        self._reported: dict[str, Any] = {"listening": False, "loaded": False}
        self._others_ready = False
        self._others_models: frozenset[str] = frozenset()
        self._snapshots = 0
        self._loaded = asyncio.Event()

    @classmethod
    def inherited(cls, environ: MutableMapping[str, str]) -> Self | None:
        """Take what there is for a worker out of the environment; None in a process that no supervisor started."""
        given = environ.pop(VARIABLE, None)
        return None if given is None else cls(Inherited(**orjson.loads(given)))

    async def join(self, member: Member) -> None:
        """Talk with the supervisor from now on."""
        self._member = member
        self._channel = await Channel.over(self._end.dup())
        self._tasks = [asyncio.create_task(self._serve()), asyncio.create_task(self._report_on())]

    def report(self, **news: bool) -> None:
        """Let the supervisor know what is new here: whether it is ``listening``, or has ``loaded``."""
        state = self._reported | news | {"ready": self._member.ready_here(), "models": self._member.ready_models()}
        if state["loaded"]:
            self._loaded.set()
        if state != self._reported:
            self._reported = state
            self._tell_snapshot()  # A version that is loaded is known by its counts before it is said to be there.
            self._channel.tell("state", **state)

    async def leave(self) -> None:
        """Hand over the last counts."""
        self._tell_snapshot()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LEAVE_SECONDS):
                await self._channel.flush()
        for task in self._tasks:
            task.cancel()

    def announce(self, event: str, **fields: Any) -> None:
        """Leave it to the supervisor, who hears of every worker."""

    def fail(self, reason: str) -> None:
        """Tell the supervisor, who logs it for all; called outside the event loop."""
        self._end.setblocking(True)  # noqa: FBT003 -- the standard library's own
        with suppress(ConnectionError):
            self._end.sendall(framed({"kind": "failed", "fields": {"reason": reason}}))

    def ready(self) -> bool:
        """Whether the group as a whole is ready."""
        return self._others_ready

    def model_ready(self, name: str) -> bool:
        """Whether a model answers in every worker that accepts connections."""
        return name in self._others_models

    async def everywhere(self, action: Action, model: str, _here: Callable[[], Awaitable[bool]]) -> bool:
        """
        Have a model loaded or unloaded in every worker; in this one too the supervisor asks for it.

        Raises
        ------
        NotReady
            The supervisor is gone.
        """
        try:
            done: bool = await self._channel.ask("change", action=action, model=model)
        except ChannelClosed as error:
            raise NotReady("The server is stopping; try again elsewhere.") from error
        return done

    async def total(self) -> Snapshot:
        """
        Return what all workers have counted, those that died included.

        Raises
        ------
        NotReady
            The supervisor does not answer. Without the others' counts a counter would seem to fall.
        """
        try:
            async with asyncio.timeout(_TOTAL_SECONDS):
                total: Snapshot = await self._channel.ask("total", snapshot=self._snapshot())
        except (TimeoutError, ChannelClosed) as error:
            raise NotReady("The counts of the other workers can't be had; try again later.") from error
        return total

    async def _serve(self) -> None:
        handlers: Handlers = {
            "apply": self._apply,
            "group": self._hear,
            "snapshot": self._snapshot,
            "stop": self._member.stop,
        }
        await self._channel.serve(handlers)
        self._member.stop(drain=False)

    async def _apply(self, action: Action, model: str) -> bool:
        """Make a change, once all is loaded that there was at the start."""
        await self._loaded.wait()
        try:
            return await self._member.change(action, model)
        except NotFound:
            return False
        finally:
            self.report()

    def _hear(self, ready: bool, models: list[str]) -> None:  # noqa: FBT001 -- fields of a message have names
        self._others_ready = ready
        self._others_models = frozenset(models)

    async def _report_on(self) -> None:
        """Report now and then, so that little is lost with this process and changes of any origin are noticed."""
        while True:
            start = time.perf_counter()
            if self._channel.is_idle():
                self._tell_snapshot()
                self.report()
            seconds = (time.perf_counter() - start) / _REPORT_SHARE
            await asyncio.sleep(min(_REPORT_SELDOM_SECONDS, max(_REPORT_SECONDS, seconds)))

    def _tell_snapshot(self) -> None:
        self._channel.tell("snapshot", snapshot=self._snapshot())

    def _snapshot(self) -> Snapshot:
        """Return the counts with a number, lest one that was long on its way is taken for news."""
        self._snapshots += 1
        return self._member.snapshot() | {"number": self._snapshots}
