"""A version by its name, and the files that its manifest vouches for."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from model.artifact import Manifest, read_manifest
from model.artifact.digest import check_digest, opened
from model.errors import UntrustedArtifact


@dataclass(frozen=True, order=True, slots=True)
class Version:
    """
    One version of a model; ``str`` gives ``penguins/3``.

    Parameters
    ----------
    name : str
        Of the model.
    number : int
        From 1 on.
    """

    name: str
    number: int

    def __str__(self) -> str:
        return f"{self.name}/{self.number}"


def verified(directory: Path) -> Manifest:
    """
    Hold every file of a version against its manifest, and return that; nothing is unpickled.

    Raises
    ------
    ArtifactError
        A file is missing or another than the manifest says, or can't be read.
    """
    manifest = read_manifest(directory)
    for name, digest in manifest.files.items():
        with opened(directory / name) as file:
            check_digest(file, directory / name, digest)
    return manifest


def checked(data: bytes, place: str, expected: str) -> bytes:
    """
    Return a file's content if it has the digest that the manifest says.

    Raises
    ------
    UntrustedArtifact
        The sentence names both digests.
    """
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise UntrustedArtifact(
            f"{place} has sha256 {found}, and the manifest says {expected}: it was damaged or replaced; "
            f"publish the model anew."
        )
    return data


__all__ = ["Version", "checked", "verified"]
