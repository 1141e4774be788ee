import bz2
import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import joblib
import lightgbm
import numpy as np
import pandas as pd
import pytest
import sklearn
import xgboost
from sklearn.cluster import KMeans
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from model.artifact import Artifact, LoadPolicy, load, publish
from model.datatypes import Datatype
from model.errors import ArtifactError, UntrustedArtifact

WriteModule = Callable[[str, str], Path]
X = np.random.default_rng(0).normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(int)


def loaded(directory: Path, **policy: Any) -> Artifact:
    return load(directory, policy=LoadPolicy(**policy))


class TestPublished:
    def test_is_all_that_was_published(self, version: Path, pipeline: Pipeline, sample: pd.DataFrame) -> None:
        artifact = loaded(version, require_manifest=True)
        assert np.array_equal(artifact.estimator.predict(sample), pipeline.predict(sample))
        assert (artifact.name, artifact.version) == ("penguins", "1")
        assert (artifact.kind, artifact.file_format, artifact.verified) == ("sklearn-kserve", "joblib", True)
        assert artifact.manifest is not None
        assert artifact.signature == artifact.manifest.signature
        assert artifact.golden == artifact.manifest.golden
        assert artifact.sha256 == artifact.manifest.files["model.joblib"]
        assert artifact.sklearn_version == sklearn.__version__
        assert artifact.warnings == ()

    def test_what_was_hashed_is_what_is_unpickled(
        self, version: Path, malicious: Path, marker: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from model.artifact import verification
        from model.artifact.digest import check_digest

        def check_and_replace(file: Any, path: Path, expected: str) -> None:
            check_digest(file, path, expected)
            Path(shutil.copy(malicious, path.with_suffix(".new"))).replace(path)

        monkeypatch.setattr(verification, "check_digest", check_and_replace)
        monkeypatch.setattr(verification, "_check_others", lambda *_: None)
        assert loaded(version).estimator.predict is not None
        assert (version / "model.joblib").read_bytes() == malicious.read_bytes()
        assert not marker.exists()

    @pytest.mark.parametrize(
        "estimator",
        [
            xgboost.XGBClassifier(n_estimators=3),
            xgboost.XGBRegressor(n_estimators=3),
            lightgbm.LGBMClassifier(n_estimators=3, min_child_samples=1, verbose=-1),
            KMeans(2, n_init=1),
            LinearRegression(),
        ],
        ids=lambda estimator: type(estimator).__name__,
    )
    def test_answers_as_before(self, estimator: Any, tmp_path: Path) -> None:
        directory = publish(estimator.fit(X, Y), X, name="m", root=tmp_path)
        artifact = loaded(directory, require_manifest=True)
        assert np.array_equal(artifact.estimator.predict(X), estimator.predict(X))
        assert artifact.warnings == ()

    def test_names_the_packages_it_is_made_of(self, tmp_path: Path) -> None:
        directory = publish(xgboost.XGBClassifier(n_estimators=2).fit(X, Y), X, name="m", root=tmp_path)
        manifest = loaded(directory).manifest
        assert manifest is not None
        requirement = manifest.modules["xgboost"]
        assert requirement is not None
        assert requirement.version == xgboost.__version__


class TestSkops:
    def test_answers_as_before(self, pipeline: Pipeline, sample: pd.DataFrame, tmp_path: Path) -> None:
        directory = publish(pipeline, sample, name="m", root=tmp_path, file_format="skops")
        artifact = loaded(directory, skops_trusted=("numpy.dtype",))  # that SimpleImputer remembers
        assert artifact.file_format == "skops"
        assert (directory / "model.skops").is_file()
        assert np.array_equal(artifact.estimator.predict_proba(sample), pipeline.predict_proba(sample))

    def test_types_are_trusted_by_the_operator_alone_and_named(self, tmp_path: Path) -> None:
        estimator = xgboost.XGBClassifier(n_estimators=2).fit(X, Y)
        directory = publish(estimator, X, name="m", root=tmp_path, file_format="skops")
        with pytest.raises(
            UntrustedArtifact,
            match=r"not trusted here: xgboost\.core\.Booster, xgboost\.sklearn\.XGBClassifier; .* --skops_trusted",
        ):
            loaded(directory)
        with pytest.raises(UntrustedArtifact, match=r"not trusted here: xgboost\.sklearn\.XGBClassifier;"):
            loaded(directory, skops_trusted=("xgboost.core.Booster",))
        trusted = ("xgboost.core.Booster", "xgboost.sklearn.XGBClassifier")
        artifact = loaded(directory, skops_trusted=trusted)
        assert np.array_equal(artifact.estimator.predict(X), estimator.predict(X))

    def test_without_skops_the_extra_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        directory = publish(LogisticRegression().fit(X, Y), X, name="m", root=tmp_path, file_format="skops")
        monkeypatch.setitem(sys.modules, "skops", None)
        with pytest.raises(ArtifactError, match=r"skops is not installed here; install sklearn-kserve\[skops\]"):
            loaded(directory)


class TestBare:
    @pytest.mark.parametrize(
        ("name", "file_format"),
        [("model.joblib", "joblib"), ("model.pkl", "pickle"), ("anything.pickle", "pickle")],
    )
    def test_is_what_sklearnserver_loads(self, tmp_path: Path, name: str, file_format: str) -> None:
        estimator = LogisticRegression().fit(pd.DataFrame(X, columns=["a", "b", "c"]), Y)
        (tmp_path / name).write_bytes(pickle.dumps(estimator))
        (tmp_path / "README.md").touch()
        artifact = loaded(tmp_path)
        assert (artifact.kind, artifact.file_format, artifact.verified) == ("sklearnserver", file_format, False)
        assert artifact.signature.names == ("a", "b", "c")
        assert artifact.signature.outputs[0].labels == (0, 1)
        assert (artifact.name, artifact.version, artifact.manifest, artifact.golden) == (None, None, None, None)
        assert artifact.sklearn_version == sklearn.__version__
        assert len(artifact.sha256) == 64

    def test_warns_that_nothing_vouches_for_it(self, tmp_path: Path) -> None:
        joblib.dump(LogisticRegression().fit(X, Y), tmp_path / "model.joblib")
        (warning,) = loaded(tmp_path).warnings
        assert "has no manifest.json, so that nothing vouches for it" in warning

    def test_a_compressed_file_is_read(self, tmp_path: Path) -> None:
        joblib.dump(LogisticRegression().fit(X, Y), tmp_path / "model.joblib", compress=3)
        assert loaded(tmp_path).estimator.predict(X[:1]).shape == (1,)

    @pytest.mark.parametrize("others", [["model.pkl"], ["a.pickle", "b.pkl"]])
    def test_more_than_one_estimator_is_refused(self, tmp_path: Path, others: list[str]) -> None:
        for name in ("model.joblib", *others):
            (tmp_path / name).touch()
        with pytest.raises(ArtifactError, match=r"holds .*model\.\w+.*; expected a single estimator; keep the one"):
            loaded(tmp_path)

    def test_another_scikit_learn_is_a_warning_in_one_sentence(self, tmp_path: Path) -> None:
        estimator = Pipeline([("model", LogisticRegression())]).fit(X, Y)
        content = pickle.dumps(estimator)
        old = "0." + sklearn.__version__[2:]
        (tmp_path / "model.pkl").write_bytes(content.replace(sklearn.__version__.encode(), old.encode()))
        artifact = loaded(tmp_path)
        assert artifact.sklearn_version == old
        warnings = [warning for warning in artifact.warnings if "scikit-learn" in warning]
        assert len(warnings) == 1
        assert f"model.pkl was made with scikit-learn {old}, and {sklearn.__version__} runs here" in warnings[0]

    @pytest.mark.parametrize("kept", [0, 1, 50, -1])
    def test_a_damaged_pickle_is_named(self, tmp_path: Path, kept: int) -> None:
        (tmp_path / "model.pkl").write_bytes(pickle.dumps(LogisticRegression().fit(X, Y))[:kept])
        with pytest.raises(ArtifactError, match=r"model\.pkl can't be loaded: .+; copy it again, or publish it again"):
            loaded(tmp_path)

    def test_a_damaged_archive_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "model.joblib").write_bytes(bz2.compress(b"x" * 99)[:-9])
        with pytest.raises(ArtifactError, match=r"model\.joblib can't be loaded"):
            loaded(tmp_path)

    def test_what_is_gone_from_scikit_learn_is_told_with_the_version_it_came_from(self, tmp_path: Path) -> None:
        content = pickle.dumps((LogisticRegression().fit(X, Y), KMeans(2, n_init=1).fit(X)))
        content = content.replace(sklearn.__version__.encode(), b"0." + sklearn.__version__[2:].encode())
        (tmp_path / "model.pkl").write_bytes(content.replace(b"sklearn.cluster", b"sklearn.klustre"))
        with pytest.raises(ArtifactError, match=r"sklearn\.klustre.*; it was made with scikit-learn 0\.\S+, publish"):
            loaded(tmp_path)

    def test_what_is_no_estimator_is_refused(self, tmp_path: Path) -> None:
        joblib.dump({"model": LogisticRegression()}, tmp_path / "model.joblib")
        with pytest.raises(ArtifactError, match="dict has none of predict"):
            loaded(tmp_path)

    def test_cloudpickle_is_asked_for_where_it_is_needed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        estimator = FunctionTransformer(lambda rows: rows * 2).fit(X)
        (tmp_path / "model.pkl").write_bytes(cloudpickle.dumps(estimator))
        assert np.array_equal(loaded(tmp_path).estimator.transform(X), X * 2)
        for name in [name for name in sys.modules if name.partition(".")[0] == "cloudpickle"]:
            monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(ArtifactError, match=r"model\.pkl needs the module 'cloudpickle', which can't be imported"):
            loaded(tmp_path)

    @pytest.mark.filterwarnings("always")
    def test_what_is_said_while_unpickling_is_a_warning(self, tmp_path: Path, module: WriteModule) -> None:
        module(
            "talkative",
            "import warnings\n"
            "from sklearn.linear_model import LinearRegression\n"
            "class Talkative(LinearRegression):\n"
            "    def __setstate__(self, state):\n"
            "        warnings.warn('made by an\\n old tool', UserWarning)\n"
            "        warnings.warn('for developers', DeprecationWarning)\n"
            "        super().__setstate__(state)\n",
        )
        from talkative import Talkative  # type: ignore[import-not-found]

        joblib.dump(Talkative().fit(X, Y), tmp_path / "model.joblib")
        artifact = loaded(tmp_path)
        assert artifact.warnings[1:] == (f"{tmp_path / 'model.joblib'}: made by an old tool",)
        assert artifact.sklearn_version is None


