"""The engine of a version, read when it is loaded."""

from pathlib import Path
from typing import Any

from model.artifact.digest import check_digest, opened
from model.artifact.manifest import Manifest
from model.engine import Program, program_of
from model.errors import ArtifactError

_EXTRAS = {"onnx": "onnxruntime", "treelite": "treelite"}


def read_program(directory: Path, manifest: Manifest, estimator: Any) -> Program | None:
    """
    Return what runs the engine's file of a version, None where scikit-learn answers.

    Raises
    ------
    UntrustedArtifact
        The file is missing, or another than the manifest's.
    ArtifactError
        It can't be run here.
    """
    record = manifest.engine
    if record is None or record.file is None:
        return None
    path = directory / record.file
    with opened(path) as file:
        check_digest(file, path, manifest.files[record.file])
        content = file.read()
    try:
        return program_of(record, content, estimator)
    except ModuleNotFoundError as error:
        raise _Unusable(
            f"{path} needs {_EXTRAS[record.name]}, which is not installed here, so that scikit-learn answers, "
            f"more slowly; install sklearn-kserve[{record.name}]."
        ) from error
    except Exception as error:
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise _Unusable(
            f"{path} can't be run by the {_EXTRAS[record.name]} that is installed here ({reason}), so that "
            f"scikit-learn answers, more slowly; accelerate the version again: sklearn-kserve accelerate."
        ) from error


class _Unusable(ArtifactError):
    """An engine that this installation can't run; scikit-learn can."""


def usable_program(directory: Path, manifest: Manifest, estimator: Any) -> tuple[Program | None, tuple[str, ...]]:
    """
    Return what runs the engine's file of a version where this installation can run it.

    Returns
    -------
    program : Program or None
    warnings : tuple of str
        One sentence where scikit-learn has to answer in its place.

    Raises
    ------
    UntrustedArtifact
        The file is missing, or another than the manifest's.
    """
    try:
        return read_program(directory, manifest, estimator), ()
    except _Unusable as error:
        return None, (str(error),)
