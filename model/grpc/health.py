"""The service ``grpc.health.v1.Health``, which Kubernetes probes and gRPC's own load balancing ask."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from grpc_health.v1.health_pb2 import DESCRIPTOR, HealthCheckRequest, HealthCheckResponse

from model.call import Call
from model.dataplane import DataPlane
from model.errors import NotFound
from model.grpc.rpc import parse, unary
from model.grpc.servicer import SERVICE as INFERENCE_SERVICE
from model.grpc.stream import Method, Stream

SERVICE: Final[str] = DESCRIPTOR.services_by_name["Health"].full_name

_WHOLE_SERVER: Final = frozenset({"", INFERENCE_SERVICE})


class HealthServicer:
    """
    The health of the server (services ``""`` and the inference service) and of each model (by its name).

    It is computed from the data plane when asked, so it can't fall behind; who watches is told at most
    `poll_seconds` after a change, and at once of the drain.

    Parameters
    ----------
    dataplane : DataPlane
    poll_seconds : float
        Between two looks at a watched service.

    References
    ----------
    GRPC Health Checking Protocol.
    """

    def __init__(self, dataplane: DataPlane, poll_seconds: float = 1.0) -> None:
        self._dataplane = dataplane
        self._poll_seconds = poll_seconds
        self._draining = asyncio.Event()
        self._closed = asyncio.Event()

    def methods(self) -> dict[str, Method]:
        """Give what answers, by the method's name; probes need no credentials."""
        return {"Check": unary(self.check, HealthCheckRequest), "Watch": Method(self._serve_watch)}

    def drain(self) -> None:
        """Answer NOT_SERVING for every service from now on."""
        self._draining.set()

    def close(self) -> None:
        """End every watch, which would hold up a graceful stop for all of its grace."""
        self._draining.set()
        self._closed.set()

    async def check(self, request: HealthCheckRequest, _: Call) -> HealthCheckResponse:
        """
        Tell whether a service serves.

        Raises
        ------
        NotFound
            No model has this name.
        """
        return HealthCheckResponse(status=self._status(request.service))

    async def watch(self, service: str) -> AsyncIterator[HealthCheckResponse]:
        """Tell a service's status now and whenever it changes; an unknown one may yet appear."""
        told: int | None = None
        while not self._draining.is_set():
            status = self._watched_status(service)
            if status != told:
                told = status
                yield HealthCheckResponse(status=status)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._draining.wait(), self._poll_seconds)
        if told != HealthCheckResponse.NOT_SERVING:
            yield HealthCheckResponse(status=HealthCheckResponse.NOT_SERVING)
        await self._closed.wait()

    def _status(self, service: str) -> int:
        whole_server = service in _WHOLE_SERVER
        ready = self._dataplane.ready() if whole_server else self._dataplane.model_ready(service)
        if ready and not self._draining.is_set():
            return HealthCheckResponse.SERVING
        return HealthCheckResponse.NOT_SERVING

    def _watched_status(self, service: str) -> int:
        try:
            return self._status(service)
        except NotFound:
            return HealthCheckResponse.SERVICE_UNKNOWN

    async def _serve_watch(self, stream: Stream) -> None:
        async for response in self.watch(parse(HealthCheckRequest, await stream.message()).service):
            stream.send(response.SerializeToString())
        stream.end()
