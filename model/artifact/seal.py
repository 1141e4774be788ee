"""A version held against its signature: the manifest is what was signed, and nothing lies beside what it names."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import Final

from model.artifact.bundle import Signed, VerifyKey, read_bundle
from model.artifact.digest import content
from model.artifact.manifest import MANIFEST_FILE, Manifest
from model.errors import UntrustedArtifact

SIGNATURE_FILE: Final = "model.sig"

_MOST_NAMED = 5


def is_signed(directory: Path) -> bool:
    """Whether a version has a signature, be it good or bad."""
    return os.path.lexists(directory / SIGNATURE_FILE)


def check_seal(directory: Path, manifest: bytes, keys: Sequence[VerifyKey]) -> Signed:
    """
    Refuse a version unless one of the keys has signed its manifest.

    Parameters
    ----------
    directory : Path
        Of the version.
    manifest : bytes
        As they will be read.
    keys : sequence of VerifyKey

    Raises
    ------
    UntrustedArtifact
        It is unsigned, was signed with another key, or was changed since.
    """
    if not is_signed(directory):
        raise UntrustedArtifact(
            f"{directory} is unsigned: it has no {SIGNATURE_FILE}, and a signature is required here; "
            f"sign it: sklearn-kserve sign."
        )
    return seal_of(content(directory / SIGNATURE_FILE), directory, manifest, keys)


def seal_of(signature: bytes, directory: Path, manifest: bytes, keys: Sequence[VerifyKey]) -> Signed:
    """
    Do as ``check_seal`` does, with a signature that is not in the directory yet.

    Parameters
    ----------
    signature : bytes
        Of its file.
    directory, manifest, keys
        See ``check_seal``.

    Raises
    ------
    UntrustedArtifact
        See ``check_seal``.
    """
    signed = read_bundle(signature, directory / SIGNATURE_FILE, keys)
    found = hashlib.sha256(manifest).hexdigest()
    expected = signed.files.get(MANIFEST_FILE)
    if found != expected:
        raise UntrustedArtifact(
            f"{directory / MANIFEST_FILE} has sha256 {found}, and {SIGNATURE_FILE} says {expected or 'nothing of it'}: "
            f"it was changed after it was signed; copy the artifact again, or sign it anew."
        )
    return signed


def check_covered(directory: Path, signed: Signed, manifest: Manifest) -> None:
    """
    Refuse a version whose manifest and signature differ in what they vouch for, or which holds more than that.

    The files' contents are for the caller to check, by the manifest's digests: after this they are the signed ones.

    Raises
    ------
    UntrustedArtifact
        The sentence names the files.
    """
    vouched = {name: digest for name, digest in signed.files.items() if name != MANIFEST_FILE}
    differing = {name for name, _ in vouched.items() ^ manifest.files.items()}
    if differing:
        raise UntrustedArtifact(
            f"{directory / SIGNATURE_FILE} and {MANIFEST_FILE} do not say the same of {_listed(differing)}: "
            f"that was changed, added or taken away between publishing and signing; publish the model anew and sign it."
        )
    surplus = set(_surplus(directory, {SIGNATURE_FILE, *signed.files, *signed.ignored}))
    if surplus:
        raise UntrustedArtifact(
            f"{directory} holds {_listed(surplus)}, which its signature does not cover: that was added after it was "
            f"signed; take it away, or copy the artifact again."
        )


def _surplus(directory: Path, allowed: set[str]) -> Iterator[str]:
    """Yield the paths of files and links that are not allowed; an empty directory, such as lost+found, is no file."""
    for place, folders, files in os.walk(directory):
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        for name in (*files, *links):
            path = (PurePath(place) / name).relative_to(directory)
            if allowed.isdisjoint(map(str, (path, *path.parents))):
                yield str(path)


def _listed(names: set[str]) -> str:
    some = sorted(names)[:_MOST_NAMED]
    return ", ".join(some) if len(some) == len(names) else f"{', '.join(some)} and {len(names) - len(some)} more"
