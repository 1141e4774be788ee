"""A pickle that would make a directory never runs where it must not; that it does run is shown first."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from model.artifact import LoadPolicy, load
from model.errors import ArtifactError, UntrustedArtifact

EditManifest = Callable[[Callable[[dict[str, Any]], object]], Path]


@pytest.fixture(autouse=True)
def _has_not_run(marker: Path) -> Iterator[None]:
    yield
    assert not marker.exists()


def test_runs_from_a_bare_directory_that_the_operator_gave(malicious: Path, marker: Path) -> None:
    with pytest.raises(ArtifactError, match="NoneType has none of predict"):
        load(malicious.parent, policy=LoadPolicy())
    assert marker.is_dir()
    marker.rmdir()


def test_is_refused_bare_where_a_manifest_is_required(malicious: Path) -> None:
    with pytest.raises(UntrustedArtifact, match=r"has no manifest\.json, and one is required here; publish"):
        load(malicious.parent, policy=LoadPolicy(require_manifest=True))


def test_is_refused_in_an_mlflow_model_where_a_manifest_is_required(malicious: Path) -> None:
    (malicious.parent / "MLmodel").write_text(f"flavors: {{sklearn: {{pickled_model: {malicious.name}}}}}")
    with pytest.raises(UntrustedArtifact, match="one is required here"):
        load(malicious.parent, policy=LoadPolicy(require_manifest=True))


def test_is_refused_in_place_of_the_estimator(version: Path, malicious: Path) -> None:
    shutil.copy(malicious, version / "model.joblib")
    with pytest.raises(UntrustedArtifact, match="it was damaged or replaced"):
        load(version, policy=LoadPolicy())


def test_is_refused_when_the_estimator_links_to_it(version: Path, malicious: Path) -> None:
    (version / "model.joblib").unlink()
    (version / "model.joblib").symlink_to(malicious)
    with pytest.raises(UntrustedArtifact, match="it was damaged or replaced"):
        load(version, policy=LoadPolicy())


@pytest.mark.parametrize("name", ["model.pkl", "model.pickle", "another.joblib"])
def test_is_never_chosen_beside_a_manifest(version: Path, malicious: Path, name: str) -> None:
    (version / "model.joblib").rename(version / "elsewhere")
    shutil.copy(malicious, version / name)
    with pytest.raises(UntrustedArtifact, match=r"model\.joblib is missing"):
        load(version, policy=LoadPolicy())


@pytest.mark.parametrize("name", ["../malicious.joblib", "{absolute}", "./../malicious.joblib"])
def test_is_never_reached_by_a_path(edit: EditManifest, malicious: Path, name: str) -> None:
    path = name.format(absolute=malicious)

    def change(document: dict[str, Any]) -> None:
        document["estimator"]["file"] = path
        document["files"][path] = hashlib.sha256(malicious.read_bytes()).hexdigest()

    version = edit(change)
    with pytest.raises(UntrustedArtifact, match="is no plain file name"):
        load(version, policy=LoadPolicy())


def test_does_not_run_when_another_file_is_damaged(edit: EditManifest, version: Path, malicious: Path) -> None:
    shutil.copy(malicious, version / "model.joblib")
    digest = hashlib.sha256(malicious.read_bytes()).hexdigest()
    edit(lambda document: document["files"].update({"model.joblib": digest}))
    (version / "card.html").write_bytes(b"changed")
    with pytest.raises(UntrustedArtifact, match=r"card\.html has sha256"):
        load(version, policy=LoadPolicy())


@pytest.mark.parametrize("content", [b"", b"{}", b'{"schema_version": 2}'])
def test_does_not_run_beside_a_manifest_that_is_none(malicious: Path, content: bytes) -> None:
    (malicious.parent / "manifest.json").write_bytes(content)
    with pytest.raises(UntrustedArtifact):
        load(malicious.parent, policy=LoadPolicy())


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside.pkl", "link.pkl", "missing.pkl"])
def test_an_mlflow_model_reaches_nothing_outside(malicious: Path, tmp_path: Path, target: str) -> None:
    directory = tmp_path / "mlflow"
    directory.mkdir()
    shutil.copy(malicious, tmp_path / "outside.pkl")
    (directory / "link.pkl").symlink_to(tmp_path / "outside.pkl")
    (directory / "MLmodel").write_text(f"flavors: {{sklearn: {{pickled_model: {target}}}}}")
    with pytest.raises(ArtifactError, match=r"lies outside the model's directory|missing\.pkl is missing"):
        load(directory, policy=LoadPolicy())
