"""
Networks by torch: fitted, searched, calibrated, compared and published by an environment that has it, and served by one
that has not.

`make test-system` installs torch in an environment of its own.
"""

import json
import os
import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import pandas as pd
import pytest
import yaml

from model.artifact import LoadPolicy, load, read_manifest, verify
from tests.servers import REPOSITORY, ServerProcess
from tests.training.trainer import Ended

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

PYTHON: Final = REPOSITORY / "var" / "torch" / "bin" / "python"
CODE: Final = Path(__file__).with_name("networks")
SEEDS: Final = 400
# Threads that wait for each other take long where other tests have the CPUs.
ENVIRONMENT: Final = {**os.environ, "OMP_NUM_THREADS": "1"}
CLASSIFIER: Final = {
    "module": "networks.Wide",
    "module__hidden": 24,
    "criterion": "torch.nn.CrossEntropyLoss",
    "optimizer": "torch.optim.Adam",
    "lr": 0.02,
    "max_epochs": 12,
    "iterator_train__shuffle": True,
}


def seeds() -> pd.DataFrame:
    """Draw seeds that two measures and a colour tell apart, of which some measures are missing."""
    random = np.random.default_rng(3)
    length, width = random.normal(5, 1, SEEDS), random.normal(3, 1, SEEDS)
    colour = random.choice(["brown", "green", "white"], SEEDS)
    score = length - width + (colour == "green")
    kind = np.select([score > 3, score > 1.5], ["rye", "oat"], "wheat")
    length[::20] = np.nan
    return pd.DataFrame(
        {"length": length.round(3), "width": width.round(3), "colour": colour, "kind": kind, "score": score.round(4)}
    )


