import json
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import pytest

import training.run
from tests.unit.training.project import FRUIT, Project
from training.config import load_config
from training.record import RunRecord
from training.run import run


def manifest(version: Path) -> Any:
    return json.loads((version / "manifest.json").read_bytes())


def test_the_penguins_are_published_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "training")
    example = load_config(Path("examples/penguins.yaml"))
    first = run(example, tmp_path, base=Path("examples"))
    assert (first.version, first.published) == (tmp_path / "penguins" / "1", True)
    assert first.metrics["accuracy"] >= 0.95
    assert manifest(first.version)["metrics"] == first.metrics
    assert "344 rows read, 0 duplicates and 0 rows without a target dropped, 344 kept" in caplog.messages
    assert [record.message for record in caplog.records if record.levelno > logging.INFO] == []

    again = run(example, tmp_path, base=Path("examples"))
    assert (again.version, again.published) == (first.version, False)

    other = run(example.model_copy(update={"drop": ("year", "island")}), tmp_path, base=Path("examples"))
    assert (other.version, other.published) == (tmp_path / "penguins" / "2", True)
    assert len(list(tmp_path.rglob("manifest.json"))) == 2


def test_the_signature_is_that_of_the_cleaned_rows(project: Project) -> None:
    project.write_data(
        "id,fresh,note,weight,kind\n"
        + "".join(
            f"{i},{'true' if i % 3 else 'false'},{'sweet and soft' if i % 5 else ''},{i % 7}.5,{'ab'[i % 2]}\n"
            for i in range(60)
        )
    )
    project.write_config(drop=["id"], columns={"note": "text"})
    assert project.train().code == 0
    signature = manifest(project.root / "fruit" / "1")["signature"]
    assert [(column["name"], column["datatype"], column["missing"]) for column in signature["inputs"]] == [
        ("fresh", "BOOL", True),
        ("note", "BYTES", True),
        ("weight", "FP64", True),
    ]
    assert [output["name"] for output in signature["outputs"]][:2] == ["predict", "predict_proba"]
    assert signature["outputs"][0]["labels"] == ["a", "b"]


def test_what_is_published_predicts_rows_as_they_come(project: Project) -> None:
    project.train()
    model = joblib.load(project.root / "fruit" / "1" / "model.joblib")
    rows = pd.DataFrame({"weight": [105.0, 215.0], "colour": ["never seen", None]})
    assert model.predict(rows).tolist() == ["pear", "apple"]


def test_a_regression_is_published(project: Project) -> None:
    project.write_data("a,y\n" + "".join(f"{i},{2 * i}\n" for i in range(40)))
    project.write_config(target="y", task="regression", estimator={"class": "sklearn.linear_model.LinearRegression"})
    result = project.train()
    assert (result.code, project.versions()) == (0, ["1"])
    assert manifest(project.root / "fruit" / "1")["metrics"]["r2"] == pytest.approx(1)


def test_the_same_seed_gives_the_same_model(project: Project) -> None:
    project.write_config(
        estimator={"class": "sklearn.ensemble.RandomForestClassifier", "parameters": {"n_estimators": 9}}
    )
    roots = [project.directory / name for name in ("one", "two")]
    for root in roots:
        project.train(root)
    first, second = ((root / "fruit" / "1" / "model.joblib").read_bytes() for root in roots)
    assert first == second


def test_other_data_are_published_anew(project: Project) -> None:
    project.train()
    project.write_data(FRUIT + "150,yellow,pear\n")
    assert project.train().code == 0
    assert project.versions() == ["1", "2"]


def test_a_comment_in_the_configuration_changes_nothing(project: Project) -> None:
    project.train()
    project.config.write_text("# a comment\n" + project.config.read_text())
    assert project.train().out.startswith("nothing to do")
    assert project.versions() == ["1"]


def test_the_step_files_tell_what_happened(project: Project) -> None:
    project.train()
    (steps,) = (project.root / ".runs").iterdir()
    content = {path.stem: json.loads(path.read_bytes()) for path in steps.glob("*.json")}
    assert content["run"]["run"] == steps.name
    assert content["run"]["configuration"]["name"] == "fruit"
    assert content["cleaning"]["rows"] == {"read": 40, "duplicates": 0, "without_target": 0, "kept": 40}
    assert content["cleaning"]["columns"] == {"weight": "number", "colour": "category"}
    assert content["evaluation"] == {"rows": 10, "metrics": manifest(project.root / "fruit" / "1")["metrics"]}
    assert content["published"] == {"version": "1"}
    assert (steps / "run.json").read_bytes() == (project.root / "fruit" / "1" / "run.json").read_bytes()


def test_the_step_files_may_be_deleted(project: Project) -> None:
    project.train()
    for path in sorted((project.root / ".runs").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    assert project.train().out.startswith("nothing to do")


class Killed(BaseException):
    """Stands for what no code can catch and mend."""


def test_a_run_killed_before_it_published_is_repeated(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*arguments: Any, **settings: Any) -> Path:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(training.run, "publish", killed)
        with pytest.raises(Killed):
            project.train()
    assert project.versions() == []
    assert project.train().code == 0
    assert project.versions() == ["1"]


def test_a_run_killed_after_it_published_is_found_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    write = RunRecord.write

    def killed(record: RunRecord, step: str, content: Mapping[str, Any]) -> None:
        if step == "published":
            raise Killed
        write(record, step, content)

    with monkeypatch.context() as patch:
        patch.setattr(RunRecord, "write", killed)
        with pytest.raises(Killed):
            project.train()
    assert project.train().out == f"nothing to do: {project.root}/fruit/1 holds the same data and configuration\n"
    assert project.versions() == ["1"]


def test_two_runs_at_once_publish_one_version(project: Project) -> None:
    config = load_config(project.config)
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(run, config, project.root, base=project.directory) for _ in range(2)]
        outcomes = [future.result() for future in runs]
    assert sorted(outcome.published for outcome in outcomes) == [False, True]
    assert {outcome.version for outcome in outcomes} == {project.root / "fruit" / "1"}


def test_a_damaged_version_is_published_anew(project: Project) -> None:
    project.train()
    with (project.root / "fruit" / "1" / "model.joblib").open("ab") as file:
        file.write(b"damage")
    assert project.train().out.startswith(f"published {project.root}/fruit/2: ")


def test_a_refused_model_is_refused_again(project: Project) -> None:
    project.write_config(floor={"log_loss": 1e-9})
    assert [project.train().code for _ in range(2)] == [1, 1]
    assert project.versions() == []


def test_a_warning_of_the_estimator_is_said_once(project: Project) -> None:
    estimator = {"class": "sklearn.linear_model.LogisticRegression", "parameters": {"max_iter": 1}}
    project.write_config(estimator=estimator)
    result = project.train()
    assert result.code == 0
    assert result.err.count("LogisticRegression warns: lbfgs failed to converge") == 1
