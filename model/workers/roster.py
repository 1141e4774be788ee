"""The workers that are there, and what they are together: ready or not, and all that they have counted."""

import asyncio
import time
from asyncio.subprocess import Process
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from model.workers.channel import Channel, ChannelClosed, Handlers
from model.workers.snapshot import EMPTY, Snapshot, label_key, merge, pruned, retained

_SNAPSHOT_SECONDS: Final = 0.5
"""For which a scrape waits for a worker's counts of this very moment, before it takes the last ones known."""


@dataclass(eq=False, slots=True)
class Worker:
    """
    One process and what it has said.

    Parameters
    ----------
    number : int
        Of its place in the group, from 1.
    process : asyncio.subprocess.Process
    channel : Channel
    late : bool
        Whether it stands in for one that died.
    """

    number: int
    process: Process
    channel: Channel
    late: bool
    heard: float | None = None
    failure: str = ""
    listened: bool = False
    listening: bool = False
    loaded: bool = False
    ready: bool = False
    models: frozenset[str] = frozenset()
    snapshot: Mapping[str, Any] = field(default_factory=lambda: EMPTY)


class Roster:
    """
    The workers and what they are together.

    Parameters
    ----------
    size : int
        How many there are to be.
    changed : callable
        Called when a worker has said how it stands.

    Attributes
    ----------
    unloaded : set of str
        Models that clients have unloaded.
    restarts : int
        Workers that stood in for others.
    """

    def __init__(self, size: int, changed: Callable[[], None]) -> None:
        self._size = size
        self._changed = changed
        self._workers: list[Worker] = []
        self._complete = False
        self._told: dict[str, Any] = {"ready": False, "models": []}
        self._ended: Snapshot = dict(EMPTY)
        self.unloaded: set[str] = set()
        self.restarts = 0

    def __iter__(self) -> Iterator[Worker]:
        """Iterate over the workers that are there."""
        return iter(list(self._workers))

    @property
    def listening(self) -> bool:
        """Whether as many listen as there are to be."""
        return sum(worker.listening for worker in self._workers) == self._size

    @property
    def ready(self) -> bool:
        """Whether every worker that accepts connections is ready; at first, whether all are that there are to be."""
        return bool(self._told["ready"])

    @property
    def models(self) -> list[str]:
        """The models that answer in every worker that accepts connections."""
        return list(self._told["models"])

    def add(self, worker: Worker) -> None:
        """Take a worker in that has been started."""
        self.restarts += worker.late
        self._workers.append(worker)
        worker.channel.tell("group", **self._told)

    def remove(self, worker: Worker) -> None:
        """Take a worker out that has ended, and keep what it has counted."""
        self._workers.remove(worker)
        self._ended = merge([self._ended, retained(worker.snapshot)])
        self._refresh()

    def handlers(self, worker: Worker) -> Handlers:
        """Return what is done with a worker's messages."""

        def heard(handler: Callable[..., Any]) -> Callable[..., Any]:
            def handle(**fields: Any) -> Any:
                worker.heard = time.monotonic()
                return handler(worker, **fields)

            return handle

        own: Handlers = {
            "change": self._change,
            "failed": _fail,
            "snapshot": _keep,
            "state": self._hear,
            "total": self._total,
        }
        return {kind: heard(handler) for kind, handler in own.items()}

    def total(self) -> Snapshot:
        """Return what all have counted, those that have ended included."""
        loaded = [worker for worker in self._workers if worker.loaded]
        if loaded:
            served = {key for worker in loaded for key in worker.snapshot["statistics"]}
            self._ended = pruned(self._ended, served)
        return merge([*(worker.snapshot for worker in self._workers), self._ended, self._own()])

    def _own(self) -> Snapshot:
        """Return what is known of the workers themselves."""
        accepting = sum(worker.listening for worker in self._workers)
        families = {
            "server_workers": {
                "type": "gauge",
                "help": "Workers that accept connections",
                "samples": {label_key("server_workers", {}): accepting},
            },
            "server_worker_restarts": {
                "type": "counter",
                "help": "Workers started in the stead of one that ended",
                "samples": {label_key("server_worker_restarts_total", {}): self.restarts},
            },
        }
        return {"families": families, "statistics": {}}

    def _hear(
        self,
        worker: Worker,
        *,
        listening: bool,
        loaded: bool,
        ready: bool,
        models: list[str],
    ) -> None:
        worker.listening, worker.loaded, worker.ready = listening, loaded, ready
        worker.listened = worker.listened or listening
        worker.models = frozenset(models)
        self._refresh()

    def _refresh(self) -> None:
        """Tell every worker if something has changed."""
        accepting = [worker for worker in self._workers if worker.listening]
        self._complete = self._complete or (self.listening and all(worker.loaded for worker in accepting))
        ready = self._complete and bool(accepting) and all(worker.ready for worker in accepting)
        common = frozenset.intersection(*(worker.models for worker in accepting)) if accepting else frozenset[str]()
        told = {"ready": ready, "models": sorted(common) if self._complete else []}
        if told != self._told:
            self._told = told
            for worker in self._workers:
                worker.channel.tell("group", **told)
        self._changed()

    async def _total(self, worker: Worker, snapshot: Snapshot) -> Snapshot:
        _keep(worker, snapshot)
        await asyncio.gather(*(_renew(other) for other in self._workers if other is not worker))
        return self.total()

    async def _change(self, _worker: Worker, action: str, model: str) -> bool:
        """Have a change made in every worker; one that dies over it will come back with the change made."""
        if action == "unload":
            self.unloaded.add(model)
        else:
            self.unloaded.discard(model)
        return all(await asyncio.gather(*(_apply(worker, action, model) for worker in self._workers)))


async def _apply(worker: Worker, action: str, model: str) -> bool:
    try:
        done: bool = await worker.channel.ask("apply", action=action, model=model)
    except ChannelClosed:
        return True
    return done


async def _renew(worker: Worker) -> None:
    if worker.heard is None:
        return  # It is being started.
    with suppress(TimeoutError, ChannelClosed):
        async with asyncio.timeout(_SNAPSHOT_SECONDS):
            _keep(worker, await worker.channel.ask("snapshot"))


def _keep(worker: Worker, snapshot: Snapshot) -> None:
    if snapshot["number"] > worker.snapshot["number"]:
        worker.snapshot = snapshot


def _fail(worker: Worker, reason: str) -> None:
    worker.failure = reason
