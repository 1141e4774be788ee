"""Where versions lie on disk: ``<root>/<name>/<version>/``, or one directory given by the operator."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import structlog

from model.artifact.names import VERSION, is_model_name
from model.errors import ArtifactError

ALIASES_FILE: Final = "aliases.json"
DEFAULT_ALIAS: Final = "champion"

_ARTIFACT_FILES: Final = ("manifest.json", "MLmodel")
_BARE_SUFFIXES: Final = frozenset({".joblib", ".onnx", ".pkl", ".pickle"})
_log = structlog.get_logger(__name__)


def model_directories(root: Path) -> dict[str, Path]:
    """
    Return the models below a root, ``<root>/<name>/``.

    Raises
    ------
    ArtifactError
        The root is no directory.
    """
    if not root.is_dir():
        raise ArtifactError(f"The model root {root} is no directory; expected one of <name>/<version>/ directories.")
    return {path.name: path for path in sorted(root.iterdir()) if path.is_dir() and _is_served(path.name)}


def version_directories(directory: Path) -> dict[str, Path]:
    """
    Return the versions of a model by name, in numeric order.

    A directory that is an artifact itself has the single version ``""``: whether it is numbered, its manifest tells.

    Raises
    ------
    ArtifactError
        The directory can't be listed.
    """
    try:
        return _versions(directory)
    except OSError as error:
        raise ArtifactError(
            f"{directory} can't be listed: {error.strerror}; mend its permissions or its disk."
        ) from error


def _versions(directory: Path) -> dict[str, Path]:
    if not directory.is_dir() or _is_artifact(directory):
        return {"": directory}
    paths = [path for path in directory.iterdir() if path.is_dir() and not path.name.startswith(".")]
    versions = sorted((path for path in paths if VERSION.fullmatch(path.name)), key=lambda path: int(path.name))
    for path in paths:
        if path not in versions:
            _log.info("ignored, for its name is no version number", directory=str(path))
    return {path.name: path for path in versions}


def default_version(directory: Path) -> str | None:
    """
    Return the version that the alias ``champion`` names, or None.

    Raises
    ------
    ArtifactError
        ``aliases.json`` is there but can't be read.
    """
    path = directory / ALIASES_FILE
    try:
        aliases = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path} can't be read as JSON: {error}; mend or remove it.") from error
    if not isinstance(aliases, Mapping):
        raise ArtifactError(f'{path} holds no object; expected {{"{DEFAULT_ALIAS}": <version>}}.')
    version = aliases.get(DEFAULT_ALIAS)
    if version is None:
        return None
    if not VERSION.fullmatch(str(version)):
        raise ArtifactError(f"{path} has {version!r} for {DEFAULT_ALIAS!r}; expected a version number.")
    return str(version)


def _is_artifact(directory: Path) -> bool:
    if any((directory / name).exists() for name in _ARTIFACT_FILES):
        return True
    paths = list(directory.iterdir())
    # A pickle that lies beside versions, which their manifests do not vouch for, takes nobody's place.
    if any(path.is_dir() and VERSION.fullmatch(path.name) for path in paths):
        return False
    return any(path.is_file() and path.suffix in _BARE_SUFFIXES for path in paths)


def _is_served(name: str) -> bool:
    if name.startswith("."):
        return False
    if is_model_name(name):
        return True
    _log.info("ignored, for its name is no model name", directory=name)
    return False
