import hashlib
import os
import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.pipeline import Pipeline

from model.artifact import LoadPolicy, load, verify
from model.errors import ArtifactError, UntrustedArtifact

EditManifest = Callable[[Callable[[dict[str, Any]], object]], Path]

FILES = ["model.joblib", "card.html"]


def test_vouches_for_what_was_published(version: Path) -> None:
    verified = verify(version, require_manifest=True)
    assert verified.verified
    assert verified.kind == "sklearn-kserve"
    assert verified.warnings == ()
    assert verified.estimator == version / "model.joblib"


def test_imports_nothing_of_what_it_verifies(version: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unpickle(*_: object, **__: object) -> None:
        pytest.fail("verify unpickles")

    monkeypatch.setattr(joblib, "load", unpickle)
    assert verify(version).verified
    with pytest.raises(pytest.fail.Exception, match="verify unpickles"):
        load(version, policy=LoadPolicy())


@pytest.mark.parametrize("name", FILES)
def test_refuses_a_truncated_file(version: Path, name: str) -> None:
    content = (version / name).read_bytes()
    (version / name).write_bytes(content[:-1])
    with pytest.raises(
        UntrustedArtifact, match=rf"{name} has sha256 \w{{64}}, and the manifest says \w{{64}}: .* copy"
    ):
        verify(version)


@pytest.mark.parametrize("name", FILES)
def test_refuses_a_flipped_bit(version: Path, name: str) -> None:
    content = bytearray((version / name).read_bytes())
    content[len(content) // 2] ^= 1
    (version / name).write_bytes(content)
    with pytest.raises(UntrustedArtifact, match=f"{name} has sha256"):
        verify(version)


@pytest.mark.parametrize("name", FILES)
def test_refuses_a_missing_file(version: Path, name: str) -> None:
    (version / name).unlink()
    with pytest.raises(UntrustedArtifact, match=f"{name} is missing; copy the artifact again"):
        verify(version)


@pytest.mark.parametrize("name", FILES)
def test_refuses_a_pipe_without_waiting_for_it(version: Path, name: str) -> None:
    (version / name).unlink()
    os.mkfifo(version / name)
    with pytest.raises(ArtifactError, match=f"{name} is no regular file"):
        verify(version)


def test_a_flipped_bit_in_the_manifest_never_ends_in_anything_but_a_sentence(version: Path) -> None:
    path = version / "manifest.json"
    content = path.read_bytes()
    sentences = []
    for position in range(0, len(content), 17):
        path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        try:
            verify(version)
        except ArtifactError as error:
            sentences.append(str(error))
    assert all(sentence.startswith(str(version)) or "version" in sentence for sentence in sentences)
    assert len(sentences) > len(content) // 17 // 2


def test_a_truncated_manifest_is_no_reason_to_look_further(version: Path) -> None:
    path = version / "manifest.json"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UntrustedArtifact, match="is not JSON"):
        verify(version)


def test_an_empty_manifest_beside_a_single_estimator_is_no_bare_artifact(tmp_path: Path, pipeline: Pipeline) -> None:
    joblib.dump(pipeline, tmp_path / "model.joblib")
    assert verify(tmp_path).kind == "sklearnserver"
    (tmp_path / "manifest.json").touch()
    with pytest.raises(UntrustedArtifact, match="is not JSON"):
        verify(tmp_path)


def test_a_dangling_link_is_a_manifest_that_is_present(tmp_path: Path, pipeline: Pipeline) -> None:
    joblib.dump(pipeline, tmp_path / "model.joblib")
    (tmp_path / "manifest.json").symlink_to("nowhere")
    with pytest.raises(UntrustedArtifact, match=r"manifest\.json is missing"):
        verify(tmp_path)


def test_links_are_followed_for_volumes_are_made_of_them(version: Path, tmp_path: Path) -> None:
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    for path in version.iterdir():
        (mounted / path.name).symlink_to(path)
    assert verify(mounted).verified


def test_files_that_nobody_listed_are_left_alone(version: Path) -> None:
    (version / "lost+found").mkdir()
    (version / "model.pkl").write_bytes(b"never read")
    assert verify(version).estimator.name == "model.joblib"


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"nowhere is no directory that can be read .* check the path"):
        verify(tmp_path / "nowhere")


def test_an_empty_directory_is_told_what_belongs_there(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"holds no artifact; expected a manifest\.json, an MLmodel file, or"):
        verify(tmp_path)


