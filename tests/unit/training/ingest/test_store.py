import errno
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from training.config.source import Format, Source
from training.errors import DataError, TrainingError
from training.ingest import Snapshot, SnapshotStore, take
from training.ingest.draft import Draft

ROWS = b"a,b\n1,2\n"


def kept(store: SnapshotStore, *contents: bytes, source: str = "a.csv") -> Snapshot:
    with store.draft() as draft:
        parts = tuple(draft.copy([content], Format.CSV, f"{i}.csv") for i, content in enumerate(contents))
        return store.keep(draft, Snapshot(source, Format.CSV, parts, "2026-01-01T00:00:00+00:00", {"query": "q"}))


def places(store: SnapshotStore) -> list[str]:
    return sorted(path.name for path in store.directory.iterdir() if path.name != ".lock")


def test_what_was_kept_is_found_by_its_digest(store: SnapshotStore) -> None:
    snapshot = kept(store, ROWS)
    assert snapshot.sha256 == hashlib.sha256(ROWS).hexdigest()
    assert store.get(snapshot.sha256) == snapshot
    record = json.loads((snapshot.parts[0].path.parent / "snapshot.json").read_bytes())
    assert record == {
        "source": "a.csv",
        "sha256": snapshot.sha256,
        "format": "csv",
        "bytes": len(ROWS),
        "rows": None,
        "taken": "2026-01-01T00:00:00+00:00",
        "query": "q",
        "parts": [{"file": "data.csv", "name": "0.csv", "sha256": snapshot.sha256, "bytes": len(ROWS)}],
    }


def test_the_same_bytes_are_kept_once(store: SnapshotStore) -> None:
    first, second = kept(store, ROWS), kept(store, ROWS, source="b.csv")
    assert first.parts[0].path == second.parts[0].path
    assert (second.source, store.get(first.sha256).source) == ("b.csv", "a.csv")
    assert places(store) == [first.sha256]


def test_two_that_keep_the_same_at_once_do_not_replace_each_other(
    store: SnapshotStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have looked and found nothing; the later would take the sooner's for damaged, and remove it for a moment."""
    replaced: list[Path] = []
    looking, real, replace = threading.Barrier(2), SnapshotStore._is_sound, Draft.replace

    def look(self: SnapshotStore, sha256: str) -> bool:
        sound = real(self, sha256)
        with suppress(threading.BrokenBarrierError):
            looking.wait(0.3)
        return sound

    monkeypatch.setattr(SnapshotStore, "_is_sound", look)

    def noted(draft: Draft, place: Path) -> None:
        replaced.append(place)
        replace(draft, place)

    monkeypatch.setattr(Draft, "replace", noted)
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(lambda _: kept(store, ROWS), range(2))
    assert first == second
    assert len(replaced) == 1


def test_several_files_are_one_snapshot_whose_order_counts(store: SnapshotStore) -> None:
    one, other = kept(store, b"x", b"y"), kept(store, b"y", b"x")
    assert one.sha256 != other.sha256
    assert [part.path.read_bytes() for part in store.get(other.sha256).parts] == [b"y", b"x"]


def test_two_files_of_the_same_bytes_are_both_kept(store: SnapshotStore) -> None:
    snapshot = store.get(kept(store, b"x", b"x").sha256)
    assert [part.path.name for part in snapshot.parts] == ["data.csv", "data-2.csv"]


def test_what_is_not_there_is_said(store: SnapshotStore) -> None:
    with pytest.raises(DataError, match=r"there is no whole snapshot 0+ in .*/snapshots; ingest the source again"):
        store.get("0" * 64)


@pytest.mark.parametrize("harm", ["data", "record", "nonsense", "digest"])
def test_a_damaged_snapshot_is_never_read_and_is_mended_by_another_ingest(store: SnapshotStore, harm: str) -> None:
    snapshot = kept(store, ROWS)
    data = snapshot.parts[0].path
    record = data.parent / "snapshot.json"
    if harm == "data":
        data.write_bytes(ROWS + b"3,4\n")
    else:
        broken = {"record": b"{", "nonsense": b"[1]", "digest": record.read_bytes().replace(b"a", b"b")}
        record.write_bytes(broken[harm])
    with pytest.raises(DataError, match="damaged"):
        store.get(snapshot.sha256)
    assert kept(store, ROWS) == snapshot
    assert store.get(snapshot.sha256) == snapshot
    assert places(store) == [snapshot.sha256]


def test_what_fails_half_way_leaves_nothing(store: SnapshotStore) -> None:
    def broken() -> Iterator[bytes]:
        yield ROWS
        raise DataError("half-way")

    with pytest.raises(DataError, match="half-way"), store.draft() as draft:
        draft.copy(broken(), Format.CSV, "a.csv")
    assert places(store) == []


def test_a_full_disk_is_said_and_leaves_nothing(
    tmp_path: Path, store: SnapshotStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_bytes(b"x" * 100_000)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(TrainingError) as caught:
            take(Source.model_validate("a.csv"), tmp_path, store)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, previous)
    assert str(caught.value) == (
        f"a snapshot can't be written to {store.directory}: {os.strerror(errno.EFBIG)}; nothing of it is left there"
    )
    assert places(store) == []


def test_a_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "work").write_bytes(b"")
    with pytest.raises(TrainingError, match=r"can't be written to .*: Not a directory"):
        kept(SnapshotStore(tmp_path / "work" / "snapshots"), ROWS)


_SLOW = """
import sys, time
from pathlib import Path
from training.config.source import Format
from training.ingest import SnapshotStore
with SnapshotStore(Path(sys.argv[1])).draft() as draft:
    draft.copy([b"a"], Format.CSV, "a.csv")
    print("half", flush=True)
    time.sleep(60)
"""


def test_what_a_killed_process_left_is_swept_and_what_a_living_one_writes_is_not(store: SnapshotStore) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", _SLOW, str(store.directory)], stdout=subprocess.PIPE) for _ in range(2)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == b"half\n"
        processes[0].kill()
        processes[0].wait()
        assert len(places(store)) == 2
        snapshot = kept(store, ROWS)
        (living,) = (name for name in places(store) if name != snapshot.sha256)
        assert (store.directory / living / "data.csv").exists()
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_a_file_of_another_snapshot_is_shared_or_copied(store: SnapshotStore, monkeypatch: pytest.MonkeyPatch) -> None:
    (part,) = kept(store, ROWS).parts

    def shared() -> Any:
        with store.draft() as unfinished:
            return unfinished.share(part, Format.CSV).path.stat()

    assert shared().st_nlink == 2
    monkeypatch.setattr(Path, "hardlink_to", _no_links)
    assert (shared().st_nlink, shared().st_size) == (1, len(ROWS))


def _no_links(*_: object) -> None:
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))
