"""What the server says of itself and of its models."""

from dataclasses import dataclass

from model.datatypes import Datatype
from model.servable import Servable
from model.signature.schema import MATRIX_NAME, Column, Layout, Signature


@dataclass(frozen=True, slots=True)
class ServerMetadata:
    """
    The server's answer about itself.

    References
    ----------
    Open Inference Protocol v2, "Server Metadata".
    """

    name: str
    version: str
    extensions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TensorMetadata:
    """An input or output; -1 stands for a dimension that varies."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """
    The server's answer about a model.

    Parameters
    ----------
    name : str
    versions : tuple of str
        Those that answer; none for a model without versions.
    platform : str
        ``<project>_<format>``.
    inputs, outputs : tuple of TensorMetadata

    References
    ----------
    Open Inference Protocol v2, "Model Metadata".
    """

    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]


def model_metadata(servable: Servable, versions: tuple[str, ...]) -> ModelMetadata:
    """Describe one version of a model, beside which `versions` answer."""
    return ModelMetadata(
        name=servable.name,
        versions=versions,
        platform=servable.platform,
        inputs=_inputs(servable.signature),
        outputs=tuple(TensorMetadata(o.name, o.datatype, o.shape) for o in servable.signature.outputs),
    )


def _inputs(signature: Signature) -> tuple[TensorMetadata, ...]:
    if signature.named:
        return tuple(TensorMetadata(c.name, _datatype(c), c.shape or (-1, 1)) for c in signature.inputs)
    shape = (-1,) if signature.layout is Layout.TEXT else (-1, len(signature.inputs))
    datatypes = {_datatype(column) for column in signature.inputs}
    return (TensorMetadata(MATRIX_NAME, Datatype.BYTES if Datatype.BYTES in datatypes else Datatype.FP64, shape),)


def _datatype(column: Column) -> Datatype:
    """Take the datatype for a number where an artifact without a manifest does not tell."""
    return column.datatype or Datatype.FP64
