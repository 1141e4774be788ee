"""An ONNX graph in the making: tensors are names, NumPy arrays become constants."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

OPSET: Final = 21
ML_OPSET: Final = 5
"""The first with trees in float64."""
_IR_VERSION: Final = 10
INPUT: Final = "X"
_WITHOUT_SUCCESSOR: Final = frozenset({"TreeEnsembleClassifier", "TreeEnsembleRegressor"})
"""Operators that the opset used here does not have any more; in float64 they answered wrongly."""


class NotLowerable(Exception):
    """There is no graph that answers as this estimator; the message says what stands in the way."""


Name = str
Operand = str | float | npt.NDArray[Any] | Sequence[int]
"""A tensor's name, or a constant: numbers are float64, sequences of integers int64."""


class Graph:
    """
    Nodes and constants, added one by one.

    Parameters
    ----------
    width : int
        Columns of its input ``X``, a float64 tensor of shape (n_samples, width).
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._nodes: list[NodeProto] = []
        self._constants: dict[bytes, TensorProto] = {}
        self._count = 0
        self._included: list[TensorProto] = []
        self._opsets = {"": OPSET, "ai.onnx.ml": ML_OPSET}

    def op(self, kind: str, *operands: Operand, domain: str = "", **attributes: Any) -> Name:
        """Add a node with one output, and return that."""
        return self.ops(kind, 1, *operands, domain=domain, **attributes)[0]

    def ops(self, kind: str, count: int, *operands: Operand, domain: str = "", **attributes: Any) -> list[Name]:
        """Add a node with several outputs, and return those."""
        inputs = [operand if isinstance(operand, str) else self.constant(operand) for operand in operands]
        outputs = [self._new() for _ in range(count)]
        self._nodes.append(helper.make_node(kind, inputs, outputs, domain=domain, **attributes))
        return outputs

    def constant(self, value: float | npt.NDArray[Any] | Sequence[int]) -> Name:
        """Return the name of a constant; equal ones are kept once."""
        array = np.ascontiguousarray(_array(value))
        key = array.dtype.str.encode() + repr(np.shape(value)).encode() + array.tobytes()
        if key not in self._constants:
            self._constants[key] = numpy_helper.from_array(array.reshape(np.shape(value)), self._new())
        return self._constants[key].name

    def constant_int(self, value: int) -> Name:
        """Return the name of a constant integer without dimensions."""
        return self.constant(np.array(value, dtype=np.int64))

    def cast(self, tensor: Name, to: int) -> Name:
        """Convert a tensor to another type, one of ``TensorProto``'s."""
        return self.op("Cast", tensor, to=to)

    def columns(self, tensor: Name, indices: Sequence[int] | npt.NDArray[Any]) -> Name:
        """Choose columns of a tensor of two dimensions."""
        return self.op("Gather", tensor, np.asarray(indices, dtype=np.int64), axis=1)

    def include(self, model: ModelProto, tensor: Name) -> list[Name]:
        """Add the nodes of another graph with ``tensor`` as its only input, and return its outputs."""
        prefix = f"{self._new()}_"
        (given,) = (value.name for value in model.graph.input)

        def renamed(name: str) -> str:
            return tensor if name == given else name and prefix + name

        for node in model.graph.node:
            if node.op_type in _WITHOUT_SUCCESSOR:
                msg = f"{node.op_type} of another converter loses what float64 holds"
                raise NotLowerable(msg)
            self._nodes.append(NodeProto())
            self._nodes[-1].CopyFrom(node)
            self._nodes[-1].ClearField("name")
            self._nodes[-1].input[:] = map(renamed, node.input)
            self._nodes[-1].output[:] = map(renamed, node.output)
        for constant in model.graph.initializer:
            self._included.append(TensorProto())
            self._included[-1].CopyFrom(constant)
            self._included[-1].name = renamed(constant.name)
        self._opsets |= {each.domain: each.version for each in model.opset_import if each.domain not in self._opsets}
        return [renamed(value.name) for value in model.graph.output]

    def model(self, outputs: Mapping[str, Name]) -> bytes:
        """
        Return the graph as a file's content.

        Parameters
        ----------
        outputs : mapping of str to str
            Tensors by the name that they are to have outside.
        """
        nodes = [*self._nodes, *(helper.make_node("Identity", [name], [out]) for out, name in outputs.items())]
        values = [ValueInfoProto(name=name) for name in outputs]
        inputs = [helper.make_tensor_value_info(INPUT, TensorProto.DOUBLE, [None, self._width])]
        graph = helper.make_graph(nodes, "estimator", inputs, values, self._used(nodes))
        opsets = [helper.make_opsetid(domain, version) for domain, version in self._opsets.items()]
        model: ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
        return model.SerializeToString()

    def _used(self, nodes: Sequence[NodeProto]) -> list[TensorProto]:
        names = {name for node in nodes for name in node.input}
        return [c for c in (*self._constants.values(), *self._included) if c.name in names]

    def _new(self) -> Name:
        self._count += 1
        return f"t{self._count}"


def _array(value: float | npt.NDArray[Any] | Sequence[int]) -> npt.NDArray[Any]:
    if isinstance(value, np.ndarray):
        return value.astype(np.float64) if value.dtype.kind == "f" and value.dtype != np.float32 else value
    return np.asarray(value, dtype=np.float64 if isinstance(value, int | float) else np.int64)
