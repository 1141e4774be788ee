"""What files say, read anew once they have changed."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from model.errors import ArtifactError
from model.renewal import EVERY_SECONDS, Renewed


class Clock:
    """Seconds that pass when told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self) -> None:
        self.now += EVERY_SECONDS


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "file"
    file.write_text("one")
    return file


def reading(file: Path, reads: list[str] | None = None) -> Callable[[], str]:
    def read() -> str:
        try:
            text = file.read_text()
        except OSError as error:
            raise ArtifactError("It can't be read.") from error
        if text == "bad":
            raise ArtifactError("It is bad.")
        if reads is not None:
            reads.append(text)
        return text

    return read


def test_a_change_is_seen_but_not_at_once(file: Path, clock: Clock) -> None:
    renewed = Renewed([file], reading(file), clock=clock)
    file.write_text("three")
    clock.now = EVERY_SECONDS * 0.9
    assert renewed.current() == "one"
    clock.pass_by()
    assert renewed.current() == "three"


def test_a_change_of_the_time_alone_is_seen(file: Path, clock: Clock) -> None:
    renewed = Renewed([file], reading(file), clock=clock)
    file.write_text("two")
    os.utime(file, ns=(1, 1))
    clock.pass_by()
    assert renewed.current() == "two"


def test_what_did_not_change_is_not_read_again(file: Path, clock: Clock) -> None:
    reads: list[str] = []
    renewed = Renewed([file], reading(file, reads), clock=clock)
    for _ in range(3):
        clock.pass_by()
        assert renewed.current() == "one"
    assert reads == ["one"]


def test_a_link_that_is_swapped_is_seen(file: Path, clock: Clock, tmp_path: Path) -> None:
    """As Kubernetes does with the files of a secret."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    data = tmp_path / "data"
    data.symlink_to("a")
    renewed = Renewed([data / "file"], reading(data / "file"), clock=clock)
    (tmp_path / "new").symlink_to("b")
    (tmp_path / "new").rename(data)
    clock.pass_by()
    assert renewed.current() == "b"


@pytest.mark.parametrize("harm", [lambda file: file.write_text("bad"), Path.unlink], ids=["bad", "gone"])
def test_what_can_not_be_used_leaves_the_old_and_is_told_once(
    file: Path, clock: Clock, harm: Callable[[Path], object]
) -> None:
    renewed = Renewed([file], reading(file), clock=clock)
    harm(file)
    with capture_logs() as log:
        for _ in range(3):
            clock.pass_by()
            assert renewed.current() == "one"
    (line,) = log
    assert line["log_level"] == "error"
    assert line["files"] == [str(file)]
    file.write_text("mended")
    clock.pass_by()
    assert renewed.current() == "mended"


def test_what_changes_while_it_is_read_is_read_again(tmp_path: Path, clock: Clock) -> None:
    """A certificate and its key are never those of two renewals."""
    first, second = tmp_path / "first", tmp_path / "second"

    def write(text: str) -> None:
        first.write_text(text)
        second.write_text(text)

    meanwhile: list[str] = []

    def read() -> str:
        text = first.read_text()
        if meanwhile:
            write(meanwhile.pop())
        return text + second.read_text()

    write("a")
    renewed = Renewed([first, second], read, clock=clock)
    write("bb")
    meanwhile.append("ccc")
    clock.pass_by()
    assert renewed.current() == "aa"
    clock.pass_by()
    assert renewed.current() == "cccccc"


def test_nobody_waits_while_another_thread_reads(file: Path, clock: Clock) -> None:
    entered, leave = threading.Event(), threading.Event()
    texts = iter(["one", "two"])

    def read() -> str:
        text = next(texts)
        if text == "two":
            entered.set()
            assert leave.wait(20)
        return text

    renewed = Renewed([file], read, clock=clock)
    file.write_text("three")
    clock.pass_by()
    reader = threading.Thread(target=renewed.current)
    reader.start()
    assert entered.wait(20)
    clock.pass_by()
    assert renewed.current() == "one"
    leave.set()
    reader.join(20)
    assert renewed.current() == "two"


def test_files_that_can_not_be_used_to_begin_with_are_refused(file: Path) -> None:
    file.write_text("bad")
    with pytest.raises(ArtifactError, match="It is bad"):
        Renewed([file], reading(file))
