"""One loaded version of a model: its artifact, the engine that runs it, and the proof that it answers as recorded."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np

from model.artifact import Artifact, Golden, LoadPolicy, alike, load
from model.codec.json_tensor import tensor_from_json
from model.engine import Engine
from model.errors import ArtifactError, ServingError, SourceUnavailable
from model.lookup.recall import recalled
from model.signature import Inputs, Outputs, Signature
from model.signature.inputs import X
from model.signature.outputs import encode, methods_of
from model.signature.refusal import explain
from model.signature.schema import Output
from model.signature.tensors import Tensors
from model.tensors import InferRequest, RequestedOutput, Tensor

INLINE_SECONDS: Final = 200e-6
"""A batch measured under this may run on the event loop; a hop to a thread costs about a fifth of it."""
_HOPELESS_SECONDS: Final = 0.1
"""A first run over this is not worth measuring again."""
_MEASURED_RUNS: Final = 5
_MEASURED_ROWS: Final = (1, 4, 16, 64)
_JOINED_ROWS: Final = 4


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Servable:
    """
    One version of a model, ready to answer.

    Parameters
    ----------
    name, version : str
        As clients call it; the version is empty for an artifact that has none.
    artifact : Artifact
    engine : Engine
    inputs : Inputs
    outputs : Outputs
    inline_rows : mapping of str to int
        Largest batch that warm-up measured under ``INLINE_SECONDS``, by method; none for those it did not.
    joinable : bool
        Whether rows of several requests may be answered together: warm-up saw every method answer them as one by one.
    """

    name: str
    version: str
    artifact: Artifact
    engine: Engine
    inputs: Inputs
    outputs: Outputs
    inline_rows: Mapping[str, int] = field(default_factory=dict)
    joinable: bool = False

    @property
    def signature(self) -> Signature:
        """The artifact's signature."""
        return self.artifact.signature

    @property
    def platform(self) -> str:
        """``<project>_<format>``, as the protocol's metadata wants it."""
        project = "onnxruntime" if self.artifact.file_format == "onnx" else "sklearn"
        return f"{project}_{self.artifact.file_format}"

    def short_rows(self, outputs: Sequence[Output]) -> int:
        """Return how many rows are answered so fast that the event loop may wait for it."""
        methods = methods_of(outputs)
        return self.inline_rows.get(methods[0], 0) if len(methods) == 1 else 0

    def run(self, table: X, outputs: Sequence[Output]) -> dict[str, Any]:
        """
        Run the methods behind ``outputs``.

        Raises
        ------
        InvalidInput
            The estimator refused a value, and the table tells which; or a look-up refused a key.
        SourceUnavailable
            What it looks up can't be had.
        ServingError
            The estimator failed; the cause is chained for the log, and is not for the client.
        """
        try:
            return self.engine.run(table, methods_of(outputs))
        except SourceUnavailable:
            raise
        # What would end a program is the model's failure too.
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            refusal = (
                explain(error, self.inputs.as_fitted(table), self.signature) if isinstance(error, Exception) else None
            )
            if refusal is not None:
                raise refusal from error
            msg = f"Model {self.name!r} failed on this input; the server's log has the cause."
            raise ServingError(msg) from error


def load_servable(
    directory: Path, name: str, policy: LoadPolicy, *, version: str | None = None, default_output: str | None = None
) -> Servable:
    """
    Load a version directory, and make it answer its golden rows before anybody else may ask.

    Parameters
    ----------
    directory : Path
    name : str
        The name it is served under.
    policy : LoadPolicy
    version : str, optional
        The directory's version, which a manifest must agree with.
    default_output : str, optional
        Output given to requests that ask for none.

    Raises
    ------
    ArtifactError
        The artifact is refused, can't be loaded, or does not answer as recorded.
    """
    artifact = load(directory, policy=policy)
    if version is not None and artifact.version not in (None, version):
        raise ArtifactError(
            f"{directory} holds version {artifact.version} by its manifest; expected version {version}, "
            f"as the directory is called; copy the artifact under its own version."
        )
    inputs, engine = artifact.engine()
    servable = Servable(
        name=name,
        version=version or artifact.version or "",
        artifact=artifact,
        engine=engine,
        inputs=inputs,
        outputs=Outputs(artifact.signature, default_output),
    )
    for lookup in artifact.lookups:
        lookup.prepare()
    ready = warmed_up(servable)
    for lookup in artifact.lookups:
        lookup.serve()
    return ready


