"""The gRPC server: its options, its port, and how it stops."""

import asyncio
import time
from typing import Final

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from model.dataplane import DataPlane
from model.errors import ArtifactError
from model.grpc import health, servicer
from model.grpc.open_inference_pb2 import DESCRIPTOR
from model.tls.certificates import HANDSHAKE_SECONDS, Certificates
from model.tls.files import Credentials

_MILLISECONDS: Final = 1_000
_PAUSE_WITHIN_SECONDS: Final = 0.25
_JUST_CAME_SECONDS: Final = (0.002, 0.01)


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
    max_concurrent_streams : int or None
        Calls at once over one connection; the client keeps those beyond. None: no limit.
    max_connection_age_seconds : float or None
        After this a client is told to connect anew, so that new replicas get their share. None: never.
    max_connection_age_grace_seconds : float
        For the calls then in flight.
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
        max_concurrent_streams: int | None = None,
        max_connection_age_seconds: float | None = None,
        max_connection_age_grace_seconds: float = 30.0,
        health_poll_seconds: float = 1.0,
    ) -> None:
        self._host = host
        self._port = port
        self._credentials = None if certificates is None else _server_credentials(certificates)
        self._inference = servicer.InferenceServicer(dataplane)
        self._health = health.HealthServicer(dataplane, health_poll_seconds)
        self._server: grpc.aio.Server | None = None
        self._options: list[tuple[str, int]] = [
            # Shared by default, which would let a second server take every other connection without a word.
            ("grpc.so_reuseport", int(share_port)),
            ("grpc.max_receive_message_length", max_receive_message_length),
            ("grpc.max_send_message_length", max_send_message_length),
            ("grpc.server_handshake_timeout_ms", HANDSHAKE_SECONDS * _MILLISECONDS),
        ]
        if max_concurrent_streams is not None:
            self._options.append(("grpc.max_concurrent_streams", max_concurrent_streams))
        if max_connection_age_seconds is not None:
            self._options += [
                ("grpc.max_connection_age_ms", round(max_connection_age_seconds * _MILLISECONDS)),
                ("grpc.max_connection_age_grace_ms", round(max_connection_age_grace_seconds * _MILLISECONDS)),
            ]

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
        server = grpc.aio.server(options=self._options)
        server.add_generic_rpc_handlers((self._inference.handlers(), self._health.handlers()))
        services = (servicer.SERVICE, health.SERVICE, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(services, server, pool=_described())
        port = self._bind(server)
        await server.start()
        self._server = server
        return port

    def drain(self) -> None:
        """Turn the health of every service to NOT_SERVING at once; calls are answered as before."""
        self._health.drain()

    async def stop(self, grace_seconds: float) -> None:
        """
        Send clients elsewhere (GOAWAY), refuse new calls, and let those in flight finish.

        Parameters
        ----------
        grace_seconds : float
            After this, calls still in flight are cancelled.
        """
        self._health.close()
        if self._server is not None:
            if grace_seconds:
                await self._pause_between_calls()
            await self._server.stop(grace_seconds)

    async def _pause_between_calls(self) -> None:
        """
        Wait for the pause after a call has come, or until none has come for a while.

        When it begins to stop, gRPC's core cancels the calls that no handler has yet (grpc/grpc#41785). Of clients
        that call without a pause some calls are lost nevertheless.
        """
        shortest, longest = _JUST_CAME_SECONDS
        end = time.monotonic() + _PAUSE_WITHIN_SECONDS
        while (now := time.monotonic()) < end:
            since = now - self._inference.last_infer
            if shortest < since < longest or since > _PAUSE_WITHIN_SECONDS:
                return
            await asyncio.sleep(shortest / 2)

    def _bind(self, server: grpc.aio.Server) -> int:
        host = f"[{self._host}]" if ":" in self._host else self._host
        address = f"{host}:{self._port}"
        try:
            if self._credentials is not None:
                return server.add_secure_port(address, self._credentials)
            return server.add_insecure_port(address)
        except RuntimeError as error:
            raise ArtifactError(
                f"gRPC can't listen on {host}:{self._port}: the port is taken, or the address is not this host's; "
                "choose others with --grpc_port and --host."
            ) from error


def _server_credentials(certificates: Certificates) -> grpc.ServerCredentials:
    """Return credentials that are those of the time at each handshake."""
    used = certificates.current()

    def changed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal used
        current = certificates.current()
        if current is used:
            return None
        used = current
        return _configuration(current)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(used),
        changed,  # type: ignore[arg-type]  # its stub forbids the None that it documents
        require_client_authentication=used.ca_certs is not None,
    )


def _configuration(credentials: Credentials) -> grpc.ServerCertificateConfiguration:
    pairs = [(credentials.key, credentials.chain)]
    return grpc.ssl_server_certificate_configuration(pairs, root_certificates=credentials.ca_certs)


def _described() -> DescriptorPool:
    """Collect what reflection describes, for our messages are not in protobuf's default pool."""
    pool = DescriptorPool()
    for file in (DESCRIPTOR, health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR):
        pool.AddSerializedFile(file.serialized_pb)
    return pool
