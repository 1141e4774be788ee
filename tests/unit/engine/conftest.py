from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest

from model.artifact.sampling import sample_tensors
from model.engine import Engine, EngineName, EngineRecord, engine_of, program_of
from model.engine.acceleration import ENGINES, accelerate
from model.signature import Inputs, Signature
from model.signature.infer import infer_signature
from model.signature.sample import Sample
from model.tensors import InferRequest, Tensor


class Found(NamedTuple):
    """An engine as it would serve."""

    record: EngineRecord
    inputs: Inputs
    engine: Engine
    signature: Signature
    rows: list[Tensor]
    content: bytes | None

    def answers(self, rows: Sequence[Tensor] | None = None) -> dict[str, Any]:
        methods = list(dict.fromkeys(output.method for output in self.signature.outputs))
        table = self.inputs.decode(InferRequest("", "", self.rows if rows is None else rows))
        return self.engine.run(table, methods)


def find(estimator: Any, sample: Sample, engines: Sequence[EngineName] = ENGINES) -> Found:
    signature = infer_signature(estimator, sample)
    rows = sample_tensors(signature, sample)
    record, content = _fields(accelerate(estimator, signature, rows, engines))
    program = None if content is None else program_of(record, content, estimator)
    inputs, engine = engine_of(record, program, estimator, signature)
    return Found(record, inputs, engine, signature, rows, content)


def _fields(found: Any) -> tuple[EngineRecord, bytes | None]:
    return found.record, found.content


@pytest.fixture(scope="session")
def numbers() -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.random.default_rng(0).normal(size=(200, 4))
