"""
The messages of ``open_inference.proto``, in a descriptor pool of their own.

The protocol's package name is fixed, and other modules generated for it (KServe's, Triton's clients') register the
same names in protobuf's default pool, which holds each name once. ``make proto`` compiles the definition and its types.
"""

from importlib.resources import files as _files

from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.protobuf import descriptor_pool as _descriptor_pool
from google.protobuf import message_factory as _message_factory

_compiled = _descriptor_pb2.FileDescriptorSet.FromString(
    _files(__package__).joinpath("open_inference.binpb").read_bytes()
)
_pool = _descriptor_pool.DescriptorPool()

DESCRIPTOR = _pool.AddSerializedFile(_compiled.file[0].SerializeToString())

globals().update(
    {name: _message_factory.GetMessageClass(message) for name, message in DESCRIPTOR.message_types_by_name.items()}
)
