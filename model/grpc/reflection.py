"""The service ``ServerReflection`` of ``grpc.reflection.v1`` and ``v1alpha``, by which tools learn what is served."""

from typing import Any, Final

from google.protobuf import text_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from model.grpc.open_inference_pb2 import DESCRIPTOR
from model.grpc.rpc import parse
from model.grpc.stream import Method, Stream

OLD_SERVICE: Final = reflection.SERVICE_NAME
SERVICE: Final = OLD_SERVICE.replace("v1alpha", "v1")
"""The same messages by another name; the library has the old one alone, and tools begin to ask for the new one alone."""

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
    described = text_format.MessageToString(FileDescriptorProto.FromString(reflection_pb2.DESCRIPTOR.serialized_pb))
    pool.Add(text_format.Parse(described.replace("v1alpha", "v1"), FileDescriptorProto()))
    return pool
