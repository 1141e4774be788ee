import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import joblib
import numpy as np
import pandas as pd
import pytest

from tests.servers import ServerProcess
from tests.unit.training.project import Project
from training import imports
from training.cli import main
from training.errors import ConfigurationError
from training.imports import admit, own_code, resolve
from training.steps.code import code_versions

HALVES = """
from sklearn.base import BaseEstimator, TransformerMixin

class Halves(TransformerMixin, BaseEstimator):
    def __init__(self, times=2):
        self.times = times
    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self
    def transform(self, X):
        return X / self.times
"""


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(imports, "_ADMITTED", [])
    monkeypatch.setattr(sys, "path", sys.path.copy())
    directory = tmp_path / "code"
    directory.mkdir()
    (directory / "my_halves.py").write_text(HALVES)
    yield directory
    sys.modules.pop("my_halves", None)


def test_a_class_of_an_installed_package_is_found() -> None:
    assert resolve("sklearn.svm.SVC", "k").__name__ == "SVC"
    assert resolve("sklearn.svm.Nothing", "k") is None


def test_a_module_that_lies_about_is_not_imported(code: Path) -> None:
    sys.path.insert(0, str(code))
    with pytest.raises(ConfigurationError) as caught:
        resolve("my_halves.Halves", "features.transformers.0.class")
    assert "my_halves" not in sys.modules
    assert str(caught.value) == (
        "features.transformers.0.class is 'my_halves.Halves'; "
        "expected the import path of a class of an installed package"
    )


def test_a_module_of_a_directory_that_was_named_is(code: Path) -> None:
    admit(code)
    admit(code)
    assert resolve("my_halves.Halves", "k").__name__ == "Halves"
    assert sys.path.count(str(code)) == 1


def test_a_package_of_a_directory_that_was_named_is(code: Path) -> None:
    (code / "my_halves.py").unlink()
    (code / "my_halves").mkdir()
    (code / "my_halves" / "__init__.py").write_text(HALVES)
    admit(code)
    assert resolve("my_halves.Halves", "k").__name__ == "Halves"


@pytest.mark.parametrize("path", ["Halves", "nowhere.Halves", ".Halves", "..a.b"])
def test_what_is_nowhere_is_said(code: Path, path: str) -> None:
    admit(code)
    with pytest.raises(ConfigurationError, match=r"k is '.*'; expected the import path of a class"):
        resolve(path, "k")


def test_a_directory_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"--code_dir is '.*/none'; expected a directory that exists"):
        admit(tmp_path / "none")


def test_what_the_code_says_has_a_digest(code: Path) -> None:
    assert own_code() is None
    admit(code)
    before = own_code()
    (code / "my_halves.py").write_text(HALVES + "# more\n")
    assert own_code() != before
    (code / "my_halves.py").write_text(HALVES)
    assert own_code() == before


def train(project: Project, code: Path) -> int:
    flags = ["--config", str(project.config), "--root", str(project.root), "--code_dir", str(code)]
    return main(["run", *flags])


def test_a_transformer_of_the_users_own_is_trained_and_served(project: Project, code: Path) -> None:
    chosen = {"class": "my_halves.Halves", "columns": ["weight"], "parameters": {"times": 100}}
    project.write_config(features={"transformers": [chosen]})
    assert train(project, code) == 0
    manifest: dict[str, Any] = json.loads((project.root / "fruit" / "1" / "manifest.json").read_bytes())
    assert manifest["modules"] == {"my_halves": None}
    pipeline = joblib.load(project.root / "fruit" / "1" / "model.joblib")
    rows = {"weight": [105.0, 205.0], "colour": ["green", "red"]}
    inputs = [
        {"name": "weight", "datatype": "FP64", "shape": [2], "data": rows["weight"]},
        {"name": "colour", "datatype": "BYTES", "shape": [2], "data": rows["colour"]},
    ]
    with ServerProcess.start("--model_root", str(project.root), "--code_dir", str(code)) as server:
        url = f"http://127.0.0.1:{server.http_port}/v2/models/fruit/infer"
        answer = httpx.post(url, json={"inputs": inputs}).json()["outputs"][0]["data"]
    assert answer == pipeline.predict(pd.DataFrame(rows)).tolist() == ["pear", "apple"]
    np.testing.assert_array_equal(pipeline.named_steps["preprocess"].transformers_[-1][1].times, 100)


def test_other_code_makes_other_steps(code: Path) -> None:
    assert "code_dir" not in code_versions({})
    admit(code)
    assert code_versions({})["code_dir"] == own_code()
