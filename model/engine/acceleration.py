"""Looking for the fastest engine that answers as scikit-learn does; this is done when a version is published."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from model.engine.candidates import Candidate, candidates
from model.engine.lowered import LoweredEngine
from model.engine.making import MAKERS, Made, Refused
from model.engine.parity import ATOL, RTOL, Compared, Gate, microseconds
from model.engine.record import EngineName, EngineRecord, Parity
from model.engine.sklearn import SklearnEngine
from model.signature import Signature
from model.tensors import Tensor

ENGINES: Final[tuple[EngineName, ...]] = ("onnx", "treelite")
"""Those tried, the fastest first."""
_WORTH: Final = 0.9
"""Share of scikit-learn's time that an engine has to stay below."""
_MAKERS_OF: Final = {"onnx": ("onnx", "onnxruntime"), "treelite": ("treelite",)}


@dataclass(frozen=True, slots=True)
class Accelerated:
    """
    The engine found.

    Parameters
    ----------
    record : EngineRecord
    content : bytes or None
        Of its file; None for scikit-learn.
    """

    record: EngineRecord
    content: bytes | None = None


def accelerate(
    estimator: Any, signature: Signature, rows: Sequence[Tensor], engines: Sequence[EngineName] = ENGINES
) -> Accelerated:
    """
    Find an engine for an estimator.

    Parameters
    ----------
    estimator : fitted estimator
    signature : Signature
    rows : sequence of Tensor
        Rows that the estimator answers, as a client sends them.
    engines : sequence of str
        Those to try, in this order.

    Returns
    -------
    Accelerated
        scikit-learn, with the reasons, where no other engine answers as it does.
    """
    refused: dict[str, str] = {}
    try:
        every = list(candidates(estimator, signature, rows))
    except Exception as error:  # noqa: BLE001 -- a model can be published whatever an engine makes of it
        every, refused = [], dict.fromkeys(engines, _unexpected(error))
    for name in engines:
        for candidate in every:
            try:
                return _tried(name, candidate, estimator, refused)
            except Refused as refusal:
                _note(refused, name, candidate, str(refusal))
            except Exception as error:  # noqa: BLE001 -- likewise
                _note(refused, name, candidate, _unexpected(error))
        refused.setdefault(name, "what it would be given is text, or sparse")
    return Accelerated(EngineRecord(name="sklearn", refused=refused))


def _note(refused: dict[str, str], name: str, candidate: Candidate, reason: str) -> None:
    """Add why an engine does not do for a candidate; of the parts of a pipeline, each reason once."""
    before = refused.get(name)
    if before is None:
        refused[name] = reason
    elif reason not in before:
        refused[name] = f"{before}; from step {candidate.from_step} on: {reason}"


def _unexpected(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _tried(name: EngineName, candidate: Candidate, estimator: Any, refused: dict[str, str]) -> Accelerated:
    """Return an engine that has passed the gate, and is faster."""
    start = time.perf_counter()
    made = MAKERS[name](candidate)
    methods = list(dict.fromkeys(output.method for output in candidate.signature.outputs))
    gate = Gate(made.program, candidate.estimator, candidate.inputs, methods)
    compared = gate.compare(candidate.groups(made.splits))
    passed = tuple(m for m in methods if m in made.program.methods and m not in compared.failures)
    if methods[0] not in passed:
        raise Refused(compared.failures.get(methods[0], f"it does not answer {methods[0]}"))
    slow, quick = _timed(made, candidate, estimator, methods[0])
    record = EngineRecord(
        name=name,
        file=f"model.{name}",
        methods=passed,
        from_step=candidate.from_step,
        known=candidate.known,
        made_with=_versions(name),
        refused=refused | compared.failures,
        parity=_report(compared, passed, (slow, quick), time.perf_counter() - start),
    )
    return Accelerated(record, made.content)


def _timed(made: Made, candidate: Candidate, estimator: Any, method: str) -> tuple[float, float]:
    """Return the microseconds that scikit-learn and the engine take for a row."""
    engine = LoweredEngine(made.program, estimator, candidate.whole, methods=[method], from_step=candidate.from_step)
    slow = microseconds(SklearnEngine(estimator), candidate.whole.as_fitted(candidate.first), method)
    quick = microseconds(engine, candidate.first, method)
    if quick > slow * _WORTH:
        raise Refused(f"it takes {quick:g} µs a row where scikit-learn takes {slow:g}")
    return slow, quick


def _report(
    compared: Compared, methods: Sequence[str], microseconds_each: tuple[float, float], seconds: float
) -> Parity:
    slow, quick = microseconds_each
    return Parity(
        rows=compared.rows,
        left=compared.left,
        differences={method: compared.differences[method] for method in methods},
        rtol=RTOL,
        atol=ATOL,
        seconds=round(seconds, 3),
        sklearn_microseconds=slow,
        engine_microseconds=quick,
    )


def _versions(name: str) -> dict[str, str]:
    found = {}
    for distribution in _MAKERS_OF[name]:
        try:
            found[distribution] = version(distribution)
        except PackageNotFoundError:
            continue
    return found
