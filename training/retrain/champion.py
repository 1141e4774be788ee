"""The version that is served by default, and what it was made of."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from training.registry import CHAMPION, Registry, Version
from training.registry.description import MARK


@dataclass(frozen=True, slots=True)
class Champion:
    """
    The version that is served by default.

    Parameters
    ----------
    version : Version
    created : datetime
        When it was published.
    made_of : mapping
        Its ``run.json``: ``snapshot``, ``configuration``, ``code`` and the number of ``rows``; empty where it was not
        made by training.
    """

    version: Version
    created: datetime
    made_of: Mapping[str, Any] = field(default_factory=dict)

    @property
    def number(self) -> str:
        """As servers and metrics call the version."""
        return str(self.version.number)

    def __str__(self) -> str:
        return str(self.version)


def champion_of(registry: Registry, name: str) -> Champion | None:
    """
    Return the champion of a model, or its newest version where none is named; None where there is no version.

    Raises
    ------
    RegistryError, ArtifactError
        The registry can't be read.
    """
    versions = registry.versions(name)
    if not versions:
        return None
    named = registry.aliases(name).get(CHAMPION)
    version = versions[-1] if named is None else registry.version(name, named)
    manifest = registry.manifest(version)
    made_of = json.loads(registry.read(version, MARK)) if MARK in manifest.files else {}
    return Champion(version, manifest.created, made_of if isinstance(made_of, dict) else {})


def has_been_champion(registry: Registry, version: Version) -> bool:
    """Tell whether a version was champion once: then somebody, or something, had a reason to name another."""
    number = str(version.number)
    return any(number in (move.before, move.after) for move in registry.history(version.name) if move.alias == CHAMPION)
