"""The rows of a source as they were when they were read."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Self

from training.config.source import Format

RECORD: Final = "snapshot.json"


@dataclass(frozen=True, slots=True)
class Part:
    """
    One file of a snapshot.

    Parameters
    ----------
    path : Path
    name : str
        What it is called in sentences: the file that it is a copy of, without secrets.
    sha256 : str
        Hex digest of its bytes.
    bytes : int
    known : mapping
        JSON values that are known of it besides, such as ``rows``.
    """

    path: Path
    name: str
    sha256: str
    bytes: int
    known: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    def as_json(self) -> dict[str, Any]:
        """Return what is recorded of it."""
        return {"file": self.path.name, "name": self.name, "sha256": self.sha256, "bytes": self.bytes, **self.known}

    @classmethod
    def from_json(cls, directory: Path, record: Mapping[str, Any]) -> Self:
        """Read what was recorded of a file in a directory."""
        known = {key: value for key, value in record.items() if key not in ("file", "name", "sha256", "bytes")}
        return cls(directory / record["file"], record["name"], record["sha256"], record["bytes"], known)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """
    The rows of a source as they were when they were read.

    Parameters
    ----------
    source : str
        Where they are from, without secrets.
    format : Format
    parts : tuple of Part
        In the order of their rows.
    taken : str
        When, in ISO 8601.
    known : mapping
        JSON values that are known of it besides, such as the query.
    """

    source: str
    format: Format
    parts: tuple[Part, ...]
    taken: str
    known: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.source

    @property
    def sha256(self) -> str:
        """
        Hex digest that names it.

        That of its only file is its own, so that ``sha256sum`` tells the same. Where it is a stream's, what it goes on from
        counts as well, for two batches may have the same rows.
        """
        offsets = self.known.get("offsets")
        if len(self.parts) == 1 and offsets is None:
            return self.parts[0].sha256
        identity = {"parts": [part.sha256 for part in self.parts], "offsets": offsets}
        return hashlib.sha256(json.dumps(identity, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    @property
    def bytes(self) -> int:
        """Size of its files."""
        return sum(part.bytes for part in self.parts)

    @property
    def rows(self) -> int | None:
        """Number of rows; None where the source did not tell."""
        counts = [part.known["rows"] for part in self.parts if "rows" in part.known]
        return sum(counts) if len(counts) == len(self.parts) else None

    def over(self, kept: Self) -> Self:
        """Return this snapshot with the files of another that holds the same bytes."""
        paths = {part.sha256: part.path for part in kept.parts}
        return replace(self, parts=tuple(replace(part, path=paths[part.sha256]) for part in self.parts))

    def as_json(self) -> dict[str, Any]:
        """Return what is recorded of it."""
        return {
            "source": self.source,
            "sha256": self.sha256,
            "format": self.format,
            "bytes": self.bytes,
            "rows": self.rows,
            "taken": self.taken,
            **self.known,
            "parts": [part.as_json() for part in self.parts],
        }

    @classmethod
    def from_json(cls, directory: Path, record: Mapping[str, Any]) -> Self:
        """Read what was recorded of a snapshot in a directory."""
        own = ("source", "sha256", "format", "bytes", "rows", "taken", "parts")
        known = {key: value for key, value in record.items() if key not in own}
        parts = tuple(Part.from_json(directory, part) for part in record["parts"])
        return cls(record["source"], Format(record["format"]), parts, record["taken"], known)
