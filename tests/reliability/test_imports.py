"""A server imports what its models need: each of these libraries costs memory and a part of the cold start."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.artifact import publish, publish_network
from tests.protocol.encodings import document, infer_path
from tests.reliability.conftest import Serve
from tests.reliability.parts import ask, flowers, publish_flowers, publish_places
from tests.unit.engine import networks

LIBRARIES = ("onnxruntime", "pandas", "sklearn", "treelite")
"""Each has parts in machine code, which the kernel lists."""


def loaded(process: int) -> set[str]:
    """Return the libraries that a process has mapped."""
    maps = Path(f"/proc/{process}/maps").read_text()
    return {name for name in LIBRARIES if f"/{name}/" in maps}


def test_a_model_of_plain_rows_takes_scikit_learn_alone(serve_all: Serve, tmp_path: Path) -> None:
    publish(flowers(), np.eye(2), name="flowers", root=tmp_path, accelerate=False)
    clients = serve_all("--model_root", tmp_path)
    assert clients.post(infer_path("flowers"), document(ask())).status_code == 200
    assert loaded(clients.server.process.pid) == {"sklearn"}


@pytest.mark.parametrize(
    ("published", "expected"),
    [(publish_flowers, {"onnxruntime", "sklearn"}), (publish_places, {"onnxruntime", "pandas", "sklearn"})],
)
def test_an_engine_and_a_frame_take_their_own(
    serve_all: Serve, tmp_path: Path, published: Any, expected: set[str]
) -> None:
    published(tmp_path)
    assert loaded(serve_all("--model_root", tmp_path).server.process.pid) == expected


def test_a_network_takes_no_scikit_learn(serve_all: Serve, tmp_path: Path) -> None:
    publish_network(networks.classifier(), name="images", root=tmp_path)
    assert loaded(serve_all("--model_root", tmp_path).server.process.pid) == {"onnxruntime"}
