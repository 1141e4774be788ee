"""The processes that serve together, as one of them sees them; and a process that serves alone."""

from collections.abc import Awaitable, Callable
from typing import Any, Literal, Protocol

import structlog

from model.workers.snapshot import Snapshot

Action = Literal["load", "unload"]

_log = structlog.get_logger(__name__)


class Member(Protocol):
    """A serving process, as its group needs it."""

    def ready_models(self) -> list[str]:
        """Return the models that answer here."""
        ...

    def ready_here(self) -> bool:
        """Whether every model answers here."""
        ...

    def snapshot(self) -> Snapshot:
        """Return what has been counted here."""
        ...

    async def change(self, action: Action, model: str) -> bool:
        """Load or unload a model here, and tell whether it was done."""
        ...

    def stop(self, *, drain: bool) -> None:
        """Begin to stop; a second time, do not wait any longer."""
        ...


class Group(Protocol):
    """All processes that answer on the same ports, this one among them."""

    @property
    def worker(self) -> int | None:
        """Number of this process, from 1; None where it serves alone."""
        ...

    @property
    def late(self) -> bool:
        """Whether it stands in for one that died: the others answer while it loads, and connections can wait."""
        ...

    @property
    def unloaded(self) -> frozenset[str]:
        """Models that clients have unloaded before it was started."""
        ...

    async def join(self, member: Member) -> None:
        """Begin to work together."""
        ...

    def report(self, **news: bool) -> None:
        """Let the others know what is new here: whether it is ``listening``, or has ``loaded``."""
        ...

    async def leave(self) -> None:
        """Hand over the last counts."""
        ...

    def announce(self, event: str, **fields: Any) -> None:
        """Log what is true of the whole group, once."""
        ...

    def fail(self, reason: str) -> None:
        """Tell why this process can't serve; it ends after that."""
        ...

    def ready(self) -> bool:
        """Whether the others are ready."""
        ...

    def model_ready(self, name: str) -> bool:
        """Whether a model answers in the others."""
        ...

    async def everywhere(self, action: Action, model: str, here: Callable[[], Awaitable[bool]]) -> bool:
        """Load or unload a model in every process, and tell whether it was done in all."""
        ...

    async def total(self) -> Snapshot | None:
        """Return what all have counted together; None where this process is all."""
        ...


class Alone:
    """A group of one."""

    worker = None
    late = False
    unloaded: frozenset[str] = frozenset()

    async def join(self, member: Member) -> None:
        """There is nobody to join."""

    def report(self, **news: bool) -> None:
        """There is nobody to tell."""

    async def leave(self) -> None:
        """There is nobody to leave."""

    def announce(self, event: str, **fields: Any) -> None:
        """Log it."""
        _log.info(event, **fields)

    def fail(self, reason: str) -> None:
        """Log it."""
        _log.error(reason)

    def ready(self) -> bool:
        """There are no others to wait for."""
        return True

    def model_ready(self, _name: str) -> bool:
        """There are no others to wait for."""
        return True

    async def everywhere(self, _action: Action, _model: str, here: Callable[[], Awaitable[bool]]) -> bool:
        """Do it here."""
        return await here()

    async def total(self) -> Snapshot | None:
        """There are no others' counts to add."""
        return None
