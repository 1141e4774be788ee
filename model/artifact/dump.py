"""An estimator to its file, in either format, and back again to see that it survives."""

from io import BufferedReader
from typing import Any, BinaryIO

import joblib

from model.artifact.manifest import FileFormat
from model.artifact.unpickle import Serialization, read_estimator
from model.errors import ArtifactError


def write_estimator(estimator: Any, file_format: FileFormat, file: BinaryIO) -> None:
    """
    Write an estimator to an open file.

    Raises
    ------
    ArtifactError
        skops is asked for and not installed, or does not know how to write it.
    """
    if file_format == "joblib":
        joblib.dump(estimator, file)
        return
    io = _skops()
    try:
        io.dump(estimator, file)
    except OSError:
        raise
    except Exception as error:
        raise ArtifactError(f"The estimator can't be written as skops: {error}; publish it as joblib.") from error


def read_back(file: BufferedReader, file_format: Serialization) -> Any:
    """Read an estimator just written; all its types are trusted, for they were in memory a moment ago."""
    trusted: list[str] = []
    if file_format == "skops":
        trusted = _skops().get_untrusted_types(file=file)
        file.seek(0)
    return read_estimator(file, "The file just written", file_format, trusted).estimator


def _skops() -> Any:
    try:
        from skops import io  # noqa: PLC0415 -- an extra
    except ModuleNotFoundError as error:
        msg = "The skops format needs skops, which is not installed here; install sklearn-kserve[skops]."
        raise ArtifactError(msg) from error
    return io
