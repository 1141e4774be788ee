from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model.artifact import read_manifest
from model.artifact.manifest import Manifest
from model.errors import ArtifactError, UntrustedArtifact

EditManifest = Callable[[Callable[[dict[str, Any]], object]], Path]


def test_reads_what_was_written(version: Path) -> None:
    manifest = read_manifest(version)
    assert (version / "manifest.json").read_bytes() == manifest.to_json()
    assert Manifest.model_validate_json(manifest.to_json()) == manifest


def test_holds_what_the_version_is_and_what_it_came_from(version: Path) -> None:
    manifest = read_manifest(version)
    assert (manifest.name, manifest.version, manifest.metrics) == ("penguins", 1, {"accuracy": 0.9})
    assert manifest.estimator.class_ == "sklearn.pipeline.Pipeline"
    assert (manifest.estimator.file, manifest.estimator.format) == ("model.joblib", "joblib")
    assert sorted(manifest.files) == ["card.html", "model.joblib"]
    assert manifest.environment.packages.keys() >= {"scikit-learn", "numpy"}
    assert manifest.created.utcoffset() is not None
    assert manifest.modules == {}


def test_can_not_be_changed(version: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        read_manifest(version).version = 2  # type: ignore[misc]


@pytest.mark.parametrize("found", [2, 0, "1", None, True, 1.0])
def test_refuses_another_schema_and_says_which_it_reads(edit: EditManifest, found: Any) -> None:
    version = edit(lambda document: document.update(schema_version=found))
    with pytest.raises(UntrustedArtifact, match="this build reads schema_version 1; publish"):
        read_manifest(version)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"schema_version": NaN}', b"[" * 2000])
def test_refuses_what_is_not_json(version: Path, content: bytes) -> None:
    (version / "manifest.json").write_bytes(content)
    with pytest.raises(UntrustedArtifact, match=r"manifest\.json is not JSON .* copy the artifact again"):
        read_manifest(version)


@pytest.mark.parametrize("content", [b"[]", b"null", b"1", b"{}"])
def test_refuses_what_is_no_manifest(version: Path, content: bytes) -> None:
    (version / "manifest.json").write_bytes(content)
    with pytest.raises(UntrustedArtifact, match="has schema_version None"):
        read_manifest(version)


@pytest.mark.parametrize("field", ["name", "version", "created", "estimator", "files", "environment", "modules"])
def test_names_a_missing_field(edit: EditManifest, field: str) -> None:
    version = edit(lambda document: document.pop(field))
    with pytest.raises(UntrustedArtifact, match=f"is no valid manifest: {field}: Field required"):
        read_manifest(version)


def test_names_a_field_it_does_not_know(edit: EditManifest) -> None:
    version = edit(lambda document: document["estimator"].update(trusted=["os.system"]))
    with pytest.raises(UntrustedArtifact, match=r"estimator\.trusted: Extra inputs are not permitted"):
        read_manifest(version)


@pytest.mark.parametrize("name", ["../evil.joblib", "/etc/evil", "a/b", "..", ".x", "", "manifest.json", "x\0y"])
def test_refuses_a_file_that_is_not_plainly_in_the_directory(edit: EditManifest, name: str) -> None:
    version = edit(lambda document: document["files"].update({name: "0" * 64}))
    with pytest.raises(UntrustedArtifact, match="is no plain file name"):
        read_manifest(version)


@pytest.mark.parametrize("name", ["../model.joblib", "/model.joblib"])
def test_refuses_an_estimator_that_is_not_plainly_in_the_directory(edit: EditManifest, name: str) -> None:
    version = edit(lambda document: document["estimator"].update(file=name))
    with pytest.raises(UntrustedArtifact, match=r"estimator\.file: .* is no plain file name"):
        read_manifest(version)


def test_refuses_an_estimator_without_a_digest(edit: EditManifest) -> None:
    version = edit(lambda document: document["files"].pop("model.joblib"))
    with pytest.raises(UntrustedArtifact, match=r"the estimator's file 'model\.joblib' is not among the files"):
        read_manifest(version)


@pytest.mark.parametrize("digest", ["", "0" * 63, "0" * 65, "G" * 64, "A" * 64, "0" * 64 + "\n"])
def test_refuses_what_is_no_digest(edit: EditManifest, digest: str) -> None:
    version = edit(lambda document: document["files"].update({"model.joblib": digest}))
    with pytest.raises(UntrustedArtifact, match=r"files\.model\.joblib: "):
        read_manifest(version)


@pytest.mark.parametrize("package", ["scikit-learn", "numpy"])
def test_refuses_an_environment_without_a_pin(edit: EditManifest, package: str) -> None:
    version = edit(lambda document: document["environment"]["packages"].pop(package))
    with pytest.raises(UntrustedArtifact, match=f"environment: {package} is not among the packages"):
        read_manifest(version)


def test_refuses_golden_rows_that_are_no_tensors(edit: EditManifest) -> None:
    version = edit(lambda document: document["golden"]["inputs"][0].update(shape=[1, 1]))
    with pytest.raises(UntrustedArtifact, match=r"golden\.inputs\.0: .*length"):
        read_manifest(version)


@pytest.mark.parametrize("name", ["../penguins", "", "a b"])
def test_refuses_what_is_no_model_name(edit: EditManifest, name: str) -> None:
    version = edit(lambda document: document.update(name=name))
    with pytest.raises(UntrustedArtifact, match=r"name: .* is no model name"):
        read_manifest(version)


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"manifest\.json is missing"):
        read_manifest(tmp_path)
