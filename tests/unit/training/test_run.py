import hashlib
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import pytest

import training.publication
from tests.unit.training.project import FRUIT, Project
from training.config import Config, load_config
from training.outcome import Outcome
from training.registry import Registry, Version
from training.run import Run


def run(config: Config, root: Path, *, base: Path) -> Outcome:
    return Run(config, root, base=base).all()


def manifest(version: Path) -> Any:
    return json.loads((version / "manifest.json").read_bytes())


def test_the_penguins_are_published_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "training")
    example = load_config(Path("examples/penguins.yaml"))
    first = run(example, tmp_path, base=Path("examples"))
    assert (str(first.version), first.published) == ("penguins/1", True)
    assert first.metrics["accuracy"] >= 0.95
    assert manifest(tmp_path / "penguins" / "1")["metrics"] == first.metrics
    assert "344 rows read, 0 duplicates and 0 rows without a target dropped, 344 kept" in caplog.messages
    assert [record.message for record in caplog.records if record.levelno > logging.INFO] == []

    again = run(example, tmp_path, base=Path("examples"))
    assert (again.version, again.published) == (first.version, False)

    other = run(example.model_copy(update={"drop": ("year", "island")}), tmp_path, base=Path("examples"))
    assert (str(other.version), other.published) == ("penguins/2", True)
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
    # Their bytes may differ: the nodes of a tree have padding, and what is in it nobody has set.
    first, second = (joblib.load(root / "fruit" / "1" / "model.joblib")["estimator"].estimators_ for root in roots)
    for one, other in zip(first, second, strict=True):
        nodes, others = one.tree_.__getstate__()["nodes"], other.tree_.__getstate__()["nodes"]
        assert all((nodes[field] == others[field]).all() for field in nodes.dtype.names)


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
    content = {
        f"{path.parent.parent.name}/{path.stem}": json.loads(path.read_bytes())
        for path in (project.root / ".runs" / "steps" / "fruit").glob("*/*/*.json")
    }
    rows = content["validate/report"]["rows"]
    assert {count: many for count, many in rows.items() if many} == {"read": 40, "kept": 40}
    assert content["validate/columns"]["features"] == {"weight": "number", "colour": "category"}
    assert content["fit/fit"]["rows"] == {"train": 30, "validation": 0, "test": 10}
    version = project.root / "fruit" / "1"
    assert content["evaluate/evaluation"]["metrics"] == manifest(version)["metrics"]
    assert content["evaluate/decision"]["accepted"]
    for name in ("evaluation", "decision"):
        assert json.loads((version / f"{name}.json").read_bytes()) == content[f"evaluate/{name}"]


def test_a_version_tells_what_it_was_made_of(project: Project) -> None:
    project.train()
    mark = json.loads((project.root / "fruit" / "1" / "run.json").read_bytes())
    assert mark["configuration"]["name"] == "fruit"
    assert mark["snapshot"] == {
        "source": "fruit.csv",
        "sha256": hashlib.sha256(FRUIT.encode()).hexdigest(),
        "bytes": len(FRUIT),
    }
    (data,) = (project.root / ".runs" / "snapshots" / mark["snapshot"]["sha256"]).glob("data.*")
    assert data.read_text() == FRUIT


