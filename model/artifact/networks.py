"""Golden rows of networks, which come without a sample: made up, for a graph tells what it takes."""

from typing import Any, Final

from model.artifact.golden import check_engine
from model.artifact.manifest import Golden
from model.codec.json_tensor import tensor_to_json
from model.engine.network import OnnxNetwork
from model.errors import ArtifactError
from model.signature import Inputs
from model.signature.outputs import encode, methods_of
from model.tensors import Tensor

_MOST_VALUES: Final = 20_000
"""Values of one tensor beyond which golden rows are left out, lest the manifest outgrow the network."""


def made_up_rows(network: OnnxNetwork) -> Golden | None:
    """Return rows to warm a network up on, without answers; None if it takes none that can be made up."""
    golden = record_golden_rows(network)
    return Golden(inputs=golden.inputs) if golden.inputs else None


def record_golden_rows(network: OnnxNetwork) -> Golden:
    """Return made-up rows and what a network answers to them; nothing at all if it takes none that can be made up."""
    table, signature = network.made_up(), network.signature
    inputs = [Tensor(c.name, c.datatype, table.arrays[c.name]) for c in signature.inputs if c.datatype is not None]
    try:
        outputs = encode(signature.outputs, network.run(table, methods_of(signature.outputs)))
        golden = Golden(inputs=tuple(map(_json, inputs)), outputs=tuple(map(_json, outputs)))
        check_engine(network, Inputs(signature), signature, golden)
    except Exception:  # noqa: BLE001 -- sizes or values that go together are more than a graph tells
        return Golden(inputs=())
    return golden


def _json(tensor: Tensor) -> dict[str, Any]:
    if tensor.data.size > _MOST_VALUES:
        raise ArtifactError(f"{tensor.name!r} holds {tensor.data.size} values; expected at most {_MOST_VALUES}.")
    return tensor_to_json(tensor)
