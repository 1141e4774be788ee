"""The digest of a file, taken from the descriptor that it is read from afterwards."""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from model.errors import ArtifactError, UntrustedArtifact


@contextmanager
def opened(path: Path) -> Iterator[BufferedReader]:
    """
    Open a regular file of an artifact.

    Raises
    ------
    UntrustedArtifact
        There is no such file.
    ArtifactError
        It is no regular file, or can't be read.
    """
    with os.fdopen(_descriptor(path), "rb") as file:
        yield file


def _descriptor(path: Path) -> int:
    try:
        # A pipe in place of the file must not hold the server up.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise UntrustedArtifact(f"{path} is missing; copy the artifact again, or publish it anew.") from error
    except OSError as error:
        raise ArtifactError(
            f"{path} can't be read: {error.strerror}; mend the file's permissions or its disk."
        ) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ArtifactError(f"{path} is no regular file; expected one; copy the artifact again.")
    return descriptor


def content(path: Path) -> bytes:
    """
    Return what a small file of an artifact holds.

    Raises
    ------
    UntrustedArtifact, ArtifactError
        See ``opened``.
    """
    with opened(path) as file:
        return file.read()


def sha256(file: BufferedReader) -> str:
    """Return the hex digest of a whole file, and wind it back to its start."""
    file.seek(0)
    found = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    return found


def check_digest(file: BufferedReader, path: Path, expected: str) -> None:
    """
    Refuse a file whose digest is another than the manifest's.

    Raises
    ------
    UntrustedArtifact
        The sentence names both digests.
    """
    found = sha256(file)
    if found != expected:
        raise UntrustedArtifact(
            f"{path} has sha256 {found}, and the manifest says {expected}: it was damaged or replaced; "
            f"copy the artifact again, or publish it anew."
        )
