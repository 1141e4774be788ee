"""One loaded version: it answers as recorded, or not at all."""

import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from model import servable as module
from model.artifact import LoadPolicy, publish
from model.errors import ArtifactError, InvalidInput, ServingError
from model.servable import Servable, load_servable, warmed_up
from model.tensors import RequestedOutput

POLICY = LoadPolicy()
Clock = dict[tuple[str, int], float]
"""Seconds by method and rows."""


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published classifier of a string and a number."""
    X = pd.DataFrame({"place": ["north", "south"] * 10, "height": np.linspace(0, 1, 20)})
    columns = make_column_transformer((OneHotEncoder(), ["place"]), remainder="passthrough")
    model = make_pipeline(columns, LogisticRegression()).fit(X, np.arange(20) % 2)
    return publish(model, X, name="places", root=tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published classifier of two unnamed numbers."""
    X = np.random.default_rng(1).normal(size=(20, 2))
    return publish(LogisticRegression().fit(X, X[:, 0] > 0), X, name="points", root=tmp_path_factory.mktemp("models"))


@pytest.fixture
def servable(places: Path) -> Servable:
    return load_servable(places, "places", POLICY)


def outputs(servable: Servable, *names: str) -> Any:
    return servable.outputs.select([RequestedOutput(name) for name in names])


class TestItsName:
    def test_is_the_operators_and_its_version_the_manifests(self, places: Path) -> None:
        servable = load_servable(places, "mine", POLICY)
        assert (servable.name, servable.version, servable.platform) == ("mine", "1", "sklearn_joblib")
        assert servable.signature is servable.artifact.signature

    def test_is_without_a_version_where_nothing_tells_one(self, tmp_path: Path) -> None:
        (tmp_path / "model.pkl").write_bytes(pickle.dumps(LogisticRegression().fit([[0.0], [1.0]], [0, 1])))
        servable = load_servable(tmp_path, "bare", POLICY)
        assert (servable.version, servable.platform) == ("", "sklearn_pickle")
        assert servable.inline_rows == {}, "without golden rows there is nothing to measure it by"

    def test_has_the_directorys_version_and_the_manifest_agrees(self, places: Path) -> None:
        assert load_servable(places, "places", POLICY, version="1").version == "1"
        with pytest.raises(ArtifactError, match=r"holds version 1 by its manifest; expected version 2, as the dir"):
            load_servable(places, "places", POLICY, version="2")


class TestItsDefaultOutput:
    def test_is_the_first(self, servable: Servable) -> None:
        assert [output.name for output in outputs(servable)] == ["predict"]

    def test_is_what_the_operator_says(self, places: Path) -> None:
        servable = load_servable(places, "places", POLICY, default_output="predict_proba")
        assert [output.name for output in outputs(servable)] == ["predict_proba"]


class TestGoldenRows:
    def changed(self, source: Path, target: Path, change: Callable[[dict[str, Any]], object]) -> Path:
        shutil.copytree(source, target)
        document = json.loads((target / "manifest.json").read_bytes())
        change(document["golden"])
        (target / "manifest.json").write_text(json.dumps(document))
        return target

    def test_that_are_answered_otherwise_refuse_it(self, places: Path, tmp_path: Path) -> None:
        def flip(golden: dict[str, Any]) -> None:
            golden["outputs"][0]["data"] = [1 - label for label in golden["outputs"][0]["data"]]

        directory = self.changed(places, tmp_path / "1", flip)
        with pytest.raises(ArtifactError, match="version 1 answers its golden rows with other values in 'predict' th"):
            load_servable(directory, "places", POLICY)

    def test_that_differ_in_the_last_bits_do_not(self, places: Path, tmp_path: Path) -> None:
        def nudge(golden: dict[str, Any]) -> None:
            (item,) = [item for item in golden["outputs"] if item["name"] == "predict_proba"]
            item["data"] = [value * (1 + 1e-9) for value in item["data"]]

        assert load_servable(self.changed(places, tmp_path / "1", nudge), "places", POLICY).version == "1"

    def test_without_recorded_answers_only_have_to_be_answered(self, servable: Servable) -> None:
        golden = servable.artifact.golden
        assert golden is not None
        silent = replace(servable.artifact, golden=golden.model_copy(update={"outputs": ()}))
        assert warmed_up(replace(servable, artifact=silent)).inline_rows.keys() == servable.inline_rows.keys()

    def test_that_the_estimator_fails_on_refuse_it(self, servable: Servable) -> None:
        broken = replace(servable, engine=Engine(ZeroDivisionError()))
        with pytest.raises(ServingError):
            warmed_up(broken)


class Engine:
    """Raises instead of answering."""

    name = "test"

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def run(self, table: Any, methods: Any) -> dict[str, Any]:
        raise self._error


