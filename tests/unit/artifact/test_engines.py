"""The engine of a version: vouched for, verified before it runs, and done without where its runtime is missing."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.pipeline import Pipeline

from model.artifact import LoadPolicy, accelerate_version, load, publish, read_manifest, verify
from model.engine.acceleration import Accelerated
from model.errors import ArtifactError, InvalidInput, UntrustedArtifact
from model.servable import Servable, load_servable
from model.tensors import InferRequest
from tests.unit.signature.sending import tensor

# The logarithm of a probability of 0 is what scikit-learn answers.
pytestmark = pytest.mark.filterwarnings("ignore:divide by zero encountered in log:RuntimeWarning")

X = np.random.default_rng(3).normal(size=(60, 3))
FOREST = RandomForestClassifier(3, random_state=0).fit(X, X[:, 0] > 0)


@pytest.fixture(scope="module")
def _accelerated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish(FOREST, X, name="forest", root=tmp_path_factory.mktemp("engines"))


@pytest.fixture
def accelerated(_accelerated: Path, tmp_path: Path) -> Path:
    return shutil.copytree(_accelerated, tmp_path / "forest" / "1")


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return publish(FOREST, X, name="forest", root=tmp_path / "plain", accelerate=False)


def served(directory: Path) -> Servable:
    return load_servable(directory, "forest", LoadPolicy(require_manifest=True))


class TestPublished:
    def test_its_file_and_what_it_was_held_to_are_in_the_manifest(self, accelerated: Path) -> None:
        manifest = read_manifest(accelerated)
        assert sorted(manifest.files) == ["model.joblib", "model.onnx"]
        assert manifest.engine is not None
        assert (manifest.engine.name, manifest.engine.file) == ("onnx", "model.onnx")
        assert manifest.engine.methods == ("predict", "predict_proba", "predict_log_proba")
        assert manifest.engine.made_with.keys() == {"onnx", "onnxruntime"}
        assert manifest.engine.parity is not None
        assert manifest.engine.parity.rows["split"] > 0
        assert verify(accelerated).verified

    def test_it_answers_as_the_estimator(self, accelerated: Path) -> None:
        servable = served(accelerated)
        assert servable.engine.name == "onnx"
        table = servable.inputs.decode(InferRequest("", "", [tensor("x", "FP64", X, (60, 3))]))
        np.testing.assert_array_equal(servable.run(table, servable.outputs.select([]))["predict"], FOREST.predict(X))

    def test_without_one_a_manifest_says_nothing(self, plain: Path) -> None:
        assert read_manifest(plain).engine is None
        assert served(plain).engine.name == "sklearn"

    def test_a_manifest_from_before_there_were_engines_is_read(self, plain: Path) -> None:
        document = json.loads((plain / "manifest.json").read_text())
        del document["engine"]
        (plain / "manifest.json").write_text(json.dumps(document))
        assert served(plain).engine.name == "sklearn"

    def test_an_engine_that_the_golden_rows_do_not_confirm_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from model.artifact.golden import check_engine as real

        tried: list[str] = []

        def check(engine: Any, *rest: Any) -> None:
            tried.append(engine.name)
            if engine.name == "onnx":
                raise ArtifactError("'predict' of the golden rows differs from what was recorded.")
            real(engine, *rest)

        monkeypatch.setattr("model.artifact.acceleration.check_engine", check)
        engine = read_manifest(publish(FOREST, X, name="m", root=tmp_path)).engine
        assert tried == ["onnx", "treelite"]
        assert engine is not None
        assert engine.name == "treelite"
        assert engine.refused == {"onnx": "'predict' of the golden rows differs from what was recorded"}


class TestMixedColumns:
    @pytest.fixture
    def servable(self, pipeline: Pipeline, sample: pd.DataFrame, tmp_path: Path) -> Servable:
        return served(publish(pipeline, sample, name="forest", root=tmp_path))

    def rows(self, *islands: str | None) -> InferRequest:
        count = len(islands)
        tensors = [
            tensor("length", "FP64", [41.5] * count),
            tensor("count", "INT64", [3] * count),
            tensor("island", "BYTES", list(islands)),
        ]
        return InferRequest("", "", tensors)

    def test_are_answered_without_a_frame(self, servable: Servable, pipeline: Pipeline) -> None:
        table = servable.inputs.decode(self.rows("Dream", None))
        assert isinstance(table, np.ndarray)
        answers = servable.engine.run(table, ["predict_proba", "predict"])
        frame = pd.DataFrame({"length": [41.5] * 2, "count": [3, 3], "island": ["Dream", np.nan]})
        np.testing.assert_allclose(answers["predict_proba"], pipeline.predict_proba(frame), rtol=1e-12)
        assert answers["predict"].tolist() == pipeline.predict(frame).tolist()
        assert answers["predict"].dtype == pipeline.predict(frame).dtype

    def test_with_a_value_never_seen_are_answered_by_the_estimator(
        self, servable: Servable, pipeline: Pipeline
    ) -> None:
        table = servable.inputs.decode(self.rows("Dream", "Torgersen"))
        assert isinstance(table, pd.DataFrame)
        answers = servable.engine.run(table, ["predict_proba"])
        np.testing.assert_array_equal(answers["predict_proba"], pipeline.predict_proba(table))

    def test_a_refusal_names_the_column(self, sample: pd.DataFrame, tmp_path: Path) -> None:
        from sklearn.compose import make_column_transformer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OneHotEncoder
        from sklearn.tree import DecisionTreeClassifier

        columns = make_column_transformer((OneHotEncoder(), ["island"]), ("passthrough", ["count"]))
        rows = sample[["count", "island"]].dropna()
        strict = make_pipeline(columns, DecisionTreeClassifier(random_state=0)).fit(rows, rows["count"] > 4)
        servable = served(publish(strict, rows, name="forest", root=tmp_path))
        assert servable.engine.name == "onnx"
        sent = InferRequest("", "", [tensor("count", "INT64", [1]), tensor("island", "BYTES", ["Mars"])])
        outputs = servable.outputs.select([])
        with pytest.raises(
            InvalidInput, match="Column 'island' has 'Mars' in row 0, which this model's encoder refuses"
        ):
            servable.run(servable.inputs.decode(sent), outputs)


class TestTrust:
    def test_a_file_that_was_replaced_is_refused(self, accelerated: Path) -> None:
        content = (accelerated / "model.onnx").read_bytes()
        (accelerated / "model.onnx").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        for refuse in (verify, served):
            with pytest.raises(UntrustedArtifact, match=r"model\.onnx has sha256 .* it was damaged or replaced"):
                refuse(accelerated)

    def test_a_file_that_is_missing_is_refused(self, accelerated: Path) -> None:
        (accelerated / "model.onnx").unlink()
        with pytest.raises(UntrustedArtifact, match=r"model\.onnx is missing"):
            served(accelerated)

    def test_a_file_that_nothing_vouches_for_is_refused(self, accelerated: Path) -> None:
        document = json.loads((accelerated / "manifest.json").read_text())
        del document["files"]["model.onnx"]
        (accelerated / "manifest.json").write_text(json.dumps(document))
        with pytest.raises(UntrustedArtifact, match=r"the engine's file 'model\.onnx' is not among the files"):
            read_manifest(accelerated)

    def test_wrong_answers_to_the_golden_rows_keep_a_version_from_serving(
        self, accelerated: Path, tmp_path: Path
    ) -> None:
        import hashlib

        other = publish(
            RandomForestClassifier(3, random_state=1).fit(X, X[:, 1] > 0.5), X, name="other", root=tmp_path / "other"
        )
        shutil.copy(other / "model.onnx", accelerated / "model.onnx")
        document = json.loads((accelerated / "manifest.json").read_text())
        document["files"]["model.onnx"] = hashlib.sha256((other / "model.onnx").read_bytes()).hexdigest()
        (accelerated / "manifest.json").write_text(json.dumps(document))
        with pytest.raises(ArtifactError, match="answers its golden rows with other values"):
            served(accelerated)


class TestRuntime:
    def test_that_is_missing_is_warned_about_and_scikit_learn_serves(
        self, accelerated: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
        (warning,) = load(accelerated, policy=LoadPolicy()).warnings
        assert "model.onnx needs onnxruntime, which is not installed here, so that scikit-learn answers" in warning
        assert "sklearn-kserve[onnx]" in warning
        assert served(accelerated).engine.name == "sklearn"

    def test_that_can_not_run_the_file_is_warned_about(
        self, accelerated: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def session(*_: Any) -> Any:
            raise RuntimeError("opset 21 is under development")

        monkeypatch.setattr("model.engine.onnx.session", session)
        (warning,) = load(accelerated, policy=LoadPolicy()).warnings
        assert "can't be run by the onnxruntime that is installed here (opset 21 is under development)" in warning
        assert served(accelerated).engine.name == "sklearn"


class TestAccelerate:
    def test_gives_a_version_the_engine_that_publishing_would_have(self, plain: Path) -> None:
        manifest = accelerate_version(plain)
        assert manifest == read_manifest(plain)
        assert sorted(manifest.files) == ["model.joblib", "model.onnx"]
        assert served(plain).engine.name == "onnx"
        assert sorted(path.name for path in plain.iterdir()) == ["manifest.json", "model.joblib", "model.onnx"]

    def test_again_changes_nothing(self, plain: Path) -> None:
        accelerate_version(plain)
        before = {path.name: path.read_bytes() for path in plain.iterdir()}
        accelerate_version(plain)
        assert {path.name: path.read_bytes() for path in plain.iterdir()} == before

    def test_by_another_engine_replaces_the_file(self, plain: Path) -> None:
        accelerate_version(plain)
        manifest = accelerate_version(plain, ["treelite"])
        assert sorted(manifest.files) == ["model.joblib", "model.treelite"]
        assert not (plain / "model.onnx").exists()
        assert served(plain).engine.name == "treelite"

    def test_a_stray_file_of_that_name_is_left_alone(self, plain: Path) -> None:
        (plain / "model.onnx").write_bytes(b"somebody's")
        manifest = accelerate_version(plain)
        assert manifest.engine is not None
        assert str(manifest.engine.file).startswith("model.")
        assert manifest.engine.file != "model.onnx"
        assert (plain / "model.onnx").read_bytes() == b"somebody's"
        assert served(plain).engine.name == "onnx"

    def test_where_nothing_is_found_the_manifest_says_why(self, tmp_path: Path) -> None:
        from sklearn.multioutput import ClassifierChain
        from sklearn.naive_bayes import GaussianNB

        chain = ClassifierChain(GaussianNB()).fit(X, (X[:, :2] > 0).astype(int))
        version = publish(chain, X, name="m", root=tmp_path, accelerate=False)
        engine = accelerate_version(version).engine
        assert engine is not None
        assert engine.name == "sklearn"
        assert "there is no graph for sklearn.multioutput.ClassifierChain" in engine.refused["onnx"]
        assert sorted(path.name for path in version.iterdir()) == ["manifest.json", "model.joblib"]

    def test_a_version_that_does_not_verify_is_left_alone(self, plain: Path) -> None:
        (plain / "model.joblib").write_bytes(b"")
        with pytest.raises(UntrustedArtifact, match="was damaged or replaced"):
            accelerate_version(plain)

    def test_stopped_half_way_the_version_is_whole(self, plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from model.artifact.staging import write_file as write

        def full(directory: Path, name: str, content: bytes) -> None:
            if name == "manifest.json":
                raise OSError(28, "No space left on device")
            write(directory, name, content)

        monkeypatch.setattr("model.artifact.acceleration.write_file", full)
        with pytest.raises(ArtifactError, match="can't be written: No space left on device"):
            accelerate_version(plain)
        assert verify(plain).verified
        assert served(plain).engine.name == "sklearn"

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_with_golden_rows_alone_trees_are_still_tried_at_their_splits(self, tmp_path: Path) -> None:
        boosted = HistGradientBoostingClassifier(max_iter=5).fit(X, X[:, 0] > 0)
        parity = _parity(accelerate_version(publish(boosted, X, name="m", root=tmp_path, accelerate=False)).engine)
        assert parity.rows["given"] == 8
        assert parity.rows["split"] >= 6


def _parity(engine: Any) -> Any:
    assert engine.name == "onnx"
    return engine.parity


def test_nothing_is_looked_for_where_nobody_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> Accelerated:
        raise AssertionError

    monkeypatch.setattr("model.artifact.publishing.find_engine", never)
    publish(FOREST, X, name="m", root=tmp_path, accelerate=False)
