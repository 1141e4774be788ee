"""Where versions lie on disk: ``<root>/<name>/<version>/``, or one directory given by the operator."""

import json
import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal, TypeAlias

import structlog

from model.artifact.names import ALIASES_FILE, DEFAULT_ALIAS, VERSION, is_model_name
from model.errors import ArtifactError

_ARTIFACT_FILES: Final = ("manifest.json", "MLmodel")
_BARE_SUFFIXES: Final = frozenset({".joblib", ".onnx", ".pkl", ".pickle"})
_log = structlog.get_logger(__name__)

Fingerprint: TypeAlias = tuple[tuple[str, int, int, int], ...]
"""Path, time of change in nanoseconds, size in bytes and inode of every file."""


def model_directories(root: Path) -> dict[str, Path]:
    """
    Return the models below a root, ``<root>/<name>/``.

    Raises
    ------
    ArtifactError
        The root is no directory, or can't be listed.
    """
    try:
        if not root.is_dir():
            raise ArtifactError(
                f"The model root {root} is no directory; expected one of <name>/<version>/ directories."
            )
        return {path.name: path for path in _directories(root) if _is_served(path)}
    except OSError as error:
        raise _unlisted(root, error) from error


def version_directories(directory: Path) -> dict[str, Path]:
    """
    Return the versions of a model by name, in numeric order.

    A directory that is an artifact itself has the single version ``""``: whether it is numbered, its manifest tells.

    Raises
    ------
    ArtifactError
        The directory is not there, or can't be listed.
    """
    try:
        if _is_artifact(directory):
            return {"": directory}
        paths = _directories(directory)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ArtifactError(
            f"{directory} is no directory that can be read ({error.strerror}); "
            f"expected that of a model or of its versions; check the path."
        ) from error
    except OSError as error:
        raise _unlisted(directory, error) from error
    versions = {path.name: path for path in paths if _is_version(path)}
    return dict(sorted(versions.items(), key=lambda item: int(item[0])))


def fingerprint(directory: Path) -> Fingerprint | None:
    """
    Return what tells a version's files from others without reading them, or None where they can't be looked at.

    Hidden files are left out: no artifact has one, and those who write beside it call their temporary files so.
    """
    try:
        return tuple(sorted(_stamps(directory)))
    except OSError:
        return None


def _stamps(directory: Path | str) -> Iterator[tuple[str, int, int, int]]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _stamps(entry.path)
                continue
            try:
                found = entry.stat()
            except FileNotFoundError:  # A link that leads nowhere; the loader will say so.
                found = entry.stat(follow_symlinks=False)
            yield entry.path, found.st_mtime_ns, found.st_size, found.st_ino


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
    except (OSError, ValueError, RecursionError) as error:
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
    with os.scandir(directory) as listing:
        entries = list(listing)
    # A pickle that lies beside versions, which their manifests do not vouch for, takes nobody's place.
    if any(VERSION.fullmatch(entry.name) and entry.is_dir() for entry in entries):
        return False
    return any(Path(entry.name).suffix in _BARE_SUFFIXES and entry.is_file() for entry in entries)


def _directories(directory: Path) -> list[Path]:
    with os.scandir(directory) as entries:
        return sorted(directory / entry.name for entry in entries if entry.is_dir())


def _is_served(path: Path) -> bool:
    return is_model_name(path.name) or _ignore(path, "model name")


def _is_version(path: Path) -> bool:
    return VERSION.fullmatch(path.name) is not None or _ignore(path, "version number")


def _ignore(path: Path, wanted: str) -> Literal[False]:
    """Pass over a directory, and say so unless it is hidden."""
    if not path.name.startswith("."):
        _report_ignored(str(path), wanted)
    return False


@lru_cache(maxsize=1024)
def _report_ignored(path: str, wanted: str) -> None:
    """Say it once: what is watched is listed again and again."""
    _log.info(f"ignored, for its name is no {wanted}", directory=path)


def _unlisted(directory: Path, error: OSError) -> ArtifactError:
    return ArtifactError(f"{directory} can't be listed: {error.strerror}; mend its permissions or its disk.")
