"""Where snapshots lie: ``<work>/snapshots/<sha256>/``, each the bytes of a source and what is known of them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from training.errors import DataError
from training.ingest.source import Snapshot
from training.record import directory_made_whole, readable

RECORD: Final = "snapshot.json"
_DATA: Final = "data.csv"


class SnapshotStore:
    """
    The snapshots of a work directory; the same bytes are kept once.

    Parameters
    ----------
    directory : Path
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def add(self, snapshot: Snapshot) -> Path:
        """Keep a snapshot, and return its directory."""
        place = self._directory / snapshot.sha256
        if not (place / RECORD).exists():
            with directory_made_whole(place) as partial:
                (partial / _DATA).write_bytes(snapshot.content)
                (partial / RECORD).write_bytes(readable(_described(snapshot)))
        return place

    def get(self, sha256: str) -> Snapshot:
        """
        Return a snapshot that was kept.

        Raises
        ------
        DataError
            There is none, or its bytes are no longer those of its digest.
        """
        place = self._directory / sha256
        try:
            record = json.loads((place / RECORD).read_bytes())
            snapshot = Snapshot(record["source"], (place / _DATA).read_bytes())
        except OSError as error:
            raise DataError(f"snapshot {sha256} cannot be read: {error.strerror}; ingest the source again") from error
        if snapshot.sha256 != sha256:
            raise DataError(
                f"snapshot {sha256} is damaged: its bytes have another digest; remove {place} and ingest again"
            )
        return snapshot


def _described(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "source": snapshot.source,
        "sha256": snapshot.sha256,
        "bytes": len(snapshot.content),
        "taken": datetime.now(UTC).isoformat(timespec="seconds"),
    }
