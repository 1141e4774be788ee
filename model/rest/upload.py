"""A request's body as it comes over the connection."""

import asyncio
from collections.abc import Callable


class Upload:
    """
    What has come of a body, and has not been read.

    Parameters
    ----------
    want_more : callable
        Called when somebody reads of what has not come whole: the client may wait to be asked, or be held back.
    unasked : bool
        Whether the client waits to be asked for it; no longer once somebody has begun to read.

    Attributes
    ----------
    whole : bool
        Whether the client has sent all of it.
    held_bytes : int
        What is kept for who reads it.
    """

    __slots__ = ("_pieces", "_unwanted", "_waiter", "_want_more", "held_bytes", "unasked", "whole")

    def __init__(self, want_more: Callable[[], None], *, unasked: bool = False) -> None:
        self._want_more = want_more
        self._pieces: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self._unwanted = False
        self.unasked = unasked
        self.whole = False
        self.held_bytes = 0

    @property
    def ended(self) -> bool:
        """Whether all of it has been read."""
        return self.whole and not self._pieces

    async def read(self) -> bytes:
        """Return what has come since the last time, once there is anything; nothing where the body has ended."""
        if not self.whole:
            self._want_more()
            if not self._pieces:
                self._waiter = asyncio.get_running_loop().create_future()
                await self._waiter
        return self.take()

    def take(self) -> bytes:
        """Return what has come since the last time."""
        self.unasked = False
        piece = b"".join(self._pieces)
        self._pieces.clear()
        self.held_bytes = 0
        return piece

    def feed(self, piece: bytes) -> None:
        """Keep a piece, unless nobody will read it."""
        if self._unwanted:
            return
        self._pieces.append(piece)
        self.held_bytes += len(piece)
        self._wake()

    def end(self) -> None:
        """Note that no more comes."""
        self.whole = True
        self._wake()

    def drop(self) -> None:
        """Forget what has come, and what is still to come."""
        self._unwanted = True
        self._pieces.clear()
        self.held_bytes = 0

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
