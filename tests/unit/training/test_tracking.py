"""MLflow told of versions: its own client and its store of files here, its server in test_mlflow_server.py."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from model.errors import UntrustedArtifact
from tests.unit.training.project import Project
from tests.unit.training.registry.fish import publish_fish
from training.cli import main
from training.errors import RegistryError, TrackingError
from training.registry import CHALLENGER, CHAMPION, Registry, Version
from training.tracking import Tracker

if TYPE_CHECKING:
    from mlflow import MlflowClient

NOBODY = "http://127.0.0.1:1"
one, two, three = (Version("fish", number) for number in (1, 2, 3))


@pytest.fixture
def uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return (tmp_path / "mlruns").as_uri()


@pytest.fixture
def client(uri: str) -> "MlflowClient":
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    registry = Registry(tmp_path / "root")
    for answer in (1.0, 2.0):
        mark = {
            "snapshot": {"sha256": f"{answer}" * 20},
            "configuration": {"split": {"seed": 0}, "columns": {"größe (cm)": "number"}, "long": ["x" * 7000]},
        }
        registry.publish("fish", partial(publish_fish, answer=answer, mark=mark))
    registry.move("fish", CHAMPION, one)
    registry.move("fish", CHALLENGER, two)
    return registry


def runs(client: "MlflowClient", experiment: str) -> dict[str, Any]:
    """Return the runs of an experiment by their names."""
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    return {run.info.run_name: run for run in client.search_runs([found.experiment_id])}


class TestMirror:
    def test_a_version_is_a_run_with_parameters_metrics_tags_and_files(
        self, registry: Registry, uri: str, client: "MlflowClient"
    ) -> None:
        assert Tracker(uri, registry).mirror("fish") == [one, two]
        found = runs(client, "fish")
        assert set(found) == {"fish/1", "fish/2"}
        run = found["fish/2"]
        assert run.info.status == "FINISHED"
        assert run.data.metrics == {"mae": 2.0}
        assert run.data.params["split.seed"] == "0"
        assert run.data.params["columns.größe _cm_"] == "number"
        assert run.data.params["long"] == "x" * 6000
        assert run.data.tags["sklearn-kserve.version"] == "2"
        assert run.data.tags["sklearn-kserve.snapshot.sha256"] == "2.0" * 20
        assert run.data.tags["sklearn-kserve.root"] == registry.root
        files = {file.path for file in client.list_artifacts(run.info.run_id)}
        assert files == {"manifest.json", "model.joblib", "run.json"}

    def test_aliases_follow(self, registry: Registry, uri: str, client: "MlflowClient") -> None:
        tracker = Tracker(uri, registry)
        tracker.mirror("fish")
        assert self.aliases(client) == {"champion": "1", "challenger": "2"}
        registry.move("fish", CHAMPION, two)
        registry.move("fish", CHALLENGER, registry.publish("fish", publish_fish))
        assert tracker.mirror("fish") == [three]
        assert self.aliases(client) == {"champion": "2", "challenger": "3"}
        registry.rollback("fish")
        assert tracker.mirror("fish") == []
        assert self.aliases(client) == {"champion": "1", "challenger": "3"}
        (Path(registry.root) / "fish" / "aliases.json").write_text("{}")
        tracker.mirror("fish")
        assert self.aliases(client) == {}

    @staticmethod
    def aliases(client: "MlflowClient") -> dict[str, str]:
        """Return the version of ours that each alias of MLflow's names."""
        numbers = client.get_registered_model("fish").aliases.items()
        return {
            alias: client.get_model_version("fish", str(number)).tags["sklearn-kserve.version"]
            for alias, number in numbers
        }

    def test_numbers_of_its_own_are_no_matter(self, registry: Registry, uri: str, client: "MlflowClient") -> None:
        client.create_registered_model("fish")
        client.create_model_version("fish", source=uri)
        Tracker(uri, registry).mirror("fish")
        assert {alias: str(number) for alias, number in client.get_registered_model("fish").aliases.items()} == {
            "champion": "2",
            "challenger": "3",
        }
        assert self.aliases(client) == {"champion": "1", "challenger": "2"}

    def test_another_root_with_the_same_name_has_versions_of_its_own(
        self, registry: Registry, uri: str, tmp_path: Path, client: "MlflowClient"
    ) -> None:
        Tracker(uri, registry).mirror("fish")
        other = Registry(tmp_path / "other")
        other.publish("fish", partial(publish_fish, answer=7.0))
        assert Tracker(uri, other, experiment="fishing").mirror("fish") == [one]
        assert client.get_experiment_by_name("fishing") is not None

    def test_of_a_model_without_versions_nothing_is_told(
        self, registry: Registry, uri: str, client: "MlflowClient"
    ) -> None:
        assert Tracker(uri, registry).mirror("bird") == []
        assert client.get_experiment_by_name("bird") is None

    def test_a_damaged_version_is_not_passed_on(self, registry: Registry, uri: str) -> None:
        (Path(registry.root) / "fish" / "1" / "model.joblib").write_bytes(b"another")
        with pytest.raises(UntrustedArtifact, match=r"fish/1/model.joblib has sha256"):
            Tracker(uri, registry).mirror("fish")

    def test_a_server_that_does_not_answer_is_a_sentence(
        self, registry: Registry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        with pytest.raises(TrackingError) as down:
            Tracker(NOBODY, registry).mirror("fish")
        assert str(down.value).startswith(f"MLflow at {NOBODY} could not be told of fish: ")
        assert str(down.value).endswith(
            "; the registry holds it all the same, and MLflow is told by the next run, or by: registry mirror."
        )

    def test_without_the_package_says_what_to_install(
        self, registry: Registry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "mlflow", None)
        with pytest.raises(
            TrackingError, match=r"the package mlflow is not installed; pip install 'sklearn-kserve\[ml"
        ):
            Tracker(NOBODY, registry).mirror("fish")

    def test_a_password_belongs_in_the_environment_and_is_not_repeated(self, registry: Registry) -> None:
        with pytest.raises(TrackingError, match="they belong in MLFLOW_TRACKING_USERNAME and MLFLOW_TR") as caught:
            Tracker("https://ada:secret@mlflow", registry)
        assert "secret" not in str(caught.value)

    def test_by_hand(self, registry: Registry, uri: str, capsys: pytest.CaptureFixture[str]) -> None:
        command = ["registry", "mirror", "fish", "--root", registry.root, "--mlflow", uri]
        assert main(command) == 0
        assert capsys.readouterr().out == f"{uri} was told of fish/1, fish/2\n"
        assert main(command) == 0
        assert capsys.readouterr().out == f"{uri} was told of no version that is new\n"


class TestRun:
    def test_what_is_published_and_promoted_is_told(self, project: Project, uri: str, client: "MlflowClient") -> None:
        project.write_config(tracking={"mlflow": uri})
        assert project.train().code == 0
        (run,) = runs(client, "fruit").values()
        assert run.data.params["target"] == "kind"
        assert run.data.tags["sklearn-kserve.decision"] == "accepted"
        assert client.get_model_version_by_alias("fruit", "champion").tags["sklearn-kserve.version"] == "1"

    def test_of_a_run_it_is_told_once(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        told: list[str] = []
        monkeypatch.setattr(Tracker, "mirror", lambda tracker, name: told.append(name))
        project.write_config(tracking={"mlflow": NOBODY})
        assert project.train().code == 0
        assert told == ["fruit"]

    def test_what_was_published_is_told_though_it_is_not_promoted(
        self, project: Project, uri: str, client: "MlflowClient", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        move = Registry.move

        def broken(registry: Registry, name: str, alias: str, *args: Any, **settings: Any) -> Any:
            if alias == CHAMPION:
                raise RegistryError
            return move(registry, name, alias, *args, **settings)

        monkeypatch.setattr(Registry, "move", broken)
        project.write_config(tracking={"mlflow": uri})
        assert project.train().code == 1
        assert client.get_model_version_by_alias("fruit", "challenger").tags["sklearn-kserve.version"] == "1"

    def test_a_tracker_that_is_down_loses_no_version_and_is_told_later(
        self, project: Project, uri: str, client: "MlflowClient", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        project.write_config(tracking={"mlflow": NOBODY})
        result = project.train()
        assert (result.code, project.versions()) == (0, ["1"])
        assert f"MLflow at {NOBODY} could not be told of fruit" in result.err
        assert Registry(project.root).aliases("fruit") == {"champion": "1", "challenger": "1"}
        project.write_config(tracking={"mlflow": uri})
        assert project.train().code == 0
        assert project.versions() == ["1"]
        assert client.get_model_version_by_alias("fruit", "champion").tags["sklearn-kserve.version"] == "1"

    def test_one_that_is_required_fails_the_run_and_loses_no_version(
        self, project: Project, uri: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        project.write_config(tracking={"mlflow": NOBODY, "required": True})
        result = project.train()
        assert (result.code, project.versions()) == (1, ["1"])
        assert "the registry holds it all the same" in result.sentence
        project.write_config(tracking={"mlflow": uri, "required": True})
        assert project.train().code == 0
        assert (project.versions(), Registry(project.root).aliases("fruit")["champion"]) == (["1"], "1")
