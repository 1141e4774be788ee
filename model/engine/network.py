"""A network exported to ONNX, by PyTorch, Keras or anything else: it comes without an estimator, and is its own engine."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from model.cpus import calculation_threads
from model.datatypes import NUMPY_DTYPES, Datatype
from model.errors import ArtifactError, InvalidInput
from model.sessions import session
from model.signature import Column, Layout, Output, Signature
from model.signature.inputs import X
from model.signature.tensors import Tensors

_DATATYPES: Final = {
    "tensor(bool)": Datatype.BOOL,
    "tensor(double)": Datatype.FP64,
    "tensor(float)": Datatype.FP32,
    "tensor(float16)": Datatype.FP16,
    "tensor(int8)": Datatype.INT8,
    "tensor(int16)": Datatype.INT16,
    "tensor(int32)": Datatype.INT32,
    "tensor(int64)": Datatype.INT64,
    "tensor(string)": Datatype.BYTES,
    "tensor(uint8)": Datatype.UINT8,
    "tensor(uint16)": Datatype.UINT16,
    "tensor(uint32)": Datatype.UINT32,
    "tensor(uint64)": Datatype.UINT64,
}
_MADE_UP_SIZE: Final = 2
"""Of a dimension that varies, in rows that are made up."""


class OnnxNetwork:
    """
    A network, ready to run.

    Parameters
    ----------
    content : bytes
        Of an ``.onnx`` file.
    path : str
        For messages.
    threads : int or None
        That one request may keep busy; None means as many as any calculation here.

    Attributes
    ----------
    signature : Signature
        As the graph tells it.

    Raises
    ------
    ArtifactError
        onnxruntime is not installed or does not run the graph, or it takes or gives what is no tensor.
    """

    name = "onnx"

    def __init__(self, content: bytes, path: str, threads: int | None = None) -> None:
        self._session = _session(content, path, threads or calculation_threads())
        outputs = [_output(node) for node in self._session.get_outputs() if node.type in _DATATYPES]
        inputs = [_input(node, path) for node in self._session.get_inputs()]
        if not inputs or not outputs:
            raise ArtifactError(f"{path} takes no tensors, or gives none; export the network with both.")
        self.signature = Signature(layout=Layout.TENSORS, named=True, inputs=tuple(inputs), outputs=tuple(outputs))
        self._shared = _shared(self._session.get_inputs())

    def run(self, table: X, methods: Sequence[str]) -> dict[str, Any]:
        """Return the outputs asked for, and no others; see ``Engine.run``."""
        if not isinstance(table, Tensors):
            msg = f"a network takes tensors, and was given {type(table).__name__}"
            raise TypeError(msg)
        for size, places in self._shared.items():
            _check_size(size, places, table)
        return dict(zip(methods, self._session.run(list(methods), table.arrays), strict=True))

    def made_up(self, seed: int = 0) -> Tensors:
        """Return a few rows that fit the signature: random numbers, zeros and ones for integers."""
        generator = np.random.default_rng(seed)
        return Tensors({column.name: _made_up(column, generator) for column in self.signature.inputs})


def _session(content: bytes, path: str, threads: int) -> Any:
    try:
        return session(content, threads)
    except ModuleNotFoundError as error:
        raise ArtifactError(
            f"{path} needs onnxruntime, which is not installed here; install sklearn-kserve[onnx]."
        ) from error
    except Exception as error:
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise ArtifactError(f"{path} can't be run by onnxruntime: {reason}; export the network again.") from error


def _input(node: Any, path: str) -> Column:
    datatype = _DATATYPES.get(node.type)
    if datatype is None:
        raise ArtifactError(
            f"{path} takes {node.name!r} as {node.type}; expected tensors of numbers, strings or booleans."
        )
    return Column(name=node.name, datatype=datatype, dtype=NUMPY_DTYPES[datatype].name, shape=_shape(node.shape))


def _output(node: Any) -> Output:
    return Output(name=node.name, method=node.name, datatype=_DATATYPES[node.type], shape=_shape(node.shape))


def _shape(dimensions: Sequence[Any]) -> tuple[int, ...]:
    """Return a shape with -1 for what has a name, or nothing at all, in place of a size."""
    return tuple(size if isinstance(size, int) and size > 0 else -1 for size in dimensions)


def _shared(nodes: Sequence[Any]) -> dict[str, list[tuple[str, int]]]:
    """Return the sizes that several inputs have in common, by the name the graph gives them, and where they stand."""
    places: dict[str, list[tuple[str, int]]] = {}
    for node in nodes:
        for axis, size in enumerate(node.shape):
            if isinstance(size, str):
                places.setdefault(size, []).append((node.name, axis))
    return {size: found for size, found in places.items() if len(found) > 1}


def _check_size(size: str, places: Sequence[tuple[str, int]], table: Tensors) -> None:
    (first, axis), *others = places
    expected = table.arrays[first].shape[axis]
    for name, other in others:
        got = table.arrays[name].shape[other]
        if got != expected:
            raise InvalidInput(
                f"Input {name!r} has the size {got} where {first!r} has {expected}; "
                f"expected the same, which the network calls {size!r}."
            )


def _made_up(column: Column, generator: np.random.Generator) -> np.ndarray[Any, np.dtype[Any]]:
    shape = tuple(_MADE_UP_SIZE if size == -1 else size for size in column.shape or ())
    datatype = column.datatype or Datatype.FP32
    if datatype is Datatype.BYTES:
        return np.full(shape, "text", dtype=object)
    if NUMPY_DTYPES[datatype].kind == "f":
        return generator.standard_normal(shape).astype(NUMPY_DTYPES[datatype])
    return generator.integers(0, 2, shape).astype(NUMPY_DTYPES[datatype])