def test_an_unreadable_file_is_named(version: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opening = os.open

    def refuse(path: Path, *args: Any) -> int:
        if Path(path).name == "model.joblib":
            raise PermissionError(13, "Permission denied")
        return opening(path, *args)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ArtifactError, match=r"model\.joblib can't be read: Permission denied"):
        verify(version)


class TestPins:
    def _with(self, edit: EditManifest, name: str, found: str) -> Path:
        def change(document: dict[str, Any]) -> None:
            environment = document["environment"]
            (environment if name == "python" else environment["packages"])[name] = found

        return edit(change)

    @pytest.mark.parametrize(
        ("name", "found"),
        [("python", "3.10.7"), ("python", "4.11.7"), ("scikit-learn", "1.8.0"), ("scikit-learn", "1.10.dev0")],
    )
    def test_another_minor_release_is_refused(self, edit: EditManifest, name: str, found: str) -> None:
        version = self._with(edit, name, found)
        shown = name.replace("python", "Python")
        with pytest.raises(
            ArtifactError, match=f"was made with {shown} {found}, and .* runs here: across minor"
        ) as info:
            verify(version)
        assert not isinstance(info.value, UntrustedArtifact)
        assert "serve it with an image that has" in str(info.value)

    def test_another_major_numpy_is_refused(self, edit: EditManifest) -> None:
        version = self._with(edit, "numpy", "1.26.4")
        with pytest.raises(ArtifactError, match=r"was made with numpy 1\.26\.4, and .* across major releases"):
            verify(version)

    @pytest.mark.parametrize(
        ("name", "found"),
        [
            ("python", platform.python_version() + "9"),
            ("scikit-learn", sklearn.__version__ + "9"),
            ("numpy", np.__version__.split(".")[0] + ".0.999"),
        ],
    )
    def test_a_smaller_difference_is_a_warning(self, edit: EditManifest, name: str, found: str) -> None:
        (warning,) = verify(self._with(edit, name, found)).warnings
        assert f"penguins version 1 was made with {name.replace('python', 'Python')} {found}" in warning
        assert "publish it again under" in warning

    def test_is_checked_before_anything_is_unpickled(self, edit: EditManifest, malicious: Path, marker: Path) -> None:
        version = self._with(edit, "scikit-learn", "1.8.0")
        shutil.copy(malicious, version / "model.joblib")
        digest = hashlib.sha256(malicious.read_bytes()).hexdigest()
        edit(lambda document: document["files"].update({"model.joblib": digest}))
        with pytest.raises(ArtifactError, match="across minor releases"):
            load(version, policy=LoadPolicy())
        assert not marker.exists()


class TestModules:
    def test_a_missing_package_is_named_with_its_distribution(self, edit: EditManifest) -> None:
        requirement = {"distribution": "xgboost-of-the-future", "version": "9.1"}
        version = edit(lambda document: document["modules"].update({"xgboost_of_the_future": requirement}))
        with pytest.raises(
            ArtifactError,
            match=r"needs the module 'xgboost_of_the_future', .* add xgboost-of-the-future 9\.1 in an image FROM this one",
        ):
            verify(version)

    def test_a_missing_module_of_the_users_own_is_asked_for_by_code_dir(self, edit: EditManifest) -> None:
        version = edit(lambda document: document["modules"].update(my_features=None))
        with pytest.raises(ArtifactError, match=r"needs the module 'my_features', .* by --code_dir"):
            verify(version)

    def test_another_version_is_a_warning(self, edit: EditManifest) -> None:
        requirement = {"distribution": "joblib", "version": "0.1"}
        version = edit(lambda document: document["modules"].update(joblib=requirement))
        (warning,) = verify(version).warnings
        assert "was made with joblib 0.1" in warning

    def test_a_module_from_another_distribution_counts(self, edit: EditManifest) -> None:
        requirement = {"distribution": "joblib-for-elsewhere", "version": joblib.__version__}
        version = edit(lambda document: document["modules"].update(joblib=requirement))
        assert verify(version).warnings == ()

    def test_a_module_that_is_imported_already_counts(
        self, edit: EditManifest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = type(sys)("made_on_the_fly")
        monkeypatch.setitem(sys.modules, "made_on_the_fly", made)
        version = edit(lambda document: document["modules"].update(made_on_the_fly=None))
        assert verify(version).warnings == ()
