"""Classes by import path: of installed packages, and of a directory that was named on purpose."""

import hashlib
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from joblib.externals.loky import get_reusable_executor

from model.artifact.distributions import distributions_of
from training.errors import ConfigurationError

_ADMITTED: Final[list[Path]] = []
"""Directories of the user's own modules. They are the process's, as the path that Python imports from is."""


def admit(directory: Path) -> None:
    """
    Let modules of a directory be imported.

    Raises
    ------
    ConfigurationError
        It is no directory.
    """
    if not directory.is_dir():
        raise ConfigurationError(f"--code_dir is '{directory}'; expected a directory that exists")
    directory = directory.resolve()
    if directory not in _ADMITTED:
        _ADMITTED.append(directory)
        sys.path.insert(0, str(directory))
        get_reusable_executor().shutdown()  # joblib's processes, if there are, import from where they did when they began


def own_code() -> str | None:
    """Return a digest of all Python files of the directories that were admitted, None where none was."""
    if not _ADMITTED:
        return None
    files = [(file.relative_to(directory), file) for directory in _ADMITTED for file in directory.rglob("*.py")]
    digest = hashlib.sha256()
    for name, file in sorted(files):
        digest.update(f"{name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def resolve(path: str, key: str, *, advice: str = "expected the import path of a class of an installed package") -> Any:
    """
    Import what a path names.

    Parameters
    ----------
    path : str
        Such as ``package.module.Class``.
    key : str
        Of the configuration, for sentences.
    advice : str
        What a sentence says to do where the package is not there.

    Returns
    -------
    found : object or None
        None where the module has nothing of that name.

    Raises
    ------
    ConfigurationError
        The package is neither installed nor in a directory that was admitted, or can't be imported.
    """
    module, _, name = path.rpartition(".")
    package = path.partition(".")[0]
    # A module that merely lies about, such as a file in the working directory, is not imported: that would run it.
    if not module or not (_is_installed(package) or _is_admitted(package)):
        raise ConfigurationError(f"{key} is {path!r}; {advice}")
    try:
        return getattr(import_module(module), name, None)
    except ImportError as error:
        raise ConfigurationError(f"{key} is {path!r}, which cannot be imported: {error}") from error


def _is_installed(package: str) -> bool:
    # To ask for all distributions takes a while, and scikit-learn is one in any case.
    return package == "sklearn" or bool(distributions_of(package))


def _is_admitted(package: str) -> bool:
    return any(directory in place.parents for place in _places(package) for directory in _ADMITTED)


def _places(package: str) -> Iterator[Path]:
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return
    if spec is not None:
        yield from (Path(place) / "_" for place in spec.submodule_search_locations or ())
        if spec.origin is not None:
            yield Path(spec.origin)
