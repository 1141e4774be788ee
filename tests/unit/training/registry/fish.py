"""A model that is published in a millisecond, for it is fitted and verified once."""

import json
import tempfile
from functools import lru_cache
from operator import methodcaller
from pathlib import Path
from typing import Any, Final

import numpy as np
from sklearn.dummy import DummyRegressor

from model.artifact import Manifest, publish, read_manifest
from model.artifact.manifest import MANIFEST_FILE
from model.artifact.staging import staging

_ROWS: Final = np.arange(20.0).reshape(10, 2)


def publish_fish(root: Path, *, answer: float = 1.0, name: str = "fish", mark: Any = None) -> Path:
    """Publish a model that always gives the same answer, as ``model.artifact.publish`` does."""
    manifest, files = _published(answer, json.dumps({"answer": answer} if mark is None else mark))
    with staging(root / name) as stage:
        for file, content in files.items():
            stage.write(file, methodcaller("write", content))

        def describe(version: int) -> None:
            described = manifest.model_copy(update={"name": name, "version": version})
            stage.write(MANIFEST_FILE, methodcaller("write", described.to_json()))

        return stage.become(describe)


@lru_cache
def _published(answer: float, mark: str) -> tuple[Manifest, dict[str, bytes]]:
    estimator = DummyRegressor(strategy="constant", constant=answer).fit(_ROWS, _ROWS[:, 0])
    beside = {"run.json": mark.encode()}
    with tempfile.TemporaryDirectory() as root:
        directory = publish(
            estimator,
            _ROWS,
            name="fish",
            root=Path(root),
            metrics={"mae": answer},
            extra_files=beside,
            accelerate=False,
        )
        manifest = read_manifest(directory)
        return manifest, {file: (directory / file).read_bytes() for file in manifest.files}
