"""Publishers that are killed, beside others that live."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from model.artifact import staging as module
from model.artifact.staging import staging, sweep

_PUBLISHER = """
import sys
from pathlib import Path
from model.artifact.staging import staging
with staging(Path(sys.argv[1])) as stage:
    stage.write("model.joblib", lambda file: file.write(b"half"))
    print(stage.path.name, flush=True)
    sys.stdin.readline()
    print(stage.become(lambda version: None).name, flush=True)
"""


@contextmanager
def publisher(directory: Path) -> Iterator["subprocess.Popen[str]"]:
    """Start a publisher in a process of its own that has written half of its version, and goes on at a line."""
    command = [sys.executable, "-c", _PUBLISHER, str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def line_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_what_a_killed_publisher_leaves_is_removed_by_the_next(tmp_path: Path) -> None:
    with publisher(tmp_path) as killed:
        left = line_of(killed)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    assert names(tmp_path) == [left]
    with staging(tmp_path) as stage:
        assert names(tmp_path) == [stage.path.name]
        stage.become(lambda version: None)
    assert names(tmp_path) == ["1"]


def test_a_live_publisher_keeps_its_own(tmp_path: Path) -> None:
    with publisher(tmp_path) as live:
        mine = line_of(live)
        with staging(tmp_path) as stage:
            stage.become(lambda version: None)
        assert names(tmp_path) == [mine, "1"]
        assert live.communicate("go on\n", timeout=30)[0].strip() == "2"
    assert names(tmp_path) == ["1", "2"]
    assert names(tmp_path / "2") == ["model.joblib"]


def test_one_that_is_swept_before_it_has_its_lock_makes_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock: Callable[[Path, int], int] = module._locked
    swept: list[str] = []

    def late(directory: Path, how: int) -> int:
        if not swept:
            swept.append(directory.name)
            monkeypatch.setattr(module, "_locked", lock)
            sweep(tmp_path)
        return lock(directory, how)

    monkeypatch.setattr(module, "_locked", late)
    with staging(tmp_path) as stage:
        assert names(tmp_path) == [stage.path.name]
        assert stage.path.name not in swept


def test_many_at_once_lose_nothing(tmp_path: Path) -> None:
    def publish() -> None:
        for _ in range(20):
            with staging(tmp_path) as stage:
                stage.write("model.joblib", lambda file: file.write(b"x"))
                stage.become(lambda version: None)

    threads = [threading.Thread(target=publish) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names(tmp_path) == sorted(str(version) for version in range(1, 81))
    assert {tuple(names(tmp_path / name)) for name in names(tmp_path)} == {("model.joblib",)}


def test_where_there_are_no_locks_nothing_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, how: int) -> None:
        raise OSError(95, os.strerror(95))

    monkeypatch.setattr("fcntl.flock", refuse)
    with staging(tmp_path) as mine, staging(tmp_path) as other:
        assert names(tmp_path) == sorted([mine.path.name, other.path.name])
        mine.become(lambda version: None)
        other.become(lambda version: None)
    assert names(tmp_path) == ["1", "2"]
