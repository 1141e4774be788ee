"""Where versions lie: what a directory and a bucket can both do."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeAlias

Write: TypeAlias = Callable[[Path], Path]
"""Publishes one version below a local root by ``model.artifact.publish``, and returns the version's directory."""


@dataclass(frozen=True, slots=True)
class Content:
    """
    A small file as it was read.

    Parameters
    ----------
    data : bytes
    tag : str or None
        By which a bucket tells this content from what is written later; None on disk, where bytes are compared.
    generation : str or None
        The same, for stores that count.
    """

    data: bytes
    tag: str | None = None
    generation: str | None = None


class Root(Protocol):
    """
    A model root. Keys are paths relative to it, such as ``penguins/aliases.json``.

    Every method raises ``RegistryError`` where the disk or the bucket fails.
    """

    @property
    def url(self) -> str:
        """What the operator calls it."""

    def names(self) -> list[str]:
        """Return the models that have a directory, in order."""

    def numbers(self, name: str) -> list[int]:
        """Return the versions of a model that are there whole, in order."""

    def read(self, key: str) -> Content | None:
        """Return a file, or None where there is none."""

    def write(self, key: str, data: bytes, over: Content | None) -> bool:
        """Write a file that is not there yet, or still is what was read; return False where somebody was faster."""

    def keys(self, prefix: str) -> list[str]:
        """Return the files below a directory, in order."""

    def publish(self, name: str, write: Write) -> int:
        """Add a version, and return its number."""

    def fetch(self, name: str, number: int) -> Path:
        """Return a local directory with a version's files, each as the manifest says."""

    def remove(self, name: str, number: int) -> None:
        """Remove a version that is not the newest: from the first moment on it is none."""

    def leftovers(self, name: str, before: datetime) -> list[str]:
        """Return what publishers have left that were killed, in a bucket before a time."""

    def sweep(self, name: str, before: datetime) -> None:
        """Remove that."""
