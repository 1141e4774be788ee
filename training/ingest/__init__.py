"""
From a source to a table: a snapshot of the rows as they were when they were read, and chunks of it.

::

    locations, ...  ->  store (Snapshot)  ->  formats  ->  table
"""

from training.ingest.snapshot import Part, Snapshot
from training.ingest.store import SnapshotStore
from training.ingest.table import chunks, read
from training.ingest.taking import take

__all__ = ["Part", "Snapshot", "SnapshotStore", "chunks", "read", "take"]
