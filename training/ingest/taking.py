"""From a source to its snapshot."""

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from training.config.source import Format, Source
from training.errors import ConfigurationError
from training.ingest.locations import Location, located
from training.ingest.snapshot import Snapshot
from training.ingest.store import SnapshotStore
from training.ingest.streams import take_batch

_FORMATS: Final = {
    ".csv": Format.CSV,
    ".json": Format.JSON,
    ".jsonl": Format.JSON_LINES,
    ".ndjson": Format.JSON_LINES,
    ".parquet": Format.PARQUET,
    ".pq": Format.PARQUET,
}

log = logging.getLogger(__name__)


def take(source: Source, base: Path, store: SnapshotStore, *, consumer: str = "") -> Snapshot:
    """
    Take a snapshot of a source.

    Parameters
    ----------
    source : Source
    base : Path
        Directory that a relative path starts from.
    store : SnapshotStore
        Where it is kept.
    consumer : str
        Who goes on with a stream where it was, such as the name of a model.

    Returns
    -------
    snapshot : Snapshot
        As it is kept; of the same bytes there is only one.

    Raises
    ------
    ConfigurationError
        A name or a suffix says nothing to us.
    DataError
        There is nothing to read.
    TrainingError
        It can't be kept; nothing half is left.
    """
    if source.sql:
        snapshot = _of_query(source.sql, source, base, store)
    elif source.files:
        snapshot = _of_files(source, base, store)
    else:
        snapshot = take_batch(source, base, store, consumer)
    log.info("read %s, %d bytes, sha256 %s", snapshot, snapshot.bytes, snapshot.sha256)
    return snapshot


def _of_files(source: Source, base: Path, store: SnapshotStore) -> Snapshot:
    files = [file for name in source.files for file in located(name, base)]
    format_ = source.format or _format_of(files)
    with store.draft() as draft:
        parts = tuple(draft.copy(file.chunks(), format_, file.name) for file in files)
        return store.keep(draft, Snapshot(_named(source), format_, parts, _now()))


def _of_query(sql: str, source: Source, base: Path, store: SnapshotStore) -> Snapshot:
    from training.ingest.sql import Query  # noqa: PLC0415 -- an extra of its own

    query = Query(sql, str(source.address), base)
    with store.draft() as draft:
        path = draft.path(Format.PARQUET)
        rows = query.write(path)
        part = draft.adopt(path, str(query), rows=rows)
        return store.keep(draft, Snapshot(str(query), Format.PARQUET, (part,), _now(), {"query": sql}))


def _format_of(files: list[Location]) -> Format:
    first = files[0]
    for file in files:
        if file.suffix not in _FORMATS:
            raise ConfigurationError(
                f"source {file.name!r} ends in {file.suffix or 'no suffix'!r}, which tells no format; expected one of "
                f"{', '.join(_FORMATS)}, or source.format"
            )
        if _FORMATS[file.suffix] != _FORMATS[first.suffix]:
            raise ConfigurationError(
                f"source names {first.name!r} and {file.name!r}, which are of two formats; expected one"
            )
    return _FORMATS[first.suffix]


def _named(source: Source) -> str:
    names: list[str] = source.model_dump(mode="json")["files"]
    return ", ".join(names)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
