import errno
import multiprocessing
import os
import resource
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from model.artifact import Manifest, publish, read_manifest, verify
from model.artifact.staging import staging
from model.errors import ArtifactError

X = np.random.default_rng(0).normal(size=(40, 3))
Y = (X[:, 0] > 0).astype(int)


@pytest.fixture(scope="module")
def estimator() -> LogisticRegression:
    return LogisticRegression().fit(X, Y)


def everything_below(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


class TestVersions:
    def test_are_numbered_from_one(self, estimator: Any, tmp_path: Path) -> None:
        paths = [publish(estimator, X, name="m", root=tmp_path / "root") for _ in range(3)]
        assert paths == [tmp_path / "root" / "m" / version for version in ("1", "2", "3")]
        assert [read_manifest(path).version for path in paths] == [1, 2, 3]

    def test_follow_the_highest_even_where_there_are_gaps(self, estimator: Any, tmp_path: Path) -> None:
        (tmp_path / "m" / "41").mkdir(parents=True)
        assert publish(estimator, X, name="m", root=tmp_path).name == "42"

    def test_that_are_taken_meanwhile_are_left_alone(
        self, estimator: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from model.artifact import staging as module

        other = tmp_path / "m" / "1"
        late = iter([1, 1])

        def next_version(directory: Path) -> int:
            version = next(late, 2)
            other.mkdir(parents=True, exist_ok=True)
            (other / "manifest.json").write_text("another publisher's")
            return version

        monkeypatch.setattr(module, "next_version", next_version)
        directory = publish(estimator, X, name="m", root=tmp_path, accelerate=False)
        assert directory.name == "2"
        assert read_manifest(directory).version == 2
        assert everything_below(tmp_path / "m") == ["1", "1/manifest.json", "2", "2/manifest.json", "2/model.joblib"]
        assert (other / "manifest.json").read_text() == "another publisher's"

    def test_of_two_processes_never_overwrite_each_other(self, tmp_path: Path) -> None:
        context = multiprocessing.get_context("spawn")
        processes = [context.Process(target=_publish_some, args=(tmp_path, i)) for i in range(2)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0, 0]
        versions = sorted(int(path.name) for path in (tmp_path / "m").iterdir())
        assert versions == list(range(1, 2 * SOME + 1))
        manifests = [verify(tmp_path / "m" / str(version)).manifest for version in versions]
        assert [manifest.version for manifest in manifests if manifest] == versions
        assert sorted(manifest.metrics["publisher"] for manifest in manifests if manifest) == [0] * SOME + [1] * SOME


SOME = 5


def _publish_some(root: Path, publisher: int) -> None:
    estimator = LogisticRegression().fit(X, Y)
    for _ in range(SOME):
        publish(estimator, X, name="m", root=root, metrics={"publisher": publisher})


class TestFailure:
    def test_of_any_sync_leaves_nothing(self, estimator: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        syncing, calls = os.fsync, iter(range(100))

        def count(descriptor: int) -> None:
            next(calls)
            syncing(descriptor)

        monkeypatch.setattr(os, "fsync", count)
        publish(estimator, X, name="m", root=tmp_path / "good", extra_files={"card.html": b"x"})
        total = next(calls)
        assert total >= 6  # the model's directory, three files, the version's directory, and its new name
        for failing in range(total):
            monkeypatch.setattr(os, "fsync", _failing_at(failing))
            with pytest.raises(ArtifactError, match="can't be written: No space left on device; nothing was published"):
                publish(estimator, X, name="m", root=tmp_path / "bad", extra_files={"card.html": b"x"})
            assert everything_below(tmp_path / "bad") == []

    def test_leaves_the_versions_there_are(
        self, estimator: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        publish(estimator, X, name="m", root=tmp_path)
        before = everything_below(tmp_path)
        monkeypatch.setattr(os, "fsync", _failing_at(2))
        with pytest.raises(ArtifactError, match="nothing was published"):
            publish(estimator, X, name="m", root=tmp_path)
        assert everything_below(tmp_path) == before

    def test_of_a_write_leaves_nothing(self, tmp_path: Path) -> None:
        process = multiprocessing.get_context("spawn").Process(target=_publish_limited, args=(tmp_path,))
        process.start()
        process.join()
        assert process.exitcode == 0
        assert everything_below(tmp_path) == []

    def test_on_a_read_only_root_is_one_sentence(self, estimator: Any) -> None:
        with pytest.raises(ArtifactError, match=r"^/proc/models/m can't be written: .*; nothing was published"):
            publish(estimator, X, name="m", root=Path("/proc/models"))

    def test_to_rename_leaves_nothing(self, estimator: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> None:
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(Path, "rename", refuse)
        with pytest.raises(ArtifactError, match="can't be written: Permission denied; nothing was published"):
            publish(estimator, X, name="m", root=tmp_path)
        assert everything_below(tmp_path) == []

    def test_of_skops_to_write_is_the_disks(
        self, estimator: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("skops.io.dump", refuse)
        with pytest.raises(ArtifactError, match="can't be written: No space left on device"):
            publish(estimator, X, name="m", root=tmp_path, file_format="skops")

    def test_by_an_interrupt_leaves_nothing(self, tmp_path: Path) -> None:
        def interrupted(file: BinaryIO) -> None:
            file.write(b"half")
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt), staging(tmp_path / "m") as stage:
            stage.write("model.joblib", interrupted)
        assert everything_below(tmp_path) == []

    def test_to_sync_a_directory_is_borne_where_the_file_system_has_no_such_thing(
        self, estimator: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        syncing = os.fsync

        def files_only(descriptor: int) -> None:
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, "Invalid argument")
            syncing(descriptor)

        monkeypatch.setattr(os, "fsync", files_only)
        assert verify(publish(estimator, X, name="m", root=tmp_path)).verified


def _failing_at(failing: int) -> Callable[[int], None]:
    calls = iter(range(100))

    def fsync(_: int) -> None:
        if next(calls) == failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return fsync


def _publish_limited(root: Path) -> None:
    estimator = FunctionTransformer(kw_args={"weights": np.random.default_rng(0).bytes(300_000)})
    estimator.func = _first
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    with pytest.raises(ArtifactError, match="can't be written: File too large"):
        publish(estimator.fit(X), X, name="m", root=root)


def _first(rows: Any, weights: bytes) -> Any:
    return rows[:, :1] + len(weights)


class TestFiles:
    @pytest.fixture
    def umask(self) -> Iterator[Callable[[int], None]]:
        before = os.umask(0o022)
        yield lambda mask: (os.umask(mask), None)[1]
        os.umask(before)

    @pytest.mark.parametrize(("mask", "modes"), [(0o022, (0o755, 0o644)), (0o027, (0o750, 0o640))])
    def test_can_be_read_by_whom_the_umask_allows(
        self, estimator: Any, tmp_path: Path, umask: Callable[[int], None], mask: int, modes: tuple[int, int]
    ) -> None:
        umask(mask)
        directory = publish(estimator, X, name="m", root=tmp_path / "root")
        files = {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
        assert (stat.S_IMODE(directory.stat().st_mode), *files) == modes

    def test_beside_the_model_are_vouched_for(self, estimator: Any, tmp_path: Path) -> None:
        directory = publish(estimator, X, name="m", root=tmp_path, extra_files={"card.html": b"<p>"})
        assert (directory / "card.html").read_bytes() == b"<p>"
        assert "card.html" in read_manifest(directory).files

    def test_beside_the_model_may_tell_of_the_version(self, estimator: Any, tmp_path: Path) -> None:
        seen: list[Manifest] = []

        def tell(manifest: Manifest) -> bytes:
            seen.append(manifest)
            return f"{manifest.name} {manifest.version}".encode()

        for expected in (b"m 1", b"m 2"):
            directory = publish(estimator, X, name="m", root=tmp_path, extra_files={"a.txt": b"a", "card.html": tell})
            assert (directory / "card.html").read_bytes() == expected
            manifest = read_manifest(directory)
            assert manifest == seen[-1].model_copy(update={"files": manifest.files})
            assert manifest.files.keys() - seen[-1].files.keys() == {"card.html"}
            verify(directory, require_manifest=True)

    def test_that_tell_of_the_version_are_made_again_for_another_number(self, estimator: Any, tmp_path: Path) -> None:
        numbers: list[int] = []

        def tell(manifest: Manifest) -> bytes:
            numbers.append(manifest.version)
            (tmp_path / "m" / "1" / "of another publisher").mkdir(parents=True, exist_ok=True)
            return str(manifest.version).encode()

        directory = publish(estimator, X, name="m", root=tmp_path, extra_files={"card.html": tell})
        assert (directory.name, numbers, (directory / "card.html").read_bytes()) == ("2", [1, 2], b"2")
        verify(directory, require_manifest=True)

    def test_that_can_not_be_made_let_nothing_be_published(self, estimator: Any, tmp_path: Path) -> None:
        def tell(manifest: Manifest) -> bytes:
            raise ArtifactError("There is no card.")

        with pytest.raises(ArtifactError, match="There is no card"):
            publish(estimator, X, name="m", root=tmp_path, extra_files={"card.html": tell})
        assert everything_below(tmp_path) == []

    @pytest.mark.parametrize("name", ["../x", "manifest.json", "model.joblib", "model.onnx", ".hidden", ""])
    def test_beside_the_model_bear_plain_names(self, estimator: Any, tmp_path: Path, name: str) -> None:
        with pytest.raises(ArtifactError, match="can't be the name of a file beside the model"):
            publish(estimator, X, name="m", root=tmp_path, extra_files={name: b""})
        assert everything_below(tmp_path) == []


class TestRecord:
    def test_holds_metrics(self, estimator: Any, tmp_path: Path) -> None:
        directory = publish(estimator, X, name="m", root=tmp_path, metrics={"auc": np.float64(0.5), "n": 40})
        assert read_manifest(directory).metrics == {"auc": 0.5, "n": 40.0}

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_holds_no_metric_that_json_can_not(self, estimator: Any, tmp_path: Path, value: float) -> None:
        with pytest.raises(ArtifactError, match=f"The metric 'auc' is {value}; expected a finite number"):
            publish(estimator, X, name="m", root=tmp_path, metrics={"auc": value})

    def test_holds_the_commit_that_was_given(self, estimator: Any, tmp_path: Path) -> None:
        directory = publish(estimator, X, name="m", root=tmp_path, code_commit="0123abc")
        assert read_manifest(directory).git_commit == "0123abc"

    @pytest.mark.parametrize(("script", "commit"), [("echo 89abcdef", "89abcdef"), ("echo fatal >&2; exit 128", None)])
    def test_holds_the_commit_that_git_tells(
        self, estimator: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, commit: str | None
    ) -> None:
        (tmp_path / "git").write_text(f'#!/bin/sh\n[ "$*" = "rev-parse --verify HEAD" ] && {{ {script}; }}\n')
        (tmp_path / "git").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        assert read_manifest(publish(estimator, X, name="m", root=tmp_path)).git_commit == commit

    def test_holds_no_commit_where_there_is_no_git(
        self, estimator: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        assert read_manifest(publish(estimator, X, name="m", root=tmp_path)).git_commit is None


class TestRefusal:
    def test_of_a_name(self, estimator: Any, tmp_path: Path) -> None:
        with pytest.raises(ArtifactError, match=r"'\.\./m' is no model name"):
            publish(estimator, X, name="../m", root=tmp_path)

    def test_of_an_estimator_that_is_not_fitted(self, tmp_path: Path) -> None:
        with pytest.raises(ArtifactError, match="not fitted yet"):
            publish(LogisticRegression(), X, name="m", root=tmp_path)
        assert everything_below(tmp_path) == []

    def test_of_an_estimator_that_forgets(self, tmp_path: Path) -> None:
        with pytest.raises(ArtifactError, match="does not survive being written as joblib: 'predict' of the golden"):
            publish(Forgetful().fit(X), X, name="m", root=tmp_path)
        assert everything_below(tmp_path) == []

    def test_of_what_skops_can_not_write(self, tmp_path: Path) -> None:
        estimator = LogisticRegression().fit(X, Y)
        estimator.weight_ = 1 + 2j
        with pytest.raises(ArtifactError, match=r"can't be written as skops: .*; publish it as joblib"):
            publish(estimator, X, name="m", root=tmp_path, file_format="skops")
        assert everything_below(tmp_path) == []

    def test_without_skops_names_the_extra(
        self, estimator: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "skops", None)
        with pytest.raises(ArtifactError, match=r"needs skops, .*; install sklearn-kserve\[skops\]"):
            publish(estimator, X, name="m", root=tmp_path, file_format="skops")


class Forgetful(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Answers with a number that it does not pickle."""

    def __init__(self) -> None:
        self.n_features_in_ = 3
        self.answer = 0.0

    def fit(self, rows: Any) -> "Forgetful":
        self.answer = 1.0
        return self

    def predict(self, rows: Any) -> Any:
        return np.full(len(rows), self.answer)

    def __reduce__(self) -> tuple[Any, ...]:
        return Forgetful, ()


def test_a_frame_of_mixed_types_is_published(pipeline: Pipeline, sample: pd.DataFrame, tmp_path: Path) -> None:
    manifest = read_manifest(publish(pipeline, sample, name="m", root=tmp_path))
    assert manifest.signature.names == ("length", "count", "island")
    assert [output.name for output in manifest.signature.outputs][:2] == ["predict", "predict_proba"]