OWN = (
    "from sklearn.base import BaseEstimator, TransformerMixin\n"
    "class Doubler(TransformerMixin, BaseEstimator):\n"
    "    def fit(self, X, y=None):\n"
    "        self.n_features_in_ = X.shape[1]\n"
    "        return self\n"
    "    def transform(self, X):\n"
    "        return X * 2\n"
)


class TestOwnCode:
    def test_is_found_on_the_path_and_named_where_it_is_missing(
        self, tmp_path: Path, module: WriteModule, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        code = module("own_doubler", OWN)
        from own_doubler import Doubler  # type: ignore[import-not-found]

        directory = publish(Doubler().fit(X), X, name="m", root=tmp_path)
        artifact = loaded(directory)
        assert artifact.manifest is not None
        assert artifact.manifest.modules == {"own_doubler": None}
        assert artifact.signature.outputs[0].datatype is Datatype.FP64

        monkeypatch.delitem(sys.modules, "own_doubler")
        monkeypatch.setattr(sys, "path", [entry for entry in sys.path if Path(entry) != code])
        with pytest.raises(ArtifactError, match=r"m version 1 needs the module 'own_doubler', .* by --code_dir"):
            loaded(directory)

        monkeypatch.syspath_prepend(code)
        assert np.array_equal(loaded(directory).estimator.transform(X), X * 2)

    def test_is_named_where_a_bare_pickle_lacks_it(
        self, tmp_path: Path, module: WriteModule, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        code = module("own_bare", OWN)
        from own_bare import Doubler  # type: ignore[import-not-found]

        joblib.dump(Doubler().fit(X), tmp_path / "model.joblib")
        assert loaded(tmp_path).signature.outputs[0].method == "transform"
        monkeypatch.delitem(sys.modules, "own_bare")
        monkeypatch.setattr(sys, "path", [entry for entry in sys.path if Path(entry) != code])
        with pytest.raises(ArtifactError, match=r"model\.joblib needs the module 'own_bare', .* by --code_dir"):
            loaded(tmp_path)
