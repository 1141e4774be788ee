"""Whatever is done to a model's directory, in whatever order: what answered goes on, and the right version does."""

import json
import shutil
import tempfile
from pathlib import Path

import joblib
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sklearn.dummy import DummyRegressor

from model.artifact import LoadPolicy, publish
from model.metrics import Metrics
from model.repository import ModelRepository
from model.servable import Servable, load_servable
from tests.reliability.parts import Malice

VERSIONS = ("1", "2", "3", "4", "5", "6")
MOST = 2
versions = st.sampled_from(VERSIONS)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions that answer their number."""
    root = tmp_path_factory.mktemp("published")
    X = np.arange(6.0).reshape(6, 1)
    for version in VERSIONS:
        estimator = DummyRegressor(strategy="constant", constant=float(version)).fit(X, X[:, 0])
        publish(estimator, X, name="fish", root=root, accelerate=False)
    return root / "fish"


def load(directory: Path, name: str, version: str) -> Servable:
    return load_servable(directory, name, LoadPolicy(), version=version)


class Operator(RuleBasedStateMachine):
    """Publishes, breaks and deletes versions, moves the alias, and has the repository look now and then."""

    published: Path

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.directory = self.root / "fish"
        self.marker = self.root / "marker"
        self.directory.mkdir()
        self.good: dict[str, bool] = {}
        self.champion: str | None = None
        self.started = False
        self.repository = ModelRepository({"fish": self.directory}, load, Metrics(), max_versions=MOST)

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    @initialize(version=versions)
    def start(self, version: str) -> None:
        self.publish(version)
        assert self.repository.load("fish")
        self.started = True

    @rule(version=versions)
    def publish(self, version: str) -> None:
        """Put a good version in place, also of what is there."""
        shutil.rmtree(self.directory / version, ignore_errors=True)
        shutil.copytree(self.published / version, self.directory / version, copy_function=shutil.copy)
        self.good[version] = True

    @rule(version=versions)
    def forge(self, version: str) -> None:
        """Publish a version whose estimator is none that its manifest vouches for."""
        self.publish(version)
        joblib.dump(Malice(self.marker), self.directory / version / "model.joblib")
        self.good[version] = False

    @rule(version=versions, size=st.integers(0, 100))
    def truncate(self, version: str, size: int) -> None:
        if version in self.good:
            with (self.directory / version / "model.joblib").open("r+b") as file:
                file.truncate(size)
            self.good[version] = False

    @rule(version=versions)
    def delete(self, version: str) -> None:
        if version in self.good:
            shutil.rmtree(self.directory / version)
            del self.good[version]

    @rule(version=st.none() | versions)
    def promote(self, version: str | None) -> None:
        (self.directory / "aliases.json").write_text(json.dumps({"champion": version}))
        self.champion = version

    @rule()
    def look(self) -> None:
        before = self.default()
        self.repository.refresh("fish")
        if self.champion in self.versions():
            assert self.default() == self.champion
        elif self.champion is not None and before in self.versions():
            assert self.default() == before, "a champion that does not answer moves nothing"

    @rule()
    def settle(self) -> None:
        """Look until nothing is left to do; then what is loaded follows from what lies there."""
        for _ in range(3):
            self.look()
        kept = self.versions()
        able = [v for v in sorted(self.good, key=int, reverse=True) if self.good[v] or v in kept]
        if able and self.champion in {None, *able}:
            assert set(kept) == {*able[:MOST]} | ({self.champion} & {*able})
            assert self.default() == (self.champion or able[0])

    def default(self) -> str:
        return self.repository.select("fish").version

    def versions(self) -> list[str]:
        return [servable.version for servable in self.repository.servables()]

    @invariant()
    def what_answers_is_what_it_says(self) -> None:
        for servable in self.repository.servables():
            assert servable.artifact.estimator.constant == float(servable.version)
            assert servable.artifact.verified

    @invariant()
    def a_model_that_answered_answers(self) -> None:
        assert not self.started or self.repository.all_ready()

    @invariant()
    def nothing_is_unpickled_that_nobody_vouches_for(self) -> None:
        assert not self.marker.exists()


def test_whatever_an_operator_does_the_right_version_answers(published: Path) -> None:
    Operator.published = published
    run_state_machine_as_test(
        Operator,
        settings=settings(
            max_examples=50,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
