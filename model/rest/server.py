"""The REST listener: its socket, its connections, and how it stops."""

import asyncio
import resource
import socket
import time
from itertools import islice
from typing import Any, Final

import structlog

from model.rest.acceptor import Acceptor
from model.rest.app import RestApp
from model.rest.protocol import Protocol
from model.sockets import BACKLOG, listen
from model.tls.certificates import HANDSHAKE_SECONDS, Certificates
from model.tls.files import HTTP_1

_SETTLE_SECONDS: Final = 0.05
_POLL_SECONDS: Final = 0.02
_TICK_SECONDS: Final = 1.0
_CANCELLED_SECONDS: Final = 1.0
_TLS_LIMITS: Final = {"ssl_handshake_timeout": HANDSHAKE_SECONDS, "ssl_shutdown_timeout": 1.0}
"""Seconds; a client that is slow to say goodbye must not hold a drain up."""
_SAMPLE: Final = 32
"""Connections among which the one that makes room for another is chosen."""

_log = structlog.get_logger(__name__)


class RestServer:
    """
    Serves an application within the running event loop.

    Parameters
    ----------
    app : RestApp
    host : str
        A name or an address.
    port : int
        0 takes a free one.
    certificates : Certificates or None
        For TLS; None serves plain text.
    keep_alive_seconds : int
        For which a connection may idle between requests. More than a proxy's own limit, lest it reuse a connection
        that is being closed.
    client_seconds : float
        For which a client may take to send a request, head and body, and to take the answer.
    backlog : int
        Connections that may wait to be accepted.
    listener : socket.socket or None
        That listens already, in place of one for host and port.
    max_connections : int
        Connections held at once, at most three quarters of the files that the process may open. For one more, one
        that waits for its client is closed.
    """

    def __init__(
        self,
        app: RestApp,
        *,
        host: str,
        port: int,
        certificates: Certificates | None = None,
        keep_alive_seconds: int = 75,
        client_seconds: float = 60.0,
        backlog: int = BACKLOG,
        listener: socket.socket | None = None,
        max_connections: int = 4096,
    ) -> None:
        self._app = app
        self._host = host
        self._port = port
        # The two limits are refused where there is no TLS.
        self._tls: dict[str, Any] = {} if certificates is None else {"ssl": certificates.context(HTTP_1), **_TLS_LIMITS}
        self._client_seconds = client_seconds
        self._backlog = backlog
        self._inherited = listener
        self._max_connections = min(max_connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0] * 3 // 4)
        self._keep_alive_seconds = keep_alive_seconds
        self._connections: set[Protocol] = set()
        self._acceptor: Acceptor | None = None
        self._ticker: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """
        Listen and serve.

        Returns
        -------
        int
            The port that is bound.

        Raises
        ------
        ArtifactError
            The address can't be bound.
        """
        listener = self._inherited or listen(self._host, self._port, self._backlog)
        port: int = listener.getsockname()[1]
        self._acceptor = Acceptor(listener, self._connect, self._tls, shared=self._inherited is not None)
        self._ticker = asyncio.create_task(self._tick_on())
        return port

    async def stop(self, grace_seconds: float) -> None:
        """
        Accept no more, close what is idle, and let requests in flight finish.

        Parameters
        ----------
        grace_seconds : float
            After this, requests still in flight are answered with 503.
        """
        if self._acceptor is None or self._ticker is None:
            return
        self._app.draining = True
        self._acceptor.close()
        # A request that lies in a socket's buffer already is read, and is then in flight like the others.
        await asyncio.sleep(_SETTLE_SECONDS)
        await self._finish(grace_seconds)
        for connection in list(self._connections):
            connection.cancel()
        await self._finish(_CANCELLED_SECONDS)
        for connection in list(self._connections):
            connection.transport.abort()
        self._ticker.cancel()

    async def _finish(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while self._connections and time.monotonic() < end:
            for connection in list(self._connections):
                connection.shutdown()
            await asyncio.sleep(_POLL_SECONDS)

    def _connect(self) -> Protocol:
        """Make the protocol of a new connection, if need be in the place of one that waits for its client."""
        if len(self._connections) >= self._max_connections:
            waiting = {
                connection: connection.idle_since
                for connection in islice(self._connections, _SAMPLE)
                if connection.idle_since is not None
            }
            if waiting:
                min(waiting, key=waiting.__getitem__).transport.abort()
        return Protocol(self._app, self._connections)

    async def _tick_on(self) -> None:
        """Look at the connections now and then, in place of a timer for each."""
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            now = asyncio.get_running_loop().time()
            for connection in list(self._connections):
                _close_if_slow(connection, now - self._client_seconds, now - self._keep_alive_seconds)


def _close_if_slow(connection: Protocol, since: float, idle_since: float) -> None:
    try:
        connection.close_if_slow(since, idle_since)
    except Exception:  # noqa: BLE001 -- whatever it was, it must not keep the others from being looked at
        _log.exception("a look at a connection failed; the next follows")
