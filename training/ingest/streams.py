"""From a stream to a snapshot: its newest batches, and where it goes on."""

import logging
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from training.config.source import Format, Source
from training.errors import DataError
from training.ingest.batch import Batch, Offsets
from training.ingest.lines import line_stream
from training.ingest.snapshot import Part, Snapshot
from training.ingest.store import SnapshotStore

REJECTED: Final = "rejected.jsonl"
"""File of a snapshot with what was no row."""

log = logging.getLogger(__name__)


class Stream(Protocol):
    """What gives batches."""

    @property
    def name(self) -> str:
        """What it is called in records, without secrets."""
        ...

    def batch(self, offsets: Offsets | None) -> AbstractContextManager[Batch]:
        """Give what has come since; None: since the beginning."""
        ...


def take_batch(source: Source, base: Path, store: SnapshotStore, consumer: str) -> Snapshot:
    """
    Take the next batch of a stream, and make it a snapshot with those before it.

    The snapshot has the offsets that the next ingest goes on from, so that rows and offsets are kept by the same rename:
    a process may be killed at any moment, and no row is lost or taken twice.

    Parameters
    ----------
    source : Source
        Whose ``topic`` or ``stream`` is set.
    base : Path
        Directory that a relative path starts from.
    store : SnapshotStore
    consumer : str
        Who goes on where it was; two consumers of a stream do not share offsets.

    Returns
    -------
    snapshot : Snapshot
        Where nothing new has come, the one before.

    Raises
    ------
    DataError
        The stream can't be read, or nothing has ever come.
    """
    stream = _stream(source, base, store, consumer)
    before = store.latest(stream.name, consumer)
    with stream.batch(before.known["offsets"] if before else None) as batch, store.draft() as draft:
        earlier = [draft.share(part, Format.JSON_LINES) for part in _kept(before, source.window)]
        number = before.known["batch"] + 1 if before else 1
        with draft.notes(REJECTED) as aside:
            part = draft.copy(batch.lines(aside), Format.JSON_LINES, f"batch {number} of {stream.name}")
        log.info("batch %d of %s: %d rows, %d rejected", number, stream.name, batch.rows, batch.rejected)
        if not batch.rows and not batch.rejected:
            if before is None:
                raise DataError(f"nothing has come by stream {stream.name!r} yet; ingest again when something has")
            return before
        known = {"consumer": consumer, "batch": number, "offsets": batch.offsets, **_rejected(batch, stream)}
        newest = Part(part.path, part.name, part.sha256, part.bytes, {"rows": batch.rows})
        parts = (*earlier, newest) if batch.rows else tuple(earlier)
        if not batch.rows:
            part.path.unlink()
        return store.keep(draft, Snapshot(stream.name, Format.JSON_LINES, parts, _now(), known))


def _stream(source: Source, base: Path, store: SnapshotStore, consumer: str) -> Stream:
    if source.stream:
        return line_stream(source, base, store.spools(source.stream, consumer))
    from training.ingest.kafka import Topic  # noqa: PLC0415 -- an extra of its own

    return Topic(source)


def _kept(before: Snapshot | None, window: int | None) -> tuple[Part, ...]:
    """Return the batches that stay in the window when one more comes."""
    parts = before.parts if before else ()
    return parts if window is None else parts[max(0, len(parts) - window + 1) :]


def _rejected(batch: Batch, stream: Stream) -> dict[str, Any]:
    if batch.first is None:
        return {}
    log.warning(
        "%d messages of %s are no rows and are kept in %s of the snapshot; the first is at %s: %s",
        batch.rejected,
        stream.name,
        REJECTED,
        batch.first["place"],
        batch.first["reason"],
    )
    return {"rejected": batch.rejected}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
