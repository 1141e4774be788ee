import json
import os
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from training.config.source import Source
from training.errors import ConfigurationError, DataError
from training.ingest import Snapshot, SnapshotStore, read, take
from training.ingest.streams import REJECTED


def source(**keys: Any) -> Source:
    return Source.model_validate({"stream": "fish.jsonl", "batch_seconds": 0.2, **keys})


def taken(base: Path, store: SnapshotStore, consumer: str = "fish", **keys: Any) -> Snapshot:
    return take(source(**keys), base, store, consumer=consumer)


def refusal(base: Path, store: SnapshotStore, **keys: Any) -> str:
    with pytest.raises((DataError, ConfigurationError)) as caught:
        taken(base, store, **keys)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def numbers(snapshot: Snapshot) -> list[int]:
    return [int(number) for number in read(snapshot)["i"]]


def append(base: Path, *rows: int | str) -> None:
    with (base / "fish.jsonl").open("a") as file:
        file.writelines(row if isinstance(row, str) else f'{{"i": {row}}}\n' for row in rows)


def test_an_ingest_goes_on_where_the_last_one_was(tmp_path: Path, store: SnapshotStore) -> None:
    append(tmp_path, 1, 2)
    first = taken(tmp_path, store)
    append(tmp_path, 3, '{"i": ')
    second = taken(tmp_path, store)
    append(tmp_path, "4}\n")
    third = taken(tmp_path, store)
    assert [numbers(snapshot) for snapshot in (first, second, third)] == [[1, 2], [1, 2, 3], [1, 2, 3, 4]]
    assert [part.known["rows"] for part in third.parts] == [2, 1, 1]
    assert (third.rows, third.known["batch"]) == (4, 3)
    assert numbers(store.get(first.sha256)) == [1, 2]


def test_without_news_the_snapshot_stays(tmp_path: Path, store: SnapshotStore) -> None:
    append(tmp_path, 1, "\n", "  \n")
    first = taken(tmp_path, store)
    assert taken(tmp_path, store).sha256 == first.sha256


def test_batches_are_bounded_and_share_their_files(tmp_path: Path, store: SnapshotStore) -> None:
    append(tmp_path, *range(7))
    snapshots = [taken(tmp_path, store, batch_rows=3) for _ in range(3)]
    assert [numbers(snapshot) for snapshot in snapshots] == [[0, 1, 2], list(range(6)), list(range(7))]
    assert snapshots[0].parts[0].path.stat().st_nlink == 3


@pytest.mark.parametrize(("window", "expected"), [(1, [6]), (2, [3, 4, 5, 6]), (None, [0, 1, 2, 3, 4, 5, 6])])
def test_a_window_holds_the_newest_batches(
    tmp_path: Path, store: SnapshotStore, window: int | None, expected: list[int]
) -> None:
    append(tmp_path, *range(7))
    snapshots = [taken(tmp_path, store, batch_rows=3, window=window) for _ in range(3)]
    assert numbers(snapshots[-1]) == expected


def test_two_batches_of_the_same_rows_are_both_taken(tmp_path: Path, store: SnapshotStore) -> None:
    append(tmp_path, 1, 1, 1)
    snapshots = [taken(tmp_path, store, batch_rows=1, window=1) for _ in range(3)]
    assert len({snapshot.sha256 for snapshot in snapshots}) == 3
    assert [snapshot.known["offsets"]["position"] for snapshot in snapshots] == [9, 18, 27]


def test_consumers_do_not_share_offsets(tmp_path: Path, store: SnapshotStore) -> None:
    append(tmp_path, 1)
    assert numbers(taken(tmp_path, store, "one")) == numbers(taken(tmp_path, store, "other")) == [1]


