"""Snapshots of files that a test writes."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from training.config.source import Format
from training.errors import DataError
from training.ingest import Part, Snapshot, chunks, read


def snapshot_of(directory: Path, files: Mapping[str, bytes], format_: Format = Format.CSV) -> Snapshot:
    """Return a snapshot of files with these contents."""
    parts = []
    for name, content in files.items():
        (directory / name).write_bytes(content)
        parts.append(Part(directory / name, name, hashlib.sha256(content).hexdigest(), len(content)))
    return Snapshot(", ".join(files), format_, tuple(parts), "2026-01-01T00:00:00+00:00")


def refusal(snapshot: Snapshot, *missing: str, longest_row: int = 1 << 20) -> str:
    """Return why it is refused, as a whole and in chunks alike."""
    with pytest.raises(DataError) as caught:
        read(snapshot, missing, longest_row=longest_row)
    with pytest.raises(DataError) as in_chunks:
        list(chunks(snapshot, missing, longest_row=longest_row))
    assert str(in_chunks.value) == str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)
