"""What is known of a version, for people and for machines, and in what two versions differ."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from model.artifact import Manifest
from training.errors import RegistryError
from training.registry.registry import Registry
from training.registry.version import Version

MARK: Final = "run.json"
"""File of a version that tells what it was made of; one that was published by other means has none."""

_MISSING: Final = object()


class Difference(NamedTuple):
    """Something that two versions do not have in common; None where one of them does not have it."""

    key: str
    before: Any
    after: Any


def describe(registry: Registry, version: Version) -> dict[str, Any]:
    """
    Return what is known of a version, as JSON values.

    Raises
    ------
    RegistryError, ArtifactError
        There is no such version, or it is damaged.
    """
    manifest = registry.manifest(version)
    mark = marked(registry, version, manifest)
    aliases = sorted(alias for alias, number in registry.aliases(version.name).items() if number == str(version.number))
    document = manifest.model_dump(mode="json")
    return {
        "name": version.name,
        "version": version.number,
        "aliases": aliases,
        "created": document["created"],
        "git_commit": manifest.git_commit,
        "data": mark.get("snapshot", {}),
        "configuration": mark.get("configuration", {}),
        "estimator": manifest.estimator.class_,
        "engine": manifest.engine.name if manifest.engine is not None else None,
        "metrics": document["metrics"],
        "environment": {"python": manifest.environment.python, **manifest.environment.packages},
        "signature": _signature(document["signature"]),
        "files": document["files"],
    }


def marked(registry: Registry, version: Version, manifest: Manifest) -> Mapping[str, Any]:
    """
    Return what a version was made of, nothing where it does not say.

    Raises
    ------
    RegistryError, ArtifactError
        Its file is damaged.
    """
    if MARK not in manifest.files:
        return {}
    mark = json.loads(registry.read(version, MARK))
    if not isinstance(mark, dict):
        raise RegistryError(f"{version} has a {MARK} that is no object; expected what training writes.")
    return mark


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """
    Return in what two versions differ, by dotted keys, in the order in which they are described.

    Parameters
    ----------
    before, after : mapping
        As ``describe`` gives them; what every version has for itself, such as its number, is left out.
    """
    one, other = (dict(flat(_comparable(described))) for described in (before, after))
    found = (Difference(key, one.get(key), other.get(key)) for key in {**one, **other})
    return [each for each in found if one.get(each.key, _MISSING) != other.get(each.key, _MISSING)]


def _comparable(described: Mapping[str, Any]) -> dict[str, Any]:
    own = {"name", "version", "aliases", "created", "files"}
    return {key: value for key, value in described.items() if key not in own}


def flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what is nested by dotted keys, leaving out what is empty."""
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from flat(item, f"{key}.{name}" if key else str(name))
    elif value not in ({}, None):
        yield key, value


def _signature(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a signature whose columns are found by their names, not by where they stand, and without what is empty."""
    return {key: _named(value) for key, value in document.items()}


def _named(value: Any) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(each, dict) for each in value):
        return {
            each.get("name") or str(place): {
                key: item for key, item in each.items() if key != "name" and item is not None
            }
            for place, each in enumerate(value)
        }
    return value


__all__ = ["MARK", "Difference", "describe", "differences", "flat", "marked"]