def test_what_is_no_row_is_kept_aside(tmp_path: Path, store: SnapshotStore, caplog: pytest.LogCaptureFixture) -> None:
    append(tmp_path, 1, "oh\n", '{"i": {"j": 1}}\n', '{"i": 2, "i": 3}\n', 4)
    snapshot = taken(tmp_path, store)
    assert numbers(snapshot) == [1, 4]
    lines = (snapshot.parts[0].path.parent / REJECTED).read_bytes().splitlines()
    assert [json.loads(line)["reason"] for line in lines] == [
        "unexpected character, expected a JSON value: line 1 column 1 (char 0)",
        "key 'i' holds an object",
        "key 'i' is there 2 times",
    ]
    assert json.loads(lines[0]) | {"reason": ""} == {"place": "byte 9", "reason": "", "text": "oh\n"}
    assert snapshot.known["rejected"] == 3
    assert "3 messages of fish.jsonl are no rows and are kept in rejected.jsonl of the snapshot; " in caplog.text


def test_what_is_no_row_is_not_kept_in_memory(tmp_path: Path, store: SnapshotStore) -> None:
    append(tmp_path, *(f"{'x' * 100_000}\n" for _ in range(200)), 1)
    tracemalloc.start()
    try:
        assert taken(tmp_path, store).known["rejected"] == 200
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_a_batch_without_a_single_row_does_not_stop_the_stream(tmp_path: Path, store: SnapshotStore) -> None:
    append(tmp_path, "oh\n", 1)
    first = taken(tmp_path, store, batch_rows=1)
    assert first.parts == ()
    with pytest.raises(DataError, match=r"fish\.jsonl has .*no rows"):
        read(first)
    assert numbers(taken(tmp_path, store, batch_rows=1)) == [1]


@pytest.mark.parametrize("content", [b"", b'{"i": 7}\n', b'{"i": 7}\n' * 9])
def test_a_file_that_was_replaced_is_refused(tmp_path: Path, store: SnapshotStore, content: bytes) -> None:
    append(tmp_path, 1, 2)
    taken(tmp_path, store)
    (tmp_path / "fish.jsonl").write_bytes(content)
    assert refusal(tmp_path, store) == (
        "'fish.jsonl' is not the file that was read up to byte 18: it was cut or replaced; append to a stream, or name "
        "the new file"
    )


def test_what_is_not_there_is_said(tmp_path: Path, store: SnapshotStore, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(tmp_path, store) == "stream 'fish.jsonl' cannot be read: No such file or directory"
    (tmp_path / "fish.jsonl").touch()
    assert refusal(tmp_path, store) == ("nothing has come by stream 'fish.jsonl' yet; ingest again when something has")
    append(tmp_path, 1, '{"i": "' + "x" * 200 + '"}\n')
    assert refusal(tmp_path, store, max_row_bytes=100) == (
        "stream 'fish.jsonl' has more than 100 bytes in the line at byte 9; expected shorter rows, or a greater "
        "source.max_row_bytes"
    )
    (tmp_path / "fish.jsonl").unlink()
    (tmp_path / "fish.jsonl").mkdir()
    assert refusal(tmp_path, store) == "stream 'fish.jsonl' cannot be read: Is a directory"


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "fish.jsonl")
    return tmp_path / "fish.jsonl"


def write_soon(pipe: Path, content: bytes) -> threading.Thread:
    thread = threading.Thread(target=pipe.write_bytes, args=(content,))
    thread.start()
    return thread


def lines(rows: Sequence[int]) -> bytes:
    return b"".join(b'{"i": %d}\n' % row for row in rows)


def test_a_named_pipe_is_taken_until_its_writer_leaves(tmp_path: Path, store: SnapshotStore, pipe: Path) -> None:
    writer = write_soon(pipe, lines(range(50_000)) + b'{"i": 50000}')
    first = taken(tmp_path, store, batch_seconds=30)
    writer.join()
    assert numbers(first) == list(range(50_001))
    writer = write_soon(pipe, lines([7]))
    assert numbers(taken(tmp_path, store, window=1, batch_seconds=30)) == [7]
    writer.join()


