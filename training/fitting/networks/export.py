"""From a fitted module to a graph of ONNX that answers as it does, and to a file that torch can go on from."""

import copy
import io
import logging
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from model.network import Graph, Rows
from training.errors import FitError

OPSET: Final = 21
"""Of the operators that publishing merges the graph with."""
RTOL: Final = 1e-4
ATOL: Final = 1e-5
"""How far the graph's answers may be from torch's: both add up in float32, in another order."""

_ROWS: Final = 2000
"""Rows of those fitted on that are tried, as they are and changed."""
_ALONE: Final = 20
"""Rows that are tried one by one."""

Answer = Callable[[Rows], npt.NDArray[Any]]

for _talkative in ("torch.onnx", "torch.utils.flop_counter"):  # of packages that they would make use of
    logging.getLogger(_talkative).setLevel(logging.ERROR)


class _Whole(torch.nn.Module):  # type: ignore[misc]  # torch's types are not here
    """A module with what makes probabilities of its answers."""

    def __init__(self, module: Any, *, softmax: bool) -> None:
        super().__init__()
        self.module = module
        self.softmax = softmax

    def forward(self, X: Any) -> Any:
        """Answer rows."""
        answers = self.module(X)
        return torch.softmax(answers, dim=-1) if self.softmax else answers


def graph_of(module: Any, columns: int, *, softmax: bool) -> Graph:
    """
    Export a module.

    Parameters
    ----------
    module : torch.nn.Module
        Takes float32 of shape (n_samples, columns).
    columns : int
    softmax : bool
        Whether its answers are to be made probabilities.

    Raises
    ------
    FitError
        torch can't.
    """
    try:
        program = torch.onnx.export(
            _Whole(copy.deepcopy(module).cpu(), softmax=softmax).eval(),
            (torch.zeros(2, columns),),
            input_names=["X"],
            dynamic_shapes=({0: torch.export.Dim("rows")},),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
        return Graph(_plain(program.model_proto))
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise FitError(
            f"{type(module).__name__} cannot be exported to ONNX: {reason}; "
            f"torch.onnx.export has to take it, with any number of rows"
        ) from error


def compared(name: str, torchs: Answer, graphs: Answer, rows: Rows) -> dict[str, Any]:
    """
    Hold a graph against the module that it was made of, on many rows at once and one by one.

    Parameters
    ----------
    name : str
        Of the module.
    torchs, graphs : callable
        Answer rows.
    rows : ndarray of shape (n_samples, n_features)
        That the module was fitted on; their values are also tried mixed, and mixed and enlarged.

    Returns
    -------
    record : dict
        How many rows were tried, and the largest difference of values.

    Raises
    ------
    FitError
        It answers otherwise.
    """
    tried = _tried(rows)
    expected = np.asarray(torchs(tried))
    got = graphs(tried)
    alone = np.concatenate([graphs(tried[i : i + 1]) for i in range(min(len(tried), _ALONE))])
    for answers, its in ((got, expected), (alone, expected[: len(alone)])):
        close = np.isclose(answers, its, rtol=RTOL, atol=ATOL, equal_nan=True)
        if not close.all():
            gap = float(np.nanmax(np.abs(answers - its)))
            raise FitError(
                f"the ONNX graph of {name} answers {int((~close).sum())} of {close.size} values otherwise than torch, "
                f"by up to {gap:.2g}; let it answer alike in training, in evaluation and where it is exported"
            )
    versions = {each: version(each) for each in ("torch", "skorch", "onnxscript", "onnxruntime")}
    return {"rows": len(tried), "difference": float(np.nanmax(np.abs(got - expected))), "made_with": versions}


def checkpoint(module: Any, **beside: Any) -> bytes:
    """
    Return a file with what a module can be made again of: plain values and tensors, which ``weights_only`` loads.

    Parameters
    ----------
    module : torch.nn.Module
    **beside
        Plain values to be saved as well.
    """
    written, kind = io.BytesIO(), type(module)
    weights = {name: tensor.cpu() for name, tensor in module.state_dict().items()}
    torch.save({"module": f"{kind.__module__}.{kind.__qualname__}", "state_dict": weights, **beside}, written)
    return written.getvalue()


def _tried(rows: Rows) -> Rows:
    """Return rows that were fitted on, and rows of their values mixed and enlarged."""
    generator = np.random.default_rng(0)
    given = rows if len(rows) <= _ROWS else rows[generator.choice(len(rows), _ROWS, replace=False)]
    return np.concatenate([given, generator.permuted(given, axis=0), 10 * generator.permuted(given, axis=0)])


def _plain(model: Any) -> bytes:
    """Return a graph without what the exporter notes in it, paths of the user's files among others."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    graph.ClearField("value_info")
    content: bytes = model.SerializeToString(deterministic=True)
    return content
