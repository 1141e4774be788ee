"""Accepting connections one at a time, so that workers that share a listening socket get about as many each."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

_OTHERS_TURN_SECONDS: Final = 0.001
"""Long enough for another process to be woken up."""
_EXHAUSTED_SECONDS: Final = 0.1
"""Before the next try where there are too many open files, which does not change at once."""


class Acceptor:
    """
    Takes connections from a listening socket.

    An event loop's own server takes all that wait in one go: of a burst of connections, which stay for as long as their
    clients keep them, one worker would get all and the others none.

    Parameters
    ----------
    listener : socket.socket
        That listens. It is closed in the end.
    connect : callable
        Makes the protocol of a connection.
    tls : mapping
        Options of ``loop.connect_accepted_socket``; none for plain text.
    shared : bool
        Whether others listen on the same socket, who get a moment to take the next connection.
    """

    def __init__(
        self,
        listener: socket.socket,
        connect: Callable[[], asyncio.Protocol],
        tls: dict[str, Any] | None = None,
        *,
        shared: bool = False,
    ) -> None:
        listener.setblocking(False)  # noqa: FBT003 -- the standard library's own
        self._listener = listener
        self._connect = connect
        self._tls = tls or {}
        self._shared = shared
        self._loop = asyncio.get_running_loop()
        self._connecting: set[asyncio.Task[None]] = set()
        self._closed = False
        self._resume()

    def close(self) -> None:
        """Take no more connections; those that were taken go on, for no other worker can have them."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._listener)
        self._listener.close()

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._listener)
        self._loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # Another worker was faster, or the client has left already.
        except OSError:
            self._pause(_EXHAUSTED_SECONDS)
            return
        if self._shared:
            self._pause(_OTHERS_TURN_SECONDS)
        connection.setblocking(False)  # noqa: FBT003 -- the standard library's own
        task = self._loop.create_task(self._take(connection))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _take(self, connection: socket.socket) -> None:
        # A handshake fails for reasons that are the client's: it leaves, speaks no TLS, or takes too long.
        with suppress(OSError):
            await self._loop.connect_accepted_socket(self._connect, connection, **self._tls)
