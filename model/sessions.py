"""Sessions of onnxruntime, for whatever runs a graph here."""

from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from model.cpus import calculation_threads


def session(content: bytes, threads: int = 1) -> Any:
    """
    Return an ``onnxruntime.InferenceSession``.

    Parameters
    ----------
    content : bytes
        Of an ``.onnx`` file.
    threads : int
        That one request may keep busy; more than one pays for large networks alone.

    Raises
    ------
    ModuleNotFoundError
        onnxruntime is not installed.
    Exception
        Whatever onnxruntime raises of a graph that it can't run.
    """
    import onnxruntime  # noqa: PLC0415 -- an extra

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Both keep memory for batches that were seen, of each size; without them a run takes no longer.
    options.enable_mem_pattern = False
    options.enable_cpu_mem_arena = False
    # A thread that spins while it waits takes the CPU from the event loop.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def run_options() -> Any:
    """Return options of runs, to be shared by all: onnxruntime would make its own for each, and takes its time over it."""
    import onnxruntime  # noqa: PLC0415 -- an extra

    return onnxruntime.RunOptions()


class Graph:
    """
    A graph with one input and one output, which can be a part of what is pickled.

    Parameters
    ----------
    content : bytes
        Of an ``.onnx`` file.

    Attributes
    ----------
    modules : tuple of str
        Top-level modules that it needs besides this project's.
    """

    modules: ClassVar[tuple[str, ...]] = ("onnxruntime",)

    def __init__(self, content: bytes) -> None:
        self.content = content

    def __getstate__(self) -> dict[str, bytes]:
        return {"content": self.content}

    def run(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        """
        Answer rows.

        Parameters
        ----------
        rows : ndarray of shape (n_samples, n_features)

        Returns
        -------
        answers : ndarray of shape (n_samples, ...)
        """
        run, name, options = self._made
        (answers,) = run(None, {name: rows}, options)
        made: npt.NDArray[Any] = answers
        return made

    @cached_property
    def _made(self) -> tuple[Any, str, Any]:
        made = session(self.content, calculation_threads())
        return made.run, made.get_inputs()[0].name, run_options()
