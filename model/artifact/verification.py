"""What may be said of an artifact before anything in it is unpickled."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Literal

from model.artifact.bare import ONNX_SUFFIX, find_estimator
from model.artifact.bundle import VerifyKey
from model.artifact.digest import check_digest, content, opened
from model.artifact.manifest import MANIFEST_FILE, Manifest, manifest_of
from model.artifact.mlflow import MLMODEL_FILE, MLmodel, read_mlmodel
from model.artifact.modules import check_modules
from model.artifact.pins import check_environment
from model.artifact.seal import check_covered, check_seal
from model.artifact.unpickle import Serialization
from model.errors import ArtifactError, UntrustedArtifact

Kind = Literal["sklearn-kserve", "sklearnserver", "mlflow", "onnx"]


@dataclass(frozen=True, slots=True)
class Verified:
    """
    An artifact that was looked at and not refused.

    Parameters
    ----------
    directory : Path
    kind : {"sklearn-kserve", "sklearnserver", "mlflow", "onnx"}
    estimator : Path
        File of the estimator, or of the network.
    serialization : {"joblib", "pickle", "skops", "onnx"}
    manifest : Manifest or None
        None where nothing vouches for the artifact.
    mlmodel : MLmodel or None
        Of an MLflow model.
    warnings : tuple of str
        Sentences for the operator.
    signed_by : VerifyKey or None
        The key that vouches for the manifest and with it for every file; None where none was asked for.
    """

    directory: Path
    kind: Kind
    estimator: Path
    serialization: Serialization
    manifest: Manifest | None = None
    mlmodel: MLmodel | None = None
    warnings: tuple[str, ...] = ()
    signed_by: VerifyKey | None = None

    @property
    def verified(self) -> bool:
        """Whether a manifest vouches for every file."""
        return self.manifest is not None


def verify(directory: Path, *, require_manifest: bool = False, keys: Sequence[VerifyKey] = ()) -> Verified:
    """
    Check every digest and every version pin of an artifact; nothing is unpickled.

    Parameters
    ----------
    directory : Path
        A published version, a directory of KServe's sklearnserver, an MLflow model, or an ONNX file's directory.
    require_manifest : bool
        Refuse what no manifest vouches for.
    keys : sequence of VerifyKey
        Refuse what none of them has signed; none of them means that signatures are not looked at.

    Raises
    ------
    UntrustedArtifact
        A manifest does not vouch for a file, or is missing though it is required; or no key vouches for the manifest.
    ArtifactError
        The artifact can't be served here: another Python or scikit-learn, a module that is missing, no estimator.
    """
    with examined(directory, require_manifest=require_manifest, keys=keys) as (verified, _):
        return verified


@contextmanager
def examined(
    directory: Path, *, require_manifest: bool, keys: Sequence[VerifyKey] = ()
) -> Iterator[tuple[Verified, BufferedReader]]:
    """Verify an artifact, and keep the estimator's file open: what was hashed is what will be read."""
    kind = _kind(directory)
    if kind == "sklearn-kserve":
        with _published(directory, keys) as (verified, file):
            yield verified, file
        return
    if require_manifest or keys:
        raise UntrustedArtifact(
            f"{directory} has no {MANIFEST_FILE}, and one is required here; "
            f"publish the model with a sample of its input: sklearn-kserve publish."
        )
    verified = _mlflow(directory) if kind == "mlflow" else _bare(directory)
    with opened(verified.estimator) as file:
        yield verified, file


def _kind(directory: Path) -> Kind:
    try:
        names = {path.name for path in directory.iterdir()}
    except OSError as error:
        raise ArtifactError(
            f"{directory} is no directory that can be read ({error.strerror}); "
            f"expected the directory of one model version; check the path."
        ) from error
    if MANIFEST_FILE in names:  # even a broken one: a manifest that does not match is never passed over
        return "sklearn-kserve"
    return "mlflow" if MLMODEL_FILE in names else "sklearnserver"


@contextmanager
def _published(directory: Path, keys: Sequence[VerifyKey]) -> Iterator[tuple[Verified, BufferedReader]]:
    document = content(directory / MANIFEST_FILE)
    # A signature vouches for the manifest, and that for every file: each is hashed once, by what is read of it.
    signed = check_seal(directory, document, keys) if keys else None
    manifest = manifest_of(document, directory / MANIFEST_FILE)
    if signed is not None:
        check_covered(directory, signed, manifest)
    path = directory / manifest.estimator.file
    with opened(path) as file:
        check_digest(file, path, manifest.files[path.name])
        _check_others(directory, manifest)
        warnings = (*check_environment(manifest), *check_modules(manifest))
        yield (
            Verified(
                directory,
                "sklearn-kserve",
                path,
                manifest.estimator.format,
                manifest,
                warnings=warnings,
                signed_by=signed.key if signed else None,
            ),
            file,
        )


def _check_others(directory: Path, manifest: Manifest) -> None:
    for name, expected in manifest.files.items():
        if name != manifest.estimator.file:
            with opened(directory / name) as file:
                check_digest(file, directory / name, expected)


def _bare(directory: Path) -> Verified:
    path = find_estimator(directory)
    if path.suffix == ONNX_SUFFIX:
        return Verified(directory, "onnx", path, "onnx", warnings=(_unverified(directory),))
    serialization: Serialization = "joblib" if path.suffix == ".joblib" else "pickle"
    return Verified(directory, "sklearnserver", path, serialization, warnings=(_unverified(directory),))


def _mlflow(directory: Path) -> Verified:
    mlmodel = read_mlmodel(directory)
    warnings = (_unverified(directory), *mlmodel.warnings())
    return Verified(directory, "mlflow", mlmodel.estimator, mlmodel.serialization, None, mlmodel, warnings)


def _unverified(directory: Path) -> str:
    return f"{directory} has no {MANIFEST_FILE}, so that nothing vouches for it; publish it to have it verified."