def run_in_torch(module: str, *arguments: str | Path, given: Any) -> Any:
    assert PYTHON.exists(), "torch is missing: make test-system installs it"
    ended = subprocess.run(
        [PYTHON, "-m", module, *arguments],
        cwd=REPOSITORY,
        env=ENVIRONMENT,
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


class Project:
    """
    A directory with data and configurations.

    Parameters
    ----------
    directory : Path
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.root = directory / "models"
        seeds().to_csv(directory / "seeds.csv", index=False)

    def arguments(self, root: str = "models", command: str = "run", **settings: Any) -> list[str]:
        """Write a configuration, and return the command that is to have it."""
        parameters = settings.pop("parameters", {})
        known = {
            "name": "seeds",
            "source": "seeds.csv",
            "target": "kind",
            "task": "classification",
            "drop": ["score"],
            "columns": {"length": "number"},
            "evaluation": {"pictures": False},
            "estimator": {"class": "skorch.NeuralNetClassifier", "parameters": {**CLASSIFIER, **parameters}},
        }
        config = self.directory / f"{len([*self.directory.glob('*.yaml')])}.yaml"
        config.write_text(yaml.safe_dump({**known, **settings}))
        where = ["--config", str(config), "--root", str(self.directory / root), "--code_dir", str(CODE)]
        return [command, *where]

    def version(self, number: int, name: str = "seeds") -> Path:
        return self.root / name / str(number)

    def told(self, number: int, file: str = "fit.json", name: str = "seeds") -> Any:
        return json.loads((self.version(number, name) / file).read_bytes())


def run(commands: list[list[str]]) -> list[Ended]:
    return [Ended(**each) for each in run_in_torch("tests.training.torch_runs", given=commands)]


def regression(**parameters: Any) -> dict[str, Any]:
    known = {"module": "networks.Wide", "optimizer": "torch.optim.Adam", "lr": 0.05, "max_epochs": 200}
    return {
        "name": "scores",
        "target": "score",
        "task": "regression",
        "drop": ["kind"],
        "estimator": {"class": "skorch.NeuralNetRegressor", "parameters": {**known, **parameters}},
    }


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Three versions of a classifier, the second calibrated and held against the first, and two of a regressor."""
    made = Project(tmp_path_factory.mktemp("torch"))
    first = made.arguments()
    held = {"metric": "accuracy", "margin": 0.2}
    gate = {"pictures": False, "non_inferiority": held, "budget": {"p99_milliseconds": 1000, "megabytes": 1}}
    space = {"lr": {"loguniform": [0.01, 0.03]}, "optimizer": ["torch.optim.Adam", "torch.optim.RMSprop"]}
    stops = {**regression(early_stopping_rounds=5), "split": {"validation_size": 0.2}}
    ended = run(
        [
            first,
            first,
            made.arguments(root="again"),
            made.arguments(calibration={"method": "sigmoid", "folds": 3}, evaluation=gate),
            made.arguments(search={"candidates": 2, "folds": 2, "space": {"module__hidden": [4, 12], **space}}),
            made.arguments(**stops),
            made.arguments(**regression(module="networks.Flat", max_epochs=5)),
        ]
    )
    assert [each.code for each in ended] == [0] * 7, "\n".join(each.err for each in ended)
    assert "nothing to do" in ended[1].out
    return made


ROWS: Final[dict[str, list[Any]]] = {
    "length": [5.0, 7.5, None, 4.0],
    "width": [3.0, 1.0, 2.0, 5.5],
    "colour": ["brown", "green", "white", "a colour that was never seen"],
}


def asked(rows: dict[str, list[Any]]) -> list[dict[str, Any]]:
    kinds = {"length": "FP64", "width": "FP64", "colour": "BYTES"}
    return [
        {"name": name, "shape": [len(values)], "datatype": kinds[name], "data": values} for name, values in rows.items()
    ]


@pytest.mark.parametrize(("name", "output"), [("seeds", "predict_proba"), ("scores", "predict")])
def test_the_server_answers_without_torch_as_torch_does(project: Project, name: str, output: str) -> None:
    assert find_spec("torch") is None
    with ServerProcess.start("--model_root", str(project.root), "--require_manifest", "true") as server:
        answer = httpx.post(
            f"http://127.0.0.1:{server.http_port}/v2/models/{name}/versions/1/infer",
            json={"inputs": asked(ROWS), "outputs": [{"name": output}]},
        )
        found = httpx.get(f"http://127.0.0.1:{server.http_port}/v2/models/{name}/versions/1").json()
    assert answer.status_code == 200, answer.text
    (got,) = answer.json()["outputs"]
    expected = run_in_torch("tests.training.torch_answers", project.version(1, name), CODE, given=ROWS)
    np.testing.assert_allclose(np.reshape(got["data"], got["shape"]).ravel(), np.ravel(expected), rtol=1e-4, atol=1e-5)
    assert [each["name"] for each in found["inputs"]] == ["length", "width", "colour"]


def test_labels_are_the_users(project: Project) -> None:
    outputs = {each.name: each for each in read_manifest(project.version(1)).signature.outputs}
    assert outputs["predict"].labels == ("oat", "rye", "wheat") == outputs["predict_proba"].labels


def test_preprocessing_and_network_are_one_graph_that_has_passed_the_gate(project: Project) -> None:
    for version in (project.version(1), project.version(2), project.version(1, "scores")):
        record = read_manifest(version).engine
        assert record is not None
        assert (record.name, record.from_step) == ("onnx", 0), record.refused
        assert record.parity is not None
        assert sum(record.parity.rows.values()) > 1000


def test_a_version_needs_onnxruntime_and_nothing_of_torch(project: Project) -> None:
    manifest = read_manifest(project.version(1))
    assert manifest.modules.keys() == {"onnxruntime"}
    for file in ("model.joblib", "model.onnx"):
        assert str(REPOSITORY).encode() not in (project.version(1) / file).read_bytes()


def test_the_checkpoint_is_vouched_for_and_never_read(project: Project, tmp_path: Path) -> None:
    copy = shutil.copytree(project.version(1), tmp_path / "1")
    assert "checkpoint.pt" in read_manifest(copy).files
    (copy / "checkpoint.pt").write_bytes(b"another")
    with pytest.raises(Exception, match=r"checkpoint\.pt"):
        verify(copy)


def test_the_same_rows_and_configuration_give_the_same_bits(project: Project) -> None:
    again = project.directory / "again" / "seeds" / "1"
    for file in ("checkpoint.pt", "model.onnx", "model.joblib"):
        assert read_manifest(again).files[file] == read_manifest(project.version(1)).files[file]


def test_it_has_learned(project: Project) -> None:
    assert project.told(1, "manifest.json")["metrics"]["accuracy"] > 0.8
    assert project.told(1, "manifest.json", "scores")["metrics"]["r2"] > 0.9


def test_calibration_champion_and_budget(project: Project) -> None:
    fitted = load(project.version(2), policy=LoadPolicy(require_manifest=True)).estimator
    assert type(fitted[-1]).__name__ == "CalibratedClassifierCV"
    checks = {each["name"]: each for each in project.told(2, "decision.json")["checks"]}
    assert checks["non_inferiority"]["figures"]["version"] == "1"
    assert checks["budget"]["figures"]["engine"] == "onnx"


def test_a_search_draws_what_a_module_takes_and_classes_by_their_paths(project: Project) -> None:
    told = project.told(3)
    assert told["search"]["failed"] == 0
    assert told["estimator"]["parameters"]["module__hidden"] in (4, 12)
    assert told["estimator"]["parameters"]["optimizer"].startswith("torch.optim.")


def test_fitting_stops_by_the_validation_part(project: Project) -> None:
    assert 1 <= project.told(1, name="scores")["iterations"] < 200


def test_how_it_was_exported_is_on_record(project: Project) -> None:
    export = project.told(1)["export"]
    assert 0 <= export["difference"] < 1e-5
    assert export["rows"] == 3 * project.told(1)["rows"]["train"]
    assert {"torch", "skorch", "onnxruntime"} <= export["made_with"].keys()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"estimator": {"class": "skorch.NeuralNetBinaryClassifier"}}, "expected skorch.NeuralNetClassifier"),
        ({"estimator": {"class": "skorch.NeuralNetClassifier"}}, "estimator.parameters lack module"),
        ({"parameters": {"module": "networks.Narrow"}}, "expected a class made of torch.nn.modules.module.Module"),
        ({"parameters": {"module": "networks.NUMBER"}}, "estimator.parameters.module is 'networks.NUMBER'; expected"),
        ({"parameters": {"module": "nowhere.Wide"}}, "or of a module in --code_dir"),
        ({"parameters": {"optimizer": "torch.nn.ReLU"}}, "expected a class made of torch.optim.optimizer.Optimizer"),
        ({"parameters": {"hidden": 3}}, "cannot be fitted: __init__() got unexpected argument(s) hidden"),
        ({"parameters": {"module": "networks.Fixed", "module__hidden": None}}, "unexpected keyword argument 'hidden'"),
        ({"parameters": {"criterion": "torch.nn.NLLLoss"}}, "Wide are no probabilities; end it in a softmax"),
        ({"parameters": {"criterion": "torch.nn.MultiMarginLoss"}}, "criterion be torch.nn.CrossEntropyLoss, which"),
        ({"parameters": {"lr": 1e30}}, "the loss of Wide is"),
        ({"parameters": {"module": "networks.Counting"}}, "Counting cannot be exported to ONNX"),
        (
            {"parameters": {"module": "networks.Fickle"}},
            "let it answer alike in training, in evaluation and where it is exported",
        ),
        ({"class_weight": "balanced"}, "class_weight is set, but NeuralNetClassifier cannot weigh rows"),
        ({"parameters": {"early_stopping_rounds": 3}}, "set split.validation_size"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    refused: dict[str, Ended], settings: dict[str, Any], sentence: str
) -> None:
    ended = refused[json.dumps(settings)]
    assert ended.code == 1
    assert sentence in ended.err.splitlines()[-1]
    assert "Traceback" not in ended.err


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    made = Project(tmp_path_factory.mktemp("refused"))
    (mark,) = (mark for mark in test_what_cannot_be_is_said_in_a_sentence.pytestmark if mark.name == "parametrize")
    cases = [settings for settings, _ in mark.args[1]]
    return dict(zip(map(json.dumps, cases), run([made.arguments(**case) for case in cases]), strict=True))


def test_a_killed_fit_is_done_again(tmp_path: Path) -> None:
    made = Project(tmp_path)
    command = made.arguments(parameters={"max_epochs": 100})
    with subprocess.Popen(
        [str(PYTHON), "-m", "training", *command], cwd=REPOSITORY, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert any("fit NeuralNetClassifier" in line for line in process.stderr)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not list(made.root.glob(".runs/steps/seeds/fit/[!.]*"))
    (ended,) = run([command])
    assert ended.code == 0, ended.err
    assert "rows read" not in ended.err  # that was done
    assert "checkpoint.pt" in read_manifest(made.version(1)).files