def test_the_step_files_may_be_deleted(project: Project) -> None:
    project.train()
    for path in sorted((project.root / ".runs").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    assert project.train().out.startswith("nothing to do")


class Killed(BaseException):
    """Stands for what no code can catch and mend."""


def test_what_was_accepted_is_champion(project: Project) -> None:
    result = project.train()
    assert result.err.splitlines()[-1] == "the champion of fruit is version 1"
    assert Registry(project.root).aliases("fruit") == {"champion": "1", "challenger": "1"}


def test_promotion_may_be_left_to_a_person(project: Project) -> None:
    project.write_config(promotion="manual")
    project.train()
    assert Registry(project.root).aliases("fruit") == {"challenger": "1"}
    assert project.train(command="promote").out == f"champion: {project.root}/fruit/1\n"
    assert Registry(project.root).aliases("fruit")["champion"] == "1"
    project.write_config()
    assert project.train().out.startswith("nothing to do"), "how it is promoted makes no other version"


def test_the_version_that_was_published_is_looked_at_once(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.train()
    looked: list[Version] = []
    fetch = Registry.fetch

    def watched(registry: Registry, version: Version) -> Path:
        looked.append(version)
        return fetch(registry, version)

    monkeypatch.setattr(Registry, "fetch", watched)
    assert project.train().out.startswith("nothing to do")
    assert looked == [Version("fruit", 1)]


def test_what_was_taken_back_is_not_promoted_again(project: Project) -> None:
    project.train()
    project.write_data(FRUIT + "150,yellow,pear\n")
    project.train()
    Registry(project.root).rollback("fruit", why="wrong by noon")
    assert project.train().code == 0
    assert Registry(project.root).aliases("fruit") == {"champion": "1", "challenger": "2"}
    assert project.train(command="promote").out == "nothing to do: it is champion, or has been\n"


def test_what_was_not_published_is_not_promoted(project: Project) -> None:
    project.train(command="ingest")
    result = project.train(command="promote")
    assert result.sentence.endswith(
        "no version of fruit was made of this snapshot and configuration; run publish first"
    )


def test_a_bucket_needs_a_place_to_work(project: Project) -> None:
    result = project.train(root="s3://models")
    assert result.sentence.endswith(
        "root is s3://models, where steps leave no files; name a directory for them by --work"
    )


@pytest.mark.parametrize("alias", ["challenger", "champion"])
def test_a_run_killed_before_an_alias_was_moved_moves_it(
    project: Project, alias: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    move = Registry.move

    def killed(registry: Registry, name: str, moved: str, *args: Any, **settings: Any) -> Any:
        if moved == alias:
            raise Killed
        return move(registry, name, moved, *args, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(Registry, "move", killed)
        with pytest.raises(Killed):
            project.train()
    assert project.train().out == f"nothing to do: {project.root}/fruit/1 holds the same data and configuration\n"
    assert Registry(project.root).aliases("fruit") == {"champion": "1", "challenger": "1"}
    assert project.versions() == ["1"]


def test_a_run_killed_before_it_published_is_repeated(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*arguments: Any, **settings: Any) -> Path:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(training.publication, "publish", killed)
        with pytest.raises(Killed):
            project.train()
    assert project.versions() == []
    assert project.train().code == 0
    assert project.versions() == ["1"]


def test_a_refused_model_is_decided_upon_once(project: Project) -> None:
    project.write_config(floor={"log_loss": 1e-9})
    assert "fit LogisticRegression" in project.train().err
    again = project.train()
    assert (again.code, again.sentence.partition(" is ")[0]) == (3, "sklearn-kserve-train: fruit")
    assert "fit LogisticRegression" not in again.err


def test_another_floor_fits_nothing_again(project: Project) -> None:
    project.write_config(floor={"log_loss": 1e-9})
    project.train()
    project.write_config(floor={"accuracy": 0.5})
    result = project.train()
    assert result.code == 0
    assert result.err.splitlines()[1:] == ["measured on 10 rows", "the champion of fruit is version 1"]


def test_steps_by_hand_come_to_the_same(project: Project) -> None:
    for command in ("ingest", "validate", "fit", "evaluate", "publish", "promote"):
        assert project.train(command=command).code == 0
    assert project.versions() == ["1"]
    assert project.train().out.startswith("nothing to do")


def test_a_later_step_does_what_is_missing_before_it(project: Project) -> None:
    project.train(command="ingest")
    result = project.train(command="evaluate")
    assert result.out.startswith("accepted: accuracy 1")
    assert project.versions() == []


def test_a_step_goes_on_from_the_snapshot_that_was_taken(project: Project) -> None:
    project.train(command="ingest")
    project.write_data("weight,kind\n1,a\n")
    assert project.train(command="publish").code == 0


def test_a_run_is_repeated_on_the_very_same_rows(project: Project) -> None:
    project.train()
    first = json.loads((project.root / "fruit" / "1" / "run.json").read_bytes())["snapshot"]["sha256"]
    project.write_data(FRUIT + "150,yellow,pear\n")
    project.train()
    project.data.unlink()
    assert project.train(more=["--snapshot", first]).out.startswith(f"nothing to do: {project.root}/fruit/1 holds")
    project.write_config(floor={"accuracy": 0.5})
    assert project.train(more=["--snapshot", first]).code == 0
    assert json.loads((project.root / "fruit" / "3" / "run.json").read_bytes())["snapshot"]["sha256"] == first
    assert "there is no whole snapshot feed in" in project.train(more=["--snapshot", "feed"]).sentence


def test_without_a_snapshot_a_step_says_what_to_do(project: Project) -> None:
    assert project.train(command="fit").sentence.endswith("no snapshot of fruit has been taken; run ingest first")
    project.train(command="ingest")
    project.write_config(source="other.csv")
    assert project.train(command="fit").sentence.endswith(
        "the snapshot of fruit is of another source than the configuration's; run ingest"
    )


def test_a_snapshot_that_was_changed_is_refused(project: Project) -> None:
    project.train(command="ingest")
    (data,) = project.root.glob(".runs/snapshots/*/data.*")
    data.write_text(FRUIT + "1,red,pear\n")
    assert "is damaged" in project.train(command="fit").sentence


def test_work_may_be_done_elsewhere(project: Project) -> None:
    work = project.directory / "work"
    assert project.train(work=work).code == 0
    assert {path.name for path in work.iterdir()} == {"snapshots", "steps"}
    assert not (project.root / ".runs").exists()


def test_two_runs_at_once_publish_one_version(project: Project) -> None:
    config = load_config(project.config)
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(run, config, project.root, base=project.directory) for _ in range(2)]
        outcomes = [future.result() for future in runs]
    assert sorted(outcome.published for outcome in outcomes) == [False, True]
    assert {str(outcome.version) for outcome in outcomes} == {"fruit/1"}


def test_a_version_that_another_hand_wrote_is_not_ours(project: Project) -> None:
    for version, content in (("1", "no JSON"), ("2", "[]"), ("3", '{"run": "another"}')):
        (project.root / "fruit" / version).mkdir(parents=True)
        (project.root / "fruit" / version / "run.json").write_text(content)
    (project.root / "fruit" / "4" / "run.json").mkdir(parents=True)
    assert project.train().out.startswith(f"published {project.root}/fruit/5: ")


def test_a_damaged_version_is_published_anew(project: Project) -> None:
    project.train()
    with (project.root / "fruit" / "1" / "model.joblib").open("ab") as file:
        file.write(b"damage")
    assert project.train().out.startswith(f"published {project.root}/fruit/2: ")


def test_a_warning_of_the_estimator_is_said_once(project: Project) -> None:
    estimator = {"class": "sklearn.linear_model.LogisticRegression", "parameters": {"max_iter": 1}}
    project.write_config(estimator=estimator)
    result = project.train()
    assert result.code == 0
    assert result.err.count("LogisticRegression warns: lbfgs failed to converge") == 1


def test_a_model_is_held_against_the_champion_of_the_moment(project: Project) -> None:
    compared = {"evaluation": {"non_inferiority": {"metric": "log_loss", "margin": 0.1}}}
    project.write_config(**compared)
    project.train()
    assert decision(project, "1")["champion"] is None

    project.write_data(FRUIT + "150,yellow,pear\n")
    project.train()
    assert decision(project, "2")["champion"] == "1"

    project.write_config(**compared, estimator={"class": "sklearn.dummy.DummyClassifier"})
    result = project.train()
    assert (result.code, project.versions()) == (3, ["1", "2"])
    assert "log_loss is 0.69" in result.sentence
    assert "of the champion, version 2, " in result.sentence


def decision(project: Project, version: str) -> Any:
    return json.loads((project.root / "fruit" / version / "decision.json").read_bytes())


def test_rows_are_sliced_by_a_column_that_the_model_is_not_given(project: Project) -> None:
    sliced = {"slices": {"columns": ["colour"], "min_rows": 3}}
    project.write_config(drop=["colour"], evaluation=sliced)
    assert project.train().code == 0
    assert [column["name"] for column in manifest(project.root / "fruit" / "1")["signature"]["inputs"]] == ["weight"]
    evaluation = json.loads((project.root / "fruit" / "1" / "evaluation.json").read_bytes())
    (colours,) = evaluation["slices"]
    assert sum(each["rows"] for each in colours["slices"]) + sum(colours["small"].values()) == 10
    assert {each["value"] for each in colours["slices"]} | colours["small"].keys() == {"green", "red", "yellow"}


def test_rows_that_are_held_together_are_drawn_together(project: Project) -> None:
    owners = (f"{100 * (i % 2) + i},owner {i // 5},{'pear' if i % 2 else 'apple'}" for i in range(60))
    project.write_data("\n".join(["weight,owner,kind", *owners, ""]))
    project.write_config(split={"group": "owner"}, drop=["owner"])
    assert project.train().code == 0
    version = project.root / "fruit" / "1"
    evaluation = json.loads((version / "evaluation.json").read_bytes())
    assert evaluation["groups"] == evaluation["rows"] / 5
    assert f"draws of their {evaluation['groups']} groups, whole, with" in (version / "card.html").read_text()


def test_another_slice_fits_nothing_again(project: Project) -> None:
    project.train()
    project.write_config(evaluation={"slices": {"columns": ["colour"], "min_rows": 1}})
    result = project.train()
    assert (result.code, project.versions()) == (0, ["1", "2"])
    assert "fit " not in result.err
