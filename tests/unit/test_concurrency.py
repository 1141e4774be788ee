"""Sixteen clients at once are answered as one after the other, whatever family the model is of, and in whatever batches."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.artifact import LoadPolicy, publish
from model.artifact.sampling import sample_tensors
from model.call import Call
from model.dataplane import DataPlane
from model.keys import ANYONE
from model.metrics import Metrics
from model.repository import ModelRepository
from model.servable import Servable, load_servable
from model.settings import Settings
from model.tensors import InferRequest, InferResponse, RequestedOutput, Tensor
from tests.families import FAMILIES, Family, fitted

CLIENTS = 16
ROUNDS = 3
WITH_ENGINE = {"logistic_regression", "mixed_columns", "random_forest"}
"""Families that the engine serves that publishing finds; for all the rest it would take minutes."""

# scikit-learn changes filters in its own threads, and what it changes there, it changes for all.
pytestmark = [pytest.mark.asyncio, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def plane(family: Family, tmp_path: Path) -> Iterator[DataPlane]:
    """A data plane over one published family."""
    publish(fitted(family.id), family.X, name=family.id, root=tmp_path, accelerate=family.id in WITH_ENGINE)

    def load(directory: Path, name: str, version: str) -> Servable:
        return load_servable(directory, name, LoadPolicy(), version=version or None)

    metrics = Metrics()
    repository = ModelRepository({family.id: tmp_path / family.id}, load, metrics, max_versions=1)
    repository.load(family.id)
    with ThreadPoolExecutor(2) as executor, ThreadPoolExecutor(1) as loader:
        yield DataPlane(repository, metrics, Settings(), executor, loader)


def requests(servable: Servable, family: Family) -> list[InferRequest]:
    """Return a request for each client: one to three rows of its own, for every output."""
    tensors = sample_tensors(servable.signature, family.X)
    outputs = [RequestedOutput(output.name) for output in servable.signature.outputs]
    spans = [slice(2 * i, 2 * i + 1 + i % 3) for i in range(CLIENTS)]
    return [InferRequest("", "", [replace(t, data=t.data[span]) for t in tensors], outputs) for span in spans]


async def ask(plane: DataPlane, model: str, request: InferRequest) -> list[Tensor]:
    def answer(_: InferRequest, response: InferResponse) -> list[Tensor]:
        return list(response.outputs)

    return await plane.infer(model, "", lambda _: request, answer, Call("rest", client=ANYONE))


def same(left: list[Tensor], right: list[Tensor]) -> bool:
    """Whether labels are equal, and numbers but for the last bits: BLAS adds up in another order for more rows."""
    return all(
        a.name == b.name
        and (np.allclose(a.data, b.data, 1e-9, 1e-12, equal_nan=True) if a.data.dtype.kind == "f" else _equal(a, b))
        for a, b in zip(left, right, strict=True)
    )


def _equal(a: Tensor, b: Tensor) -> bool:
    return bool(np.array_equal(a.data, b.data))


@pytest.mark.parametrize("family", FAMILIES, ids=[family.id for family in FAMILIES])
async def test_everybody_is_answered_as_alone(plane: DataPlane, family: Family) -> None:
    servable = plane._repository.select(family.id)
    assert (servable.engine.name == "onnx") == (family.id in WITH_ENGINE)
    mine = requests(servable, family)
    alone = [await ask(plane, family.id, request) for request in mine]
    assert any(not same(alone[0], other) for other in alone[1:])  # or nothing would be noticed
    together = await asyncio.gather(*(ask(plane, family.id, request) for _ in range(ROUNDS) for request in mine))
    wrong = [i for i, answer in enumerate(together) if not same(answer, alone[i % CLIENTS])]
    assert wrong == []
