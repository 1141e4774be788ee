"""Where rows come from: the bytes of a source, and the digest that names them."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from training.errors import ConfigurationError, DataError


@dataclass(frozen=True)
class Snapshot:
    """
    The rows of a source as they were when it was read.

    Parameters
    ----------
    source : str
        As the configuration names it.
    content : bytes
    """

    source: str
    content: bytes

    @property
    def sha256(self) -> str:
        """Hex digest of the content."""
        return hashlib.sha256(self.content).hexdigest()

    def __str__(self) -> str:
        return self.source


def read(source: str, base: Path) -> Snapshot:
    """
    Read a source.

    Parameters
    ----------
    source : str
        A path, or ``package://PACKAGE/PATH``.
    base : Path
        Directory that a relative path starts from.

    Raises
    ------
    ConfigurationError
        The source is of a kind that is not read here.
    DataError
        There is nothing to read.
    """
    scheme = urlsplit(source).scheme if "://" in source else ""
    if scheme not in _READERS:
        raise ConfigurationError(f"source is {source!r}; expected a path or package://PACKAGE/PATH")
    try:
        return Snapshot(source, _READERS[scheme](source, base))
    except OSError as error:
        raise DataError(f"source {source!r} cannot be read: {error.strerror}") from error


def _file(source: str, base: Path) -> bytes:
    return (base / source).read_bytes()


def _package_file(source: str, base: Path) -> bytes:  # noqa: ARG001 -- every reader is called alike
    package, _, path = source.removeprefix("package://").partition("/")
    if not _is_package(package):
        raise DataError(f"source {source!r} names package {package!r}, which is not an installed one")
    return resources.files(package).joinpath(path).read_bytes()


def _is_package(name: str) -> bool:
    try:
        spec = find_spec(name)
    except (ModuleNotFoundError, ValueError):
        return False
    return spec is not None and spec.submodule_search_locations is not None


_READERS: Final[Mapping[str, Callable[[str, Path], bytes]]] = {"": _file, "package": _package_file}
