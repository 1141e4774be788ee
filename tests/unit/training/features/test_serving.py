"""The model of the dirty example, with every kind of column, answers through V2 what its pipeline answers in Python."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import joblib
import numpy as np
import pandas as pd
import pytest

from tests.servers import ServerProcess
from training.cli import main
from training.columns import Kind
from training.steps.rows import Rows
from training.validation.report import Counts

DATATYPES = {Kind.NUMBER: "FP64", Kind.BOOLEAN: "BOOL", Kind.DATE: "BYTES", Kind.CATEGORY: "BYTES", Kind.TEXT: "BYTES"}
WITHOUT_TRAINING = "import runpy, sys; sys.modules['training'] = None; runpy.run_module('model', run_name='__main__')"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("root")
    assert main(["run", "--config", "examples/parcels.yaml", "--root", str(directory)]) == 0
    return directory


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[ServerProcess]:
    with ServerProcess.start("--model_root", str(root), program=("-c", WITHOUT_TRAINING)) as process:
        yield process


@pytest.fixture(scope="module")
def rows(root: Path) -> Rows:
    return Rows.read(next(root.glob(".runs/steps/parcels/validate/*")))


def ask(server: ServerProcess, table: pd.DataFrame, kinds: dict[str, Kind]) -> httpx.Response:
    inputs = [
        {"name": name, "shape": [len(table)], "datatype": DATATYPES[kind], "data": list(map(sent, table[name]))}
        for name, kind in kinds.items()
    ]
    url = f"http://127.0.0.1:{server.http_port}/v2/models/parcels/infer"
    return httpx.post(url, json={"inputs": inputs, "outputs": [{"name": "predict"}, {"name": "predict_proba"}]})


def sent(value: Any) -> Any:
    if pd.isna(value):
        return None
    return value.isoformat() if isinstance(value, pd.Timestamp) else value


def test_the_page_tells_what_becomes_of_the_rows(root: Path) -> None:
    report = json.loads(next(root.glob(".runs/steps/parcels/validate/*/report.json")).read_bytes())
    assert f"    {Counts(**report['rows'])}\n" in Path("docs/training/features.md").read_text()


def test_it_answers_as_in_python(server: ServerProcess, root: Path, rows: Rows) -> None:
    assert set(rows.kinds.values()) == set(DATATYPES)
    response = ask(server, rows.X, rows.kinds)
    assert response.status_code == 200, response.text
    answered = {output["name"]: np.reshape(output["data"], output["shape"]) for output in response.json()["outputs"]}
    pipeline = joblib.load(root / "parcels" / "1" / "model.joblib")
    np.testing.assert_array_equal(answered["predict"], pipeline.predict(rows.X))
    np.testing.assert_allclose(answered["predict_proba"], pipeline.predict_proba(rows.X), rtol=1e-9)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("region", "Atlantis"),
        ("note", "words never read before"),
        ("region", None),
        ("ordered", None),
        ("express", None),
    ],
)
def test_what_training_has_not_seen_is_answered(server: ServerProcess, rows: Rows, column: str, value: Any) -> None:
    row = rows.X.head(1).astype({"express": object})
    row[column] = pd.Series([value], index=row.index, dtype=row[column].dtype)
    assert ask(server, row, rows.kinds).status_code == 200


def test_what_is_no_date_is_refused(server: ServerProcess, rows: Rows) -> None:
    row = rows.X.head(1).astype({"ordered": object}).assign(ordered="12.3.2024")
    response = ask(server, row, rows.kinds)
    assert response.status_code == 400
    assert response.json()["error"].startswith("Column 'ordered' has '12.3.2024' in row 0; expected an ISO-8601 date ")
