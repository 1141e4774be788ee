"""From what a manifest says about an engine to the engine itself."""

from typing import Any

from model.engine.base import Engine
from model.engine.lowered import LoweredEngine, Program, numbers_of
from model.engine.onnx import OnnxProgram
from model.engine.record import EngineRecord
from model.engine.sklearn import SklearnEngine
from model.engine.treelite import TreeliteProgram
from model.signature import Inputs, Signature


def program_of(record: EngineRecord, content: bytes, estimator: Any) -> Program:
    """
    Return what runs an engine's file.

    Parameters
    ----------
    record : EngineRecord
    content : bytes
        Of the file, verified.
    estimator : fitted estimator
        Of the same version.

    Raises
    ------
    ModuleNotFoundError
        Its runtime is not installed here.
    Exception
        Whatever the runtime raises of a file that it can't run.
    """
    if record.name == "treelite":
        return TreeliteProgram(content, estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator)
    return OnnxProgram(content, getattr(estimator, "classes_", None))


def engine_of(
    record: EngineRecord | None, program: Program | None, estimator: Any, signature: Signature
) -> tuple[Inputs, Engine]:
    """
    Return what makes tables of requests, and the engine that answers those.

    Parameters
    ----------
    record : EngineRecord or None
    program : Program or None
        None where scikit-learn answers.
    estimator : fitted estimator
    signature : Signature
    """
    if record is None or program is None:
        return Inputs(signature), SklearnEngine(estimator)
    inputs = Inputs(signature) if record.from_step else numbers_of(signature, record.known)
    missing = record.parity is not None and "missing" in record.parity.rows
    engine = LoweredEngine(
        program, estimator, inputs, methods=record.methods, from_step=record.from_step, missing=missing
    )
    return inputs, engine
