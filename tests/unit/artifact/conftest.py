import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from model.artifact import publish

Edit = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="session")
def sample() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "length": rng.normal(40, 5, 60),
            "count": rng.integers(0, 9, 60),
            "island": rng.choice(["Biscoe", "Dream"], 60),
        }
    )
    rows.loc[3, "length"] = np.nan
    rows.loc[5, "island"] = np.nan
    return rows


@pytest.fixture(scope="session")
def pipeline(sample: pd.DataFrame) -> Pipeline:
    columns = make_column_transformer(
        (SimpleImputer(), ["length", "count"]), (OneHotEncoder(handle_unknown="ignore"), ["island"])
    )
    labels = np.where(sample["count"] > 4, "many", "few")
    return make_pipeline(columns, LogisticRegression()).fit(sample, labels)


@pytest.fixture(scope="session")
def _pristine(pipeline: Pipeline, sample: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pristine")
    extra = {"card.html": b"<h1>penguins</h1>"}
    return publish(
        pipeline, sample, name="penguins", root=root, metrics={"accuracy": 0.9}, extra_files=extra, accelerate=False
    )


@pytest.fixture
def version(_pristine: Path, tmp_path: Path) -> Path:
    """A published version that a test may damage."""
    return shutil.copytree(_pristine, tmp_path / "root" / "penguins" / "1")


@pytest.fixture
def edit(version: Path) -> Callable[[Edit], Path]:
    """Change the manifest of ``version`` and nothing else."""

    def edit(change: Edit) -> Path:
        path = version / "manifest.json"
        document = json.loads(path.read_bytes())
        change(document)
        path.write_text(json.dumps(document))
        return version

    return edit


class Malice:
    """Whatever unpickles this makes a directory."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "marker"


@pytest.fixture
def malicious(marker: Path, tmp_path: Path) -> Path:
    path = tmp_path / "malicious.joblib"
    joblib.dump(Malice(marker), path)
    return path


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], Path]]:
    """Write a module of the user's own into a directory and make it importable."""
    directory = tmp_path / "code"
    directory.mkdir()
    written: list[str] = []

    def write(name: str, source: str) -> Path:
        (directory / f"{name}.py").write_text(source)
        monkeypatch.syspath_prepend(directory)
        written.append(name)
        return directory

    import sys

    yield write
    for name in written:
        sys.modules.pop(name, None)
