"""The service ``grpc.reflection.v1alpha.ServerReflection``, by which tools learn what is served."""

from typing import Any, Final

from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from model.grpc.open_inference_pb2 import DESCRIPTOR
from model.grpc.rpc import parse
from model.grpc.stream import Method, Stream

SERVICE: Final = reflection.SERVICE_NAME

_NO_CONTEXT: Final[Any] = None
"""It looks at none."""


class ReflectionServicer:
    """
    Describes services to clients, with or without a key.

    Parameters
    ----------
    services : iterable of str
        Their full names.
    """

    def __init__(self, *services: str) -> None:
        self._servicer = reflection.ReflectionServicer(services, pool=_described())

    def methods(self) -> dict[str, Method]:
        """Give what answers, by the method's name."""
        return {"ServerReflectionInfo": Method(self._serve, client_streams=True)}

    async def _serve(self, stream: Stream) -> None:
        async for body in stream.messages():
            request = parse(reflection_pb2.ServerReflectionRequest, body)
            for response in self._servicer.ServerReflectionInfo(iter([request]), _NO_CONTEXT):
                stream.send(response.SerializeToString())
        stream.end()


def _described() -> DescriptorPool:
    """Collect what is described, for our messages are not in protobuf's default pool."""
    pool = DescriptorPool()
    for file in (DESCRIPTOR, health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR):
        pool.AddSerializedFile(file.serialized_pb)
    return pool
