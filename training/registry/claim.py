"""What stands in a manifest's place while a version is uploaded or removed, for a bucket has no renames."""

import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Self

_SCHEMA_VERSION: Final = 0
"""Of no manifest: whoever comes upon it, a server above all, refuses the directory."""


@dataclass(frozen=True, slots=True)
class Claim:
    """
    Marks a number as taken by a version that is not whole.

    It is created where there is nothing, so that one publisher alone has the number, and is replaced by the manifest
    while it is unchanged, so that a version is there whole or not at all. Whoever replaces it by another claim has
    stopped the publisher.

    Parameters
    ----------
    at : datetime
        UTC.
    id : str
        Tells this claim from every other.
    """

    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    id: str = field(default_factory=lambda: secrets.token_hex(8))

    @classmethod
    def parse(cls, data: bytes) -> Self | None:
        """Return the claim, or None for what is none, such as a manifest."""
        try:
            document = json.loads(data)
            if document["schema_version"] != _SCHEMA_VERSION:
                return None
            return cls(datetime.fromisoformat(document["claimed"]), document["id"])
        except (ValueError, KeyError, TypeError):
            return None

    def to_json(self) -> bytes:
        """Return what is written in the manifest's place."""
        document = {"schema_version": _SCHEMA_VERSION, "claimed": self.at.isoformat(), "id": self.id}
        return json.dumps(document).encode()


__all__ = ["Claim"]
