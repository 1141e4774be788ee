"""The models that these servers hold, and the directories they lie in."""

import json
import os
import pickle
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from onnx import TensorProto, helper
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from model.artifact import publish, publish_network
from tests.protocol.encodings import Ask, Sent
from tests.unit.engine import networks

CODE_DIR: Final = Path(__file__).parent / "user_code"
_ARRAY: Final = np.array([[0.0, 0.5], [0.25, 1.0]])


def user_code() -> Any:
    """Import the module in ``CODE_DIR`` by the name under which a server with ``--code_dir`` finds it."""
    if str(CODE_DIR) not in sys.path:
        sys.path.insert(0, str(CODE_DIR))
    return import_module("reliability_parts")


@cache
def flowers() -> Any:
    """Return a small classifier of two numbers."""
    X = np.random.default_rng(5).normal(size=(30, 2))
    return LogisticRegression().fit(X, np.where(X[:, 0] > 0, "rose", "tulip"))


def publish_flowers(root: Path, name: str = "flowers", private_key: Path | None = None) -> Path:
    rows = np.random.default_rng(6).normal(size=(20, 2))
    return publish(flowers(), rows, name=name, root=root, private_key=private_key)


def publish_network_of_flowers(root: Path, name: str = "flowers") -> Path:
    """Publish what takes and is asked the same, for servers that are many: it starts in half the time."""
    inputs = [networks.value("x", TensorProto.DOUBLE, "n", 2)]
    outputs = [networks.value("sum", TensorProto.DOUBLE, "n", 1)]
    content = networks.built(
        [helper.make_node("MatMul", ["x", "ones"], ["sum"])], inputs, outputs, ones=np.ones((2, 1))
    )
    return publish_network(content, name=name, root=root)


def publish_places(root: Path) -> Path:
    """Publish a model of strings that refuses those it does not know."""
    X = pd.DataFrame({"place": ["north", "south"] * 10})
    y = np.arange(20) % 2
    return publish(make_pipeline(OneHotEncoder(), LogisticRegression()).fit(X, y), X, name="places", root=root)


def publish_part(root: Path, kind: str, name: str = "gated") -> Path:
    """Publish one of the classes in ``CODE_DIR``."""
    return publish(getattr(user_code(), kind)().fit(_ARRAY), _ARRAY, name=name, root=root)


def bare(directory: Path, content: Any, file: str = "model.joblib") -> Path:
    """Write what KServe's sklearnserver serves: one pickle and nothing else."""
    directory.mkdir(parents=True)
    (directory / file).write_bytes(pickle.dumps(content))
    return directory


def mlflow(directory: Path, content: Any) -> Path:
    """Write what MLflow leaves, in short."""
    bare(directory, content, "model.pkl")
    flavor = "{pickled_model: model.pkl, serialization_format: pickle}"
    (directory / "MLmodel").write_text(f"flavors: {{sklearn: {flavor}}}\n")
    return directory


def edit_manifest(version: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = version / "manifest.json"
    document = json.loads(path.read_bytes())
    change(document)
    path.write_text(json.dumps(document))


class Malice:
    """Whatever unpickles this makes a directory."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


def ask(first: float = 0.0, model: str = "flowers", rows: int = 1, **fields: Any) -> Ask:
    """Return a request of two columns: `first`, and one half."""
    return Ask(model, (Sent("x", "FP64", (rows, 2), (first, 0.5) * rows),), **fields)
