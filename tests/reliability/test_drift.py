"""Drift, as a real server tells it: none where there is none, and which feature has moved."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from model.artifact import publish
from tests.protocol.encodings import infer_path
from tests.protocol.wires import Clients
from tests.reliability.conftest import Serve, until
from tests.reliability.test_metrics import samples

REQUESTS, ROWS = 12, 100


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    sample = drawn(1000)
    model = LogisticRegression().fit(sample, np.where(sample["length"] > 0, "long", "short"))
    publish(model, sample, name="flowers", root=root)
    return root


def drawn(rows: int, length: float = 0.0, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame({"length": random.normal(length, size=rows), "width": random.normal(size=rows)})


def ask(clients: Clients, *, length: float) -> None:
    """Ask over as many connections as there are requests, so that every worker gets some."""
    for number in range(REQUESTS):
        sent = drawn(ROWS, length, seed=number + 1)
        inputs = [
            {"name": name, "datatype": "FP64", "shape": [ROWS], "data": sent[name].tolist()} for name in sent.columns
        ]
        answer = clients.rest.post(infer_path("flowers"), json={"inputs": inputs}, headers={"Connection": "close"})
        assert answer.status_code == 200, answer.text


def counted(clients: Clients) -> float:
    return samples(clients, model="flowers", version="1")["inference_drift_rows", ""]


def told(clients: Clients) -> dict[str, float]:
    found = samples(clients, model="flowers", version="1")
    features = {feature: value for (name, feature), value in found.items() if name == "inference_drift_psi"}
    return features | {"predictions": found["inference_prediction_drift_psi", ""]}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_has_moved_is_told_and_what_has_not_is_not(root: Path, serve: Serve, workers: str) -> None:
    clients = serve("--model_root", root, "--workers", workers)
    ask(clients, length=0.0)
    until(lambda: counted(clients) > 0.99 * REQUESTS * ROWS, "what was asked is counted")
    assert {feature: value > 0.1 for feature, value in told(clients).items()} == {
        "length": False,
        "width": False,
        "predictions": False,
    }
    ask(clients, length=3.0)
    until(lambda: counted(clients) > 1.98 * REQUESTS * ROWS, "what was asked since is counted")
    assert {feature: value > 0.2 for feature, value in told(clients).items()} == {
        "length": True,
        "width": False,
        "predictions": True,
    }


def test_where_it_is_turned_off_nothing_is_told(root: Path, serve: Serve) -> None:
    clients = serve("--model_root", root, "--drift_half_life_seconds", "0")
    ask(clients, length=0.0)
    assert not told(clients)["predictions"]
    assert ("inference_drift_rows", "") not in samples(clients, model="flowers", version="1")
