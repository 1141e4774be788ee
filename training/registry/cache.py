"""Versions of a bucket on the local disk, found again by the digests of their manifests."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from model.artifact.manifest import MANIFEST_FILE, manifest_of
from model.artifact.seal import SIGNATURE_FILE
from model.errors import ArtifactError, UntrustedArtifact
from training.errors import RegistryError
from training.registry.version import verified

CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "sklearn-kserve"

Download = Callable[[str, Path], None]
"""Brings a file of the version, by its name, to a path; nothing where there is none."""


class Cache:
    """
    A directory of versions; it may be removed at any time.

    Parameters
    ----------
    path : Path
        Made when something is kept in it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.expanduser()

    def directory(self, source: str, manifest: bytes, download: Download) -> Path:
        """
        Return a directory with the files of a manifest, each held against its digest, now as when it was brought.

        Parameters
        ----------
        source : str
            Where the files come from, as sentences call it.
        manifest : bytes
        download : callable

        Raises
        ------
        UntrustedArtifact
            A file is missing, or has another digest: it is not kept.
        RegistryError
            The cache can't be written, or the store not be read.
        """
        place = self._path / hashlib.sha256(manifest).hexdigest()
        try:
            if place.is_dir() and not _sound(place, manifest):
                shutil.rmtree(place)
            if not place.is_dir():
                self._bring(place, source, manifest, download)
        except OSError as error:
            raise RegistryError(
                f"{place} can't be written: {error.strerror}; make room, or name another cache by XDG_CACHE_HOME."
            ) from error
        return place

    def _bring(self, place: Path, source: str, manifest: bytes, download: Download) -> None:
        self._path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=self._path) as scratch:
            partial = Path(scratch) / place.name
            partial.mkdir()
            (partial / MANIFEST_FILE).write_bytes(manifest)
            for name in (*manifest_of(manifest, Path(source) / MANIFEST_FILE).files, SIGNATURE_FILE):
                download(name, partial / name)
            try:
                verified(partial)
            except UntrustedArtifact as error:
                raise UntrustedArtifact(str(error).replace(str(partial), source)) from error
            try:
                partial.rename(place)
            except OSError:
                if not place.is_dir():  # else somebody else has just brought the same
                    raise


def _sound(place: Path, manifest: bytes) -> bool:
    try:
        verified(place)
    except ArtifactError:
        return False
    return (place / MANIFEST_FILE).read_bytes() == manifest


__all__ = ["CACHE", "Cache"]