def warmed_up(servable: Servable) -> Servable:
    """
    Return the servable with its speed measured, after its golden rows were answered as recorded.

    Raises
    ------
    ArtifactError
        An answer differs from the recorded one.
    """
    golden = servable.artifact.golden
    if golden is None or not golden.inputs:
        return servable
    with recalled(golden.lookups):
        return _measured(servable, golden)


def _measured(servable: Servable, golden: Golden) -> Servable:
    table = servable.inputs.decode(_request(servable, golden))
    outputs = servable.outputs.select([RequestedOutput(tensor["name"]) for tensor in golden.outputs])
    for expected, got in zip(golden.outputs, encode(outputs, servable.run(table, outputs)), strict=False):
        if not alike(tensor_from_json(expected), got):
            raise ArtifactError(
                f"{servable.name} version {servable.version or '-'} answers its golden rows with other values in "
                f"{got.name!r} than were recorded at publishing; it is not served: check the versions of its packages."
            )
    methods = {output.method: output for output in servable.signature.outputs}
    return replace(
        servable,
        # What looks something up may wait for it, whatever it takes to recall the golden rows.
        inline_rows={}
        if servable.artifact.lookups
        else {name: _short(servable, table, output) for name, output in methods.items()},
        # A label may be the same by chance where a probability beside it shows that neighbours matter.
        joinable=all(_is_joinable(servable, table, output) for output in methods.values()),
    )


def _request(servable: Servable, golden: Golden) -> InferRequest:
    return InferRequest(servable.name, servable.version, [tensor_from_json(tensor) for tensor in golden.inputs])


def _is_joinable(servable: Servable, table: X, output: Output) -> bool:
    """Whether a method answers a few rows alike together and one by one, which one that looks at them all does not."""
    if isinstance(table, Tensors):
        return False
    rows = _head(table, _JOINED_ROWS)
    values = np.asarray(rows)
    if not (values != values[0]).any():  # Rows that are all the same tell nothing.
        return False
    try:
        (together,) = encode([output], servable.run(rows, [output]))
        return all(_answers_alone(servable, rows, output, together, i) for i in range(len(rows)))
    except ServingError:
        return False


def _answers_alone(servable: Servable, rows: Any, output: Output, together: Tensor, i: int) -> bool:
    (alone,) = encode([output], servable.run(_head(rows, i + 1, i), [output]))
    return alike(replace(together, data=together.data[i : i + 1]), alone)


def _head(table: Any, stop: int, start: int = 0) -> Any:
    """Return rows as a request of its own has them."""
    if isinstance(table, np.ndarray):
        return table[start:stop].copy()
    return table.iloc[start:stop].reset_index(drop=True)


def _short(servable: Servable, table: X, output: Output) -> int:
    """Return the largest batch that a method answers within ``INLINE_SECONDS``, 0 if it takes longer for any."""
    short = 0
    for rows in _sizes(servable.signature, table):
        if not _is_short(servable, _repeated(table, rows), output):
            break
        short = rows
    return short


def _sizes(signature: Signature, table: X) -> Sequence[int]:
    """Return the batches to measure; how many rows a network takes at once, its graph may fix."""
    fixed = any(column.shape is not None and column.shape[:1] != (-1,) for column in signature.inputs)
    return (len(table),) if fixed else _MEASURED_ROWS


def _repeated(table: X, rows: int) -> X:
    if isinstance(table, Tensors):
        return table if len(table) == rows else table.repeated(rows)
    index = np.resize(np.arange(len(table)), rows)
    return table[index] if isinstance(table, np.ndarray) else table.iloc[index].reset_index(drop=True)


def _is_short(servable: Servable, table: X, output: Output) -> bool:
    """Whether the median of a few runs is short, the first left out: one run may be disturbed by a neighbour."""
    if _seconds(servable, table, output) > _HOPELESS_SECONDS:
        return False
    return median(_seconds(servable, table, output) for _ in range(_MEASURED_RUNS)) <= INLINE_SECONDS


def _seconds(servable: Servable, table: X, output: Output) -> float:
    start = time.perf_counter()
    servable.run(table, [output])
    return time.perf_counter() - start


__all__ = ["INLINE_SECONDS", "Servable", "load_servable", "warmed_up"]
