"""Which versions of a model are loaded, which one answers, and why another does not."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor
from structlog.testing import capture_logs

from model.artifact import LoadPolicy
from model.errors import ArtifactError, NotFound, NotReady
from model.metrics import Metrics
from model.repository import Loader, ModelRepository, ModelState, State
from model.servable import Servable, load_servable


def write(directory: Path, constant: float = 0.0) -> None:
    """Write an artifact without a manifest."""
    directory.mkdir(parents=True, exist_ok=True)
    X = np.zeros((2, 1))
    estimator = DummyRegressor(strategy="constant", constant=constant).fit(X, [0, 0])
    (directory / "model.pkl").write_bytes(pickle.dumps(estimator))


def spoil(directory: Path) -> None:
    (directory / "model.pkl").write_bytes(b"no pickle")


def load(directory: Path, name: str, version: str) -> Servable:
    return load_servable(directory, name, LoadPolicy(), version=version or None)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for version in (1, 2, 10):
        write(tmp_path / "fish" / str(version), version)
    write(tmp_path / "bare")
    return tmp_path


def repository_of(
    directories: Mapping[str, Path], loader: Loader = load, metrics: Metrics | None = None, max_versions: int = 3
) -> ModelRepository:
    return ModelRepository(directories, loader, metrics or Metrics(), max_versions=max_versions)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def repository(root: Path, metrics: Metrics) -> ModelRepository:
    return repository_of({name: root / name for name in ("fish", "bare")}, metrics=metrics)


@pytest.fixture
def loaded(repository: ModelRepository) -> ModelRepository:
    for name in repository:
        assert repository.load(name)
    return repository


def states(repository: ModelRepository) -> list[tuple[str, str, State]]:
    return [(line.name, line.version, line.state) for line in repository.index()]


class TestBeforeItIsLoaded:
    def test_a_model_is_named_and_loading(self, repository: ModelRepository) -> None:
        assert list(repository) == ["fish", "bare"]
        assert states(repository) == [("fish", "", State.LOADING), ("bare", "", State.LOADING)]
        assert repository.servables() == []

    def test_nothing_is_ready(self, repository: ModelRepository) -> None:
        assert not repository.ready("fish")
        assert not repository.all_ready()

    @pytest.mark.parametrize("version", ["", "1"])
    def test_a_request_is_told_to_come_back(self, repository: ModelRepository, version: str) -> None:
        with pytest.raises(NotReady, match=r"^Model 'fish' is loading; try again later\.$"):
            repository.select("fish", version)


class TestLoaded:
    def test_the_newest_version_answers_in_numeric_order(self, loaded: ModelRepository) -> None:
        assert loaded.select("fish").version == "10"
        assert [servable.version for servable in loaded.servables("fish")] == ["1", "2", "10"]

    def test_a_version_answers_by_its_number(self, loaded: ModelRepository) -> None:
        assert loaded.select("fish", "2").artifact.estimator.constant == 2.0

    def test_an_artifact_without_versions_answers_without_one(self, loaded: ModelRepository) -> None:
        assert loaded.select("bare").version == ""
        with pytest.raises(NotFound, match=r"^Model 'bare' has no version '1'; expected none\.$"):
            loaded.select("bare", "1")

    def test_what_there_is_not_is_not_found(self, loaded: ModelRepository) -> None:
        with pytest.raises(NotFound, match=r"^Model 'bird' is unknown; expected one of 'fish', 'bare'\.$"):
            loaded.select("bird")
        with pytest.raises(NotFound, match=r"^Model 'fish' has no version '3'; expected one of '1', '2', '10'\.$"):
            loaded.ready("fish", "3")
        for method in (loaded.load, loaded.unload, loaded.servables):
            with pytest.raises(NotFound):
                method("bird")

    def test_everything_is_ready(self, loaded: ModelRepository) -> None:
        assert loaded.all_ready()
        assert loaded.ready("fish", "1")
        assert states(loaded)[-1] == ("bare", "", State.READY)
        assert len(loaded.servables()) == 4

    def test_no_model_at_all_is_not_ready(self) -> None:
        assert not repository_of({}).all_ready()


class TestTheAlias:
    def test_names_the_version_that_answers(self, repository: ModelRepository, root: Path) -> None:
        (root / "fish" / "aliases.json").write_text('{"champion": 2}')
        repository.load("fish")
        assert repository.select("fish").version == "2"

    @pytest.mark.parametrize(("text", "event"), [('{"champion": 5}', "the alias names a version"), ("{", "aliases")])
    def test_that_is_of_no_use_leaves_it_to_the_newest(
        self, repository: ModelRepository, root: Path, text: str, event: str
    ) -> None:
        (root / "fish" / "aliases.json").write_text(text)
        with capture_logs() as log:
            repository.load("fish")
        assert repository.select("fish").version == "10"
        (line,) = [line for line in log if line["log_level"] == "error"]
        assert line["event"].startswith(event)


class TestABadVersion:
    @pytest.fixture(autouse=True)
    def _bad(self, root: Path) -> None:
        spoil(root / "fish" / "10")

    def test_is_reported_and_the_next_one_answers(self, repository: ModelRepository) -> None:
        assert repository.load("fish")
        assert repository.ready("fish")
        assert repository.select("fish").version == "2"
        assert states(repository)[:3] == [
            ("fish", "1", State.READY),
            ("fish", "2", State.READY),
            ("fish", "10", State.UNAVAILABLE),
        ]
        assert "can't be loaded" in repository.index()[2].reason

    def test_is_there_but_not_ready(self, repository: ModelRepository) -> None:
        repository.load("fish")
        assert not repository.ready("fish", "10")
        with pytest.raises(NotReady, match="version 10 is not ready; the repository index has the reason"):
            repository.select("fish", "10")

    def test_alone_makes_the_model_unready(self, repository: ModelRepository, root: Path) -> None:
        for version in ("1", "2"):
            spoil(root / "fish" / version)
        assert not repository.load("fish")
        repository.load("bare")
        assert not repository.all_ready()
        with pytest.raises(NotReady, match="has no version that is ready; the repository index has the reasons"):
            repository.select("fish")

    def test_is_logged_with_the_reason(self, repository: ModelRepository) -> None:
        with capture_logs() as log:
            repository.load("fish")
        (line,) = [line for line in log if line["event"] == "version refused"]
        assert (line["model"], line["version"]) == ("fish", "10")
        assert "can't be loaded" in line["reason"]

    @pytest.mark.parametrize("error", [ZeroDivisionError("a secret"), SystemExit("a secret")])
    def test_may_fail_in_any_way(self, root: Path, error: BaseException) -> None:
        def fail(directory: Path, name: str, version: str) -> Servable:
            if version == "10":
                raise error
            return load(directory, name, version)

        repository = repository_of({"fish": root / "fish"}, fail)
        with capture_logs() as log:
            assert repository.load("fish")
        state = ModelState("fish", "10", State.UNAVAILABLE, "Loading failed; the server's log has the cause.")
        assert repository.index()[2] == state
        assert [line["event"] for line in log if line["log_level"] == "error"] == ["version failed to load"]


class TestLoadedAnew:
    def test_a_new_version_answers(self, loaded: ModelRepository, root: Path) -> None:
        write(root / "fish" / "11", 11)
        assert loaded.load("fish")
        assert loaded.select("fish").version == "11"

    def test_a_version_that_has_gone_answers_no_longer(self, loaded: ModelRepository, root: Path) -> None:
        (root / "fish" / "10").rename(root / "elsewhere")
        assert loaded.load("fish")
        assert loaded.select("fish").version == "2"
        with pytest.raises(NotFound):
            loaded.select("fish", "10")

    def test_a_version_that_was_damaged_goes_on_as_it_was(self, loaded: ModelRepository, root: Path) -> None:
        before = loaded.select("fish", "2")
        spoil(root / "fish" / "2")
        assert loaded.load("fish")
        assert loaded.select("fish", "2") is before
        assert [servable.version for servable in loaded.servables("fish")] == ["1", "2", "10"]
        (line,) = [line for line in loaded.index() if line.version == "2"]
        assert line.state is State.READY
        assert "can't be loaded" in line.reason

    def test_a_damaged_artifact_goes_on_as_it_was(self, loaded: ModelRepository, root: Path) -> None:
        before = loaded.select("bare")
        spoil(root / "bare")
        assert not loaded.load("bare")
        assert loaded.select("bare") is before

    def test_a_directory_that_cannot_be_listed_leaves_all_as_it_was(
        self, loaded: ModelRepository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(directory: Path) -> dict[str, Path]:
            raise ArtifactError(f"{directory.name} can't be listed: input/output error; mend its disk.")

        monkeypatch.setattr("model.survey.version_directories", fail)
        assert not loaded.load("fish")
        assert loaded.select("fish").version == "10"
        line = loaded.index()[3]
        assert (line.version, line.state) == ("", State.UNAVAILABLE)
        assert line.reason.startswith("fish can't be listed")

    def test_an_artifact_that_has_its_version_from_a_manifest_goes_on_as_it_was(self, root: Path) -> None:
        answers = [load(root / "fish" / "2", "fish", "2")]

        def once(*_: object) -> Servable:
            if not answers:
                raise ArtifactError("Damaged.")
            return answers.pop()

        repository = repository_of({"fish": root / "bare"}, once)
        assert repository.load("fish")
        assert not repository.load("fish")
        assert repository.select("fish").version == "2"


class TestUnloaded:
    def test_a_model_answers_no_longer(self, loaded: ModelRepository) -> None:
        loaded.unload("fish")
        with pytest.raises(NotReady, match=r"^Model 'fish' is unloaded\.$"):
            loaded.select("fish")
        assert ModelState("fish", "", State.UNAVAILABLE, "Unloaded.") in loaded.index()
        assert loaded.servables("fish") == []

    def test_a_model_keeps_nobody_from_being_ready(self, loaded: ModelRepository) -> None:
        loaded.unload("fish")
        assert loaded.all_ready()
        loaded.unload("bare")
        assert not loaded.all_ready()

    def test_a_model_can_be_loaded_again(self, loaded: ModelRepository) -> None:
        loaded.unload("fish")
        assert loaded.load("fish")
        assert loaded.select("fish").version == "10"


def test_a_directory_without_versions_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    repository = repository_of({"empty": tmp_path / "empty"})
    assert not repository.load("empty")
    assert repository.index() == [ModelState("empty", "", State.UNAVAILABLE, "No version in empty.")]


def test_warnings_of_an_artifact_are_logged(repository: ModelRepository) -> None:
    with capture_logs() as log:
        repository.load("bare")
    (line,) = [line for line in log if line["log_level"] == "warning"]
    assert "nothing vouches for it" in line["event"]
    assert line["model"] == "bare"
