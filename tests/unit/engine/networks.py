"""Small networks, as they come from a framework: made with onnx's own helpers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, ValueInfoProto, helper, numpy_helper

_GENERATOR = np.random.default_rng(5)
HIDDEN = _GENERATOR.normal(size=(12, 8)).astype(np.float32)
OUTPUT = _GENERATOR.normal(size=(8, 3)).astype(np.float32)
EMBEDDING = _GENERATOR.normal(size=(10, 4)).astype(np.float32)


def value(name: str, kind: int, *shape: Any) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def built(
    nodes: Sequence[Any], inputs: Sequence[ValueInfoProto], outputs: Sequence[ValueInfoProto], **constants: Any
) -> bytes:
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    graph = helper.make_graph(list(nodes), "network", list(inputs), list(outputs), tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def classifier() -> bytes:
    """Images of three by four to three classes, in float32, with a batch of any size."""
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("MatMul", ["flat", "hidden"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("MatMul", ["r", "output"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["logits"], ["label"], axis=1, keepdims=0),
    ]
    inputs = [value("image", TensorProto.FLOAT, "batch", 3, 4)]
    outputs = [value("probabilities", TensorProto.FLOAT, "batch", 3), value("label", TensorProto.INT64, "batch")]
    return built(nodes, inputs, outputs, hidden=HIDDEN, output=OUTPUT)


def answered(images: Any) -> tuple[Any, Any]:
    """Compute what ``classifier`` does."""
    logits = np.maximum(images.reshape(len(images), -1) @ HIDDEN, 0) @ OUTPUT
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True), logits.argmax(axis=1)


def embedder() -> bytes:
    """Tokens and a weight to a vector: two inputs of different kinds, and a value that the graph may refuse."""
    nodes = [
        helper.make_node("Gather", ["table", "tokens"], ["vectors"]),
        helper.make_node("ReduceMean", ["vectors"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("Mul", ["mean", "weight"], ["vector"]),
    ]
    inputs = [value("tokens", TensorProto.INT64, "n", "length"), value("weight", TensorProto.FLOAT, "n", 1)]
    return built(nodes, inputs, [value("vector", TensorProto.FLOAT, "n", 4)], table=EMBEDDING)


def echo() -> bytes:
    """Strings and booleans, each given back."""
    nodes = [helper.make_node("Identity", ["text"], ["same"]), helper.make_node("Not", ["flag"], ["other"])]
    inputs = [value("text", TensorProto.STRING, "n"), value("flag", TensorProto.BOOL, "n")]
    return built(nodes, inputs, [value("same", TensorProto.STRING, "n"), value("other", TensorProto.BOOL, "n")])


def single() -> bytes:
    """A batch of exactly one row."""
    node = helper.make_node("Abs", ["x"], ["y"])
    return built([node], [value("x", TensorProto.DOUBLE, 1, 2)], [value("y", TensorProto.DOUBLE, 1, 2)])


def optional() -> bytes:
    """A network that takes what is no tensor."""
    sequence = helper.make_value_info("many", helper.make_sequence_type_proto(helper.make_tensor_type_proto(1, None)))
    node = helper.make_node("SequenceLength", ["many"], ["count"])
    return built([node], [sequence], [value("count", TensorProto.INT64)])


def layered(columns: int, outputs: int, *, ends_in: str = "Identity", factor: float = 1.0) -> bytes:
    """Rows of numbers to numbers by two layers, in float32, as a module of torch's is exported."""
    generator = np.random.default_rng(7)
    hidden = (factor * generator.normal(size=(columns, 6))).astype(np.float32)
    output = (factor * generator.normal(size=(6, outputs))).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["X", "hidden"], ["h"]),
        helper.make_node("Tanh" if factor == 1 else "Relu", ["h"], ["r"]),
        helper.make_node("MatMul", ["r", "output"], ["o"]),
        helper.make_node(ends_in, ["o"], ["answers"]),
    ]
    given = [value("X", TensorProto.FLOAT, "rows", columns)]
    return built(nodes, given, [value("answers", TensorProto.FLOAT, "rows", outputs)], hidden=hidden, output=output)


def linear(weights: Any, biases: Any) -> bytes:
    """Rows of numbers to probabilities of classes."""
    columns, outputs = np.shape(weights)
    nodes = [
        helper.make_node("Gemm", ["X", "weights", "biases"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["answers"], axis=1),
    ]
    given, constants = np.asarray(weights, np.float32), np.asarray(biases, np.float32)
    return built(
        nodes,
        [value("X", TensorProto.FLOAT, "rows", columns)],
        [value("answers", TensorProto.FLOAT, "rows", outputs)],
        weights=given,
        biases=constants,
    )