def test_what_a_pipe_gives_beyond_a_batch_waits_for_the_next(tmp_path: Path, store: SnapshotStore, pipe: Path) -> None:
    writer = write_soon(pipe, lines(range(10)))
    first = taken(tmp_path, store, batch_rows=4, batch_seconds=30)
    writer.join()
    assert numbers(first) == [0, 1, 2, 3]
    assert numbers(taken(tmp_path, store, batch_rows=4)) == list(range(8))
    assert numbers(taken(tmp_path, store, batch_rows=4)) == list(range(10))


def test_a_pipe_without_a_writer_is_waited_for_as_long_as_is_said(
    tmp_path: Path, store: SnapshotStore, pipe: Path
) -> None:
    began = time.monotonic()
    assert refusal(tmp_path, store, batch_seconds=0.3).startswith("nothing has come by stream 'fish.jsonl' yet")
    assert 0.3 <= time.monotonic() - began < 10


_INGEST = """
import sys
from pathlib import Path
from training.config.source import Source
from training.ingest import SnapshotStore, take
store = SnapshotStore(Path(sys.argv[1]))
print(take(Source.model_validate({"stream": "-", "batch_seconds": 30}), Path(), store).rows)
"""


def test_standard_input_is_a_pipe(tmp_path: Path, store: SnapshotStore) -> None:
    words = [sys.executable, "-c", _INGEST, str(store.directory)]
    assert subprocess.run(words, input=lines(range(3)), capture_output=True, check=True).stdout == b"3\n"


def test_standard_input_that_is_no_pipe_is_refused(
    tmp_path: Path, store: SnapshotStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fstat", lambda _: (tmp_path).stat())
    assert refusal(tmp_path, store, stream="-") == (
        "stream is '-', and standard input is no pipe; expected one, or the name of a file"
    )


# Children are forked, so that a kill costs no start of an interpreter; each has taken at least one batch of its own.
_KILLED = """
import os, random, signal, sys, time
from pathlib import Path
from training.config.source import Source
from training.errors import DataError
from training.ingest import SnapshotStore, take
base, store = Path(sys.argv[1]), SnapshotStore(Path(sys.argv[2]))
source = Source.model_validate({"stream": "fish.jsonl", "batch_seconds": 0.05, "batch_rows": 100, "window": None})
draws = random.Random(0)
for _ in range(int(sys.argv[3])):
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        while True:
            os.write(tell, take(source, base, store, consumer="fish").known["batch"].to_bytes(4, "big"))
    os.close(tell)
    first = os.read(told, 4)
    while first and (news := os.read(told, 4)) == first:
        pass
    assert first and news, "it ended by itself"
    time.sleep(draws.random() / 100)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(told)
"""
_WRITE = """
import sys
with open(sys.argv[1], "w") as stream:
    for i in range(int(sys.argv[2])):
        stream.write('{"i": %d}\\n' % i)
"""


@pytest.mark.parametrize("kind", ["file", "pipe"])
def test_a_process_that_is_killed_at_any_moment_loses_nothing_and_takes_nothing_twice(
    tmp_path: Path, store: SnapshotStore, kind: str
) -> None:
    stream, rows, kills = tmp_path / "fish.jsonl", 30_000, 12
    if kind == "pipe":
        os.mkfifo(stream)
    writer = subprocess.Popen([sys.executable, "-c", _WRITE, str(stream), str(rows)])
    if kind == "file":
        writer.wait()
    # Whoever holds a pipe open keeps what is in it, and its writer, while it has no other reader.
    with stream.open("r+b", buffering=0):
        subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path), str(store.directory), str(kills)], check=True)
        found = _all(tmp_path, store, rows)
    assert writer.wait() == 0
    assert len(list(store.directory.glob("*/snapshot.json"))) >= 2 * kills
    assert found == list(range(rows))
    assert not list(store.directory.glob(".draft-*"))


def _all(base: Path, store: SnapshotStore, rows: int) -> list[int]:
    found: list[int] = []
    end = time.monotonic() + 60
    while len(found) < rows and time.monotonic() < end:
        found = numbers(taken(base, store, batch_rows=10_000, batch_seconds=1, window=None))
    return found
