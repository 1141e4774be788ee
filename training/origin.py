"""What a version comes from, by which one that was published is found again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from model.errors import ArtifactError
from training.config import Config
from training.errors import RegistryError
from training.ingest import Snapshot
from training.record import identity, readable
from training.registry import Registry, Version
from training.registry.description import MARK
from training.steps.code import code_versions


@dataclass(frozen=True)
class Origin:
    """
    All that decides a version.

    Parameters
    ----------
    made_of : mapping
        ``snapshot``, ``configuration`` and ``code``, as JSON values.
    """

    made_of: Mapping[str, Any]

    @classmethod
    def of(cls, config: Config, snapshot: Snapshot) -> "Origin":
        """Return what is made of a snapshot by a configuration and this code."""
        configuration = config.as_json()
        return cls(
            {
                "snapshot": {"source": snapshot.source, "sha256": snapshot.sha256, "bytes": snapshot.bytes},
                "configuration": configuration,
                "code": code_versions(configuration),
            }
        )

    @cached_property
    def id(self) -> str:
        """Digest of it, but for those keys of the configuration that decide nothing about a version."""
        configuration = self.made_of["configuration"]
        deciding = {key: value for key, value in configuration.items() if key not in Config.AFTERWARDS}
        return identity({**self.made_of, "configuration": deciding})

    def mark(self, rows: int) -> bytes:
        """Return the content of the file by which a version tells where it comes from, and how many rows it saw."""
        return readable({"run": self.id, **self.made_of, "rows": rows})

    def find(self, registry: Registry, name: str) -> Version | None:
        """
        Return the newest sound version that comes from here, if there is one.

        The versions themselves are asked, so that it doesn't matter where an earlier run was killed.
        """
        versions = reversed(registry.versions(name))
        return next(
            (version for version in versions if self._decided(registry, version) and _sound(registry, version)), None
        )

    def _decided(self, registry: Registry, version: Version) -> bool:
        try:
            mark = json.loads(registry.read(version, MARK))
        except (RegistryError, ArtifactError, ValueError):
            return False  # by another hand
        return isinstance(mark, dict) and mark.get("run") == self.id


def _sound(registry: Registry, version: Version) -> bool:
    try:
        registry.fetch(version)
    except (RegistryError, ArtifactError):
        return False
    return True


__all__ = ["Origin"]
