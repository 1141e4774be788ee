"""A model that is published in a few milliseconds."""

import json
from pathlib import Path

import numpy as np
from sklearn.dummy import DummyRegressor

from model.artifact import publish

ROWS = np.arange(20.0).reshape(10, 2)


def publish_fish(root: Path, *, answer: float = 1.0, name: str = "fish") -> Path:
    """Publish a model that always gives the same answer."""
    estimator = DummyRegressor(strategy="constant", constant=answer).fit(ROWS, ROWS[:, 0])
    mark = {"run.json": json.dumps({"answer": answer}).encode()}
    return publish(estimator, ROWS, name=name, root=root, metrics={"mae": answer}, extra_files=mark, accelerate=False)
