"""The tables that everybody knows: from raw files by the command line to answers through V2, as the pipeline's own."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import joblib
import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.datasets import load_breast_cancer

from model.artifact import verify
from tests.protocol.encodings import infer_path
from tests.servers import ServerProcess
from training.cli import main


@dataclass(frozen=True)
class Dataset:
    """A table, how it is written, and what a model of it has to reach."""

    made: Callable[[], pd.DataFrame]
    suffix: str
    task: str
    floor: dict[str, float]
    settings: dict[str, Any] = field(default_factory=dict)

    def write(self, name: str, directory: Path) -> Path:
        table, file = self.made(), directory / f"{name}{self.suffix}"
        if self.suffix == ".parquet":
            table.to_parquet(file)
        elif self.suffix == ".jsonl":
            table.to_json(file, orient="records", lines=True)
        else:
            table.to_csv(file, index=False)
        config = {"name": name, "source": file.name, "target": "target", "task": self.task, "floor": self.floor}
        written = directory / f"{name}.yaml"
        written.write_text(yaml.safe_dump({**config, "evaluation": {"pictures": False}, **self.settings}))
        return written


def cancer() -> pd.DataFrame:
    """Breast cancer, as scikit-learn ships it: thirty numbers whose names have spaces."""
    bunch = load_breast_cancer(as_frame=True)
    columns: pd.DataFrame = bunch.data
    return columns.assign(target=np.where(bunch.target, "benign", "malignant"))


def housing() -> pd.DataFrame:
    """Districts like California's: prices that depend on income, age and place, skewed, cut at five, with gaps."""
    random, rows = np.random.default_rng(0), 1500
    income = random.lognormal(1.2, 0.45, rows)
    age = random.integers(1, 53, rows)
    latitude, longitude = random.uniform(32.5, 42, rows), random.uniform(-124, -114, rows)
    coast = np.exp(-np.abs(longitude + 124 - (42 - latitude) * 0.75))
    price = 0.4 * income + 1.5 * coast + 0.005 * age + random.normal(0, 0.25, rows)
    table = {"income": income, "age": age, "latitude": latitude, "longitude": longitude}
    table |= {"rooms": random.normal(5.4, 1, rows), "target": price.clip(0.15, 5)}
    return pd.DataFrame(table).assign(rooms=lambda made: made["rooms"].mask(random.random(rows) < 0.05))


def newsgroups() -> pd.DataFrame:
    """Posts of four groups, each with words of its own among those that all use."""
    random = np.random.default_rng(0)
    own = {
        "rec.autos": "engine brake dealer gear mileage",
        "sci.med": "patient dose doctor symptom clinic",
        "sci.space": "orbit launch shuttle lunar probe",
        "talk.politics": "senate vote law tax party",
    }
    common = "the of it that have you this not with they from what some about would there"
    posts = []
    for group in random.choice(sorted(own), 400):
        words = [*random.choice(own[group].split(), 4), *random.choice(common.split(), 25)]
        posts.append({"subject": f"Re: {words[0]}", "post": " ".join(random.permutation(words)), "target": group})
    return pd.DataFrame(posts)


DATASETS = {
    "cancer": Dataset(cancer, ".csv", "classification", {"accuracy": 0.93, "roc_auc": 0.97}),
    "housing": Dataset(
        housing,
        ".parquet",
        "regression",
        {"r2": 0.75},
        {"estimator": {"class": "sklearn.ensemble.HistGradientBoostingRegressor"}},
    ),
    "newsgroups": Dataset(
        newsgroups, ".jsonl", "classification", {"accuracy": 0.9}, {"columns": {"subject": "text", "post": "text"}}
    ),
}
each = pytest.mark.parametrize("name", DATASETS)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("datasets")
    for name, dataset in DATASETS.items():
        config = dataset.write(name, directory)
        assert main(["run", "--config", str(config), "--root", str(directory / "models")]) == 0
    return directory / "models"


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[ServerProcess]:
    with ServerProcess.start("--model_root", str(root), "--require_manifest", "--drain_seconds", "0") as process:
        yield process


@each
def test_what_is_published_reaches_its_floor(root: Path, name: str) -> None:
    version = root / name / "1"
    verify(version, require_manifest=True)
    metrics = json.loads((version / "manifest.json").read_bytes())["metrics"]
    assert all(metrics[metric] >= least for metric, least in DATASETS[name].floor.items())


@each
def test_it_is_served_as_it_answers_in_python(root: Path, server: ServerProcess, name: str) -> None:
    version = root / name / "1"
    rows = DATASETS[name].made().drop(columns="target").head(40)
    signature = json.loads((version / "manifest.json").read_bytes())["signature"]
    inputs = [
        {
            "name": column["name"],
            "datatype": column["datatype"],
            "shape": [len(rows)],
            "data": rows[column["name"]].astype(object).where(rows[column["name"]].notna(), None).tolist(),
        }
        for column in signature["inputs"]
    ]
    answer = httpx.post(f"http://127.0.0.1:{server.http_port}{infer_path(name)}", json={"inputs": inputs}, timeout=30)
    assert answer.status_code == 200, answer.text
    (output,) = answer.json()["outputs"]
    expected = joblib.load(version / "model.joblib").predict(rows)
    if DATASETS[name].task == "regression":
        np.testing.assert_allclose(output["data"], expected, rtol=1e-6)
    else:
        assert output["data"] == expected.tolist()
