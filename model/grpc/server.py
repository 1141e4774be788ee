"""The gRPC server: its port, its connections, and how it stops."""

import asyncio
import resource
from typing import Any, Final

import structlog

from model.dataplane import DataPlane
from model.grpc import health, reflection, servicer
from model.grpc.connection import STREAMS, Connection, Service
from model.sockets import BACKLOG, listen_shared
from model.tls.certificates import HANDSHAKE_SECONDS, Certificates
from model.tls.files import HTTP_2

_MOST_CONNECTIONS: Final = 4096
"""Or an eighth of the files that the process may open, for REST has three quarters."""
_TICK_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.02
_CLOSED_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


class GrpcServer:
    """
    The services of this package on one port.

    Parameters
    ----------
    dataplane : DataPlane
    host : str
        A name or an address.
    port : int
        0 takes a free one.
    certificates : Certificates or None
        For TLS; None serves plain text.
    share_port : bool
        With other workers of this server.
    max_receive_message_length, max_send_message_length : int
        Bytes, after decompression. A longer message ends in RESOURCE_EXHAUSTED.
    max_concurrent_streams : int
        Calls at once over one connection; the client keeps those beyond.
    max_connection_age_seconds : float or None
        After this a client is told to connect anew, so that new replicas get their share. None: never.
    max_connection_age_grace_seconds : float
        For the calls then in flight.
    client_seconds : float
        For which a client may take to send a request, and to take the answer.
    health_poll_seconds : float
        At most so much later those who watch the health learn of a change.
    """

    def __init__(
        self,
        dataplane: DataPlane,
        *,
        host: str,
        port: int,
        certificates: Certificates | None = None,
        share_port: bool = False,
        max_receive_message_length: int,
        max_send_message_length: int,
        max_concurrent_streams: int = STREAMS,
        max_connection_age_seconds: float | None = None,
        max_connection_age_grace_seconds: float = 30.0,
        client_seconds: float = 60.0,
        health_poll_seconds: float = 1.0,
    ) -> None:
        self._host = host
        self._port = port
        self._share_port = share_port
        # The two limits are refused where there is no TLS.
        self._tls: dict[str, Any] = {}
        if certificates is not None:
            self._tls = {
                "ssl": certificates.context(HTTP_2),
                "ssl_handshake_timeout": HANDSHAKE_SECONDS,
                "ssl_shutdown_timeout": _CLOSED_SECONDS,
            }
        self._client_seconds = client_seconds
        self._health = health.HealthServicer(dataplane, health_poll_seconds)
        reflected = reflection.ReflectionServicer(
            servicer.SERVICE, health.SERVICE, reflection.SERVICE, reflection.OLD_SERVICE
        )
        services = {
            servicer.SERVICE: servicer.InferenceServicer(dataplane).methods(),
            health.SERVICE: self._health.methods(),
            reflection.SERVICE: reflected.methods(),
            reflection.OLD_SERVICE: reflected.methods(),
        }
        self._service = Service(
            methods={
                f"/{service}/{name}".encode(): method
                for service, methods in services.items()
                for name, method in methods.items()
            },
            max_receive_bytes=max_receive_message_length,
            max_send_bytes=max_send_message_length,
            max_concurrent_streams=max_concurrent_streams,
            max_connections=min(_MOST_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 8),
            max_age_seconds=max_connection_age_seconds,
            age_grace_seconds=max_connection_age_grace_seconds,
        )
        self._listener: asyncio.Server | None = None
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
        listener = listen_shared(self._host, self._port, shared=self._share_port)
        port: int = listener.getsockname()[1]
        self._listener = await asyncio.get_running_loop().create_server(
            lambda: Connection(self._service), sock=listener, backlog=BACKLOG, **self._tls
        )
        self._ticker = asyncio.create_task(self._tick_on())
        return port

    def drain(self) -> None:
        """Turn the health of every service to NOT_SERVING at once; calls are answered as before."""
        self._health.drain()

    async def stop(self, grace_seconds: float) -> None:
        """
        Send clients elsewhere (GOAWAY), and let the calls in flight and on their way finish.

        Parameters
        ----------
        grace_seconds : float
            After this, calls still in flight are given up.
        """
        self._health.close()
        if self._listener is None or self._ticker is None:
            return
        self._ticker.cancel()
        self._listener.close()
        await self._closed_within(grace_seconds)
        for connection in self._connections():
            connection.close()
        await self._closed_within(_CLOSED_SECONDS)

    def _connections(self) -> list[Connection]:
        return list(self._service.connections)

    async def _closed_within(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while self._service.connections and loop.time() < end:
            for connection in self._connections():  # One may have been on its way when the listener was closed.
                connection.shut_down()
            await asyncio.sleep(_POLL_SECONDS)

    async def _tick_on(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            now = loop.time()
            for connection in self._connections():
                try:
                    connection.close_if_slow(greeted_by=now - HANDSHAKE_SECONDS, sent_by=now - self._client_seconds)
                except Exception:  # noqa: BLE001 -- whatever it was, it must not keep the others from being looked at
                    _log.exception("a look at a connection failed; the next follows")
