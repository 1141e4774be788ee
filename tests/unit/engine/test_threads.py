"""
Eight threads that run one estimator answer as one thread does, to the last bit.

scikit-learn promises nothing of the kind. The server runs each version in one thread at a time all the same; this shows
that no answer depends on it.
"""

import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest

from model.artifact.sampling import sample_tensors
from model.engine import Engine, SklearnEngine
from model.signature import Inputs
from model.signature.answers import same
from model.signature.infer import infer_signature
from model.signature.inputs import X
from model.signature.outputs import methods_of
from model.tensors import InferRequest
from tests.families import FAMILIES, Family, fitted
from tests.unit.engine.conftest import find

THREADS = 8
RUNS = 12


@pytest.fixture(autouse=True)
def _without_filters() -> Iterator[None]:
    """
    Have no filter that makes an error of a warning: those that scikit-learn puts back in a thread are for all.

    For the same reason warnings come in spite of the filter; they are recorded here, where nobody reads them.
    """
    with warnings.catch_warnings(record=True):
        warnings.resetwarnings()
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(autouse=True)
def _switching_often() -> Iterator[None]:
    """Let threads take turns in the middle of what they do."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def differing(engine: Engine, tables: Sequence[X], methods: Sequence[str]) -> list[str]:
    """Return the methods that answer otherwise to some thread than to one alone; each thread has rows of its own."""
    alone = [engine.run(table, methods) for table in tables]
    start = Barrier(len(tables))

    def run(index: int) -> set[str]:
        start.wait()
        answers = [engine.run(tables[index], methods) for _ in range(RUNS)]
        return {m for each in answers for m in methods if not same(each[m], alone[index][m])}

    with ThreadPoolExecutor(len(tables)) as threads:
        return sorted(set().union(*threads.map(run, range(len(tables)))))


def shares(inputs: Inputs, rows: Sequence[Any]) -> list[X]:
    """Return a table for each thread."""
    count = len(rows[0].data) // THREADS
    parts = [[replace(t, data=t.data[i * count : (i + 1) * count]) for t in rows] for i in range(THREADS)]
    return [inputs.decode(InferRequest("", "", part)) for part in parts]


@pytest.mark.parametrize("family", FAMILIES, ids=[family.id for family in FAMILIES])
def test_of_scikit_learn(family: Family) -> None:
    estimator = fitted(family.id)
    signature = infer_signature(estimator, family.X)
    tables = shares(Inputs(signature), sample_tensors(signature, family.X))
    assert differing(SklearnEngine(estimator), tables, methods_of(signature.outputs)) == []


ENGINES = (
    ("logistic_regression", "onnx"),
    ("random_forest", "onnx"),
    ("hist_gradient_boosting", "onnx"),
    ("mixed_columns", "onnx"),
    ("svc", "onnx"),
    ("random_forest", "treelite"),
    ("hist_gradient_boosting", "treelite"),
    ("gradient_boosting", "treelite"),
)


@pytest.mark.parametrize(("family_id", "engine"), ENGINES)
def test_of_an_engine(family_id: str, engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.engine.acceleration._WORTH", 1e9)
    family = next(family for family in FAMILIES if family.id == family_id)
    mine = find(fitted(family_id), family.X, [engine])
    assert mine.record.name == engine
    assert differing(mine.engine, shares(mine.inputs, mine.rows), methods_of(mine.signature.outputs)) == []


class Sharing:
    """What would not be safe: it keeps its rows where the next call writes others."""

    name = "sharing"

    def run(self, table: Any, methods: Sequence[str]) -> dict[str, Any]:
        self._rows = table
        time.sleep(1e-3)
        return dict.fromkeys(methods, self._rows)


def test_an_estimator_that_shares_a_buffer_is_found() -> None:
    family = FAMILIES[0]
    signature = infer_signature(fitted(family.id), family.X)
    tables = shares(Inputs(signature), sample_tensors(signature, family.X))
    assert differing(Sharing(), tables, ["predict"]) == ["predict"]