class TestItsSpeed:
    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> Clock:
        """Seconds that a run is measured to take; a microsecond where nothing is said."""
        seconds: Clock = {}

        def measured(servable: Servable, table: Any, output: Any) -> float:
            servable.run(table, [output])
            return seconds.get((output.method, len(table)), 1e-6)

        monkeypatch.setattr(module, "_seconds", measured)
        return seconds

    @pytest.mark.parametrize("name", ["places", "points"])
    @pytest.mark.usefixtures("clock")
    def test_lets_what_is_short_run_on_the_event_loop(self, request: pytest.FixtureRequest, name: str) -> None:
        servable = load_servable(request.getfixturevalue(name), name, POLICY)
        assert servable.inline_rows["predict"] == 64
        assert servable.short_rows(outputs(servable)) == 64

    def test_is_measured_by_method_and_rows(self, points: Path, clock: Clock) -> None:
        clock |= {("predict_proba", 16): 1.0, ("decision_function", 1): 1.0}
        servable = load_servable(points, "points", POLICY)
        assert servable.inline_rows["predict"] == 64
        assert servable.inline_rows["predict_proba"] == 4
        assert servable.inline_rows["decision_function"] == 0
        assert servable.short_rows(outputs(servable, "predict_proba")) == 4
        assert servable.short_rows(outputs(servable, "decision_function")) == 0

    @pytest.mark.usefixtures("clock")
    def test_is_not_trusted_for_several_methods_at_once(self, points: Path) -> None:
        servable = load_servable(points, "points", POLICY)
        assert servable.short_rows(outputs(servable, "predict", "predict_proba")) == 0

    def test_is_really_measured(self, points: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "INLINE_SECONDS", 60.0)
        assert set(load_servable(points, "points", POLICY).inline_rows.values()) == {64}
        monkeypatch.setattr(module, "INLINE_SECONDS", 0.0)
        assert set(load_servable(points, "points", POLICY).inline_rows.values()) == {0}


class Centred(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Takes the mean of the rows it is asked for from them, so that an answer depends on the neighbours."""

    def fit(self, X: Any, y: Any = None) -> "Centred":
        self.fitted_ = True
        return self

    def transform(self, X: Any) -> Any:
        return X - X.mean(axis=0)


class TestItsBatches:
    def test_may_be_of_several_requests(self, points: Path, places: Path) -> None:
        for name, directory in (("points", points), ("places", places)):
            servable = load_servable(directory, name, POLICY)
            assert servable.joinable

    def test_may_not_where_answers_depend_on_the_neighbours(self, tmp_path: Path) -> None:
        X = np.random.default_rng(3).normal(size=(20, 2))
        directory = publish(
            make_pipeline(Centred(), LogisticRegression()).fit(X, X[:, 0] > 0), X, name="m", root=tmp_path
        )
        assert not load_servable(directory, "m", POLICY).joinable

    def test_may_not_where_nothing_has_shown_it(self, tmp_path: Path) -> None:
        (tmp_path / "model.pkl").write_bytes(pickle.dumps(LogisticRegression().fit([[0.0], [1.0]], [0, 1])))
        assert load_servable(tmp_path, "bare", POLICY).joinable is False

    def test_may_not_where_the_rows_to_try_are_all_the_same(self, tmp_path: Path) -> None:
        X = np.ones((20, 2))
        directory = publish(LogisticRegression().fit(X, np.arange(20) % 2), X, name="m", root=tmp_path)
        assert load_servable(directory, "m", POLICY).joinable is False


class TestRunning:
    def test_gives_the_answers_by_method(self, servable: Servable) -> None:
        table = pd.DataFrame({"place": ["north", "south"], "height": [0.5, 0.5]})
        answers = servable.run(table, outputs(servable, "predict", "predict_proba"))
        estimator = servable.artifact.estimator
        assert answers["predict"].tolist() == estimator.predict(table).tolist()
        assert np.array_equal(answers["predict_proba"], estimator.predict_proba(table))

    def test_blames_the_client_where_the_table_explains_it(self, servable: Servable) -> None:
        table = pd.DataFrame({"place": ["Mars"], "height": [0.5]})
        with pytest.raises(InvalidInput, match="Column 'place' has 'Mars' in row 0, which this model's encoder ref"):
            servable.run(table, outputs(servable))

    @pytest.mark.parametrize(
        "error", [KeyError("secret"), ValueError("secret"), SystemExit("secret"), KeyboardInterrupt("secret")]
    )
    def test_blames_the_model_otherwise_without_its_words(self, servable: Servable, error: BaseException) -> None:
        broken = replace(servable, engine=Engine(error))
        table = pd.DataFrame({"place": ["north"], "height": [0.5]})
        with pytest.raises(ServingError) as caught:
            broken.run(table, outputs(servable))
        assert str(caught.value) == "Model 'places' failed on this input; the server's log has the cause."
        assert caught.value.__cause__ is error


def test_a_model_that_only_transforms_is_served(tmp_path: Path) -> None:
    X = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    directory = publish(FunctionTransformer(np.negative).fit(X), X, name="negative", root=tmp_path)
    servable = load_servable(directory, "negative", POLICY)
    assert servable.run(X, outputs(servable))["transform"].to_numpy().tolist() == [[-1.0, -3.0], [-2.0, -4.0]]
