"""A stream of JSON lines: a file that grows, a named pipe, standard input."""

import fcntl
import hashlib
import os
import select
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from training.config.source import Source
from training.errors import ConfigurationError, DataError
from training.ingest.batch import Batch, Message, Offsets
from training.ingest.draft import written
from training.ingest.formats.limits import LONGER_ROWS

_HEAD_BYTES: Final = 4096
_SPLICE_BYTES: Final = 1 << 20
_STANDARD_INPUT: Final = "-"


class GrowingFile:
    """
    A file of JSON lines that others append to.

    Its offsets tell how many bytes of it were read, and the digest of its beginning, by which another file of the same
    name is told from it.

    Parameters
    ----------
    name : str
    path : Path
    limits : Source
        Its most rows of a batch, and most bytes of a row.
    """

    def __init__(self, name: str, path: Path, limits: Source) -> None:
        self.name = name
        self._path = path
        self._limits = limits

    @contextmanager
    def batch(self, offsets: Offsets | None) -> Iterator[Batch]:
        """Give the lines that have come since, those that have ended."""
        with self._opened() as file:
            position = int((offsets or {}).get("position", 0))
            if offsets and _head(file, position) != offsets["head"]:
                raise DataError(
                    f"{self.name!r} is not the file that was read up to byte {position}: it was cut or replaced; append "
                    f"to a stream, or name the new file"
                )
            yield Batch(
                self._messages(file, position),
                {"position": position},
                lambda reached: {**reached, "head": _head(file, reached["position"])},
            )

    def _opened(self) -> BinaryIO:
        try:
            return self._path.open("rb")
        except OSError as error:
            raise DataError(f"stream {self.name!r} cannot be read: {error.strerror}") from error

    def _messages(self, file: BinaryIO, position: int) -> Iterator[Message]:
        for begin, end, line in _ended_lines(file, position, self._limits, self.name):
            yield Message(line, f"byte {begin}", {"position": end})


class Pipe:
    """
    A pipe of JSON lines.

    What a pipe has given it does not give again. So the kernel moves it into a file, the spool, without a byte of it ever
    being held by this process alone: at whatever moment that is killed, each byte is in the pipe or in the spool. From there
    on it is a file that grows.

    Parameters
    ----------
    name : str
    path : Path or None
        Of a named pipe; None: standard input.
    spools : Path
        Directory for its spools.
    limits : Source
        Its most rows and seconds of a batch, and most bytes of a row.
    """

    def __init__(self, name: str, path: Path | None, spools: Path, limits: Source) -> None:
        self.name = name
        self._path = path
        self._spools = spools
        self._limits = limits

    @contextmanager
    def batch(self, offsets: Offsets | None) -> Iterator[Batch]:
        """Wait for lines as long as the configuration says, and give those that have ended."""
        number, position = (int(offsets["spool"]), int(offsets["position"])) if offsets else (0, 0)
        with written():
            self._spools.mkdir(parents=True, exist_ok=True)
        with self._held():
            number, position = self._going_on(number, position)
            with written():
                spool = self._spool(number).open("a+b")
            with spool, written_through(self._spool(number)) as target:
                self._pump(target, position)
                messages = self._messages(spool, number, position)
                yield Batch(messages, {"spool": number, "position": position})

    def _messages(self, spool: BinaryIO, number: int, position: int) -> Iterator[Message]:
        for begin, end, line in _ended_lines(spool, position, self._limits, self.name):
            yield Message(line, f"byte {begin} of spool {number}", {"spool": number, "position": end})

    def _going_on(self, number: int, position: int) -> tuple[int, int]:
        """Begin another spool where a snapshot has all of this one."""
        spool = self._spool(number)
        if position and spool.exists() and spool.stat().st_size == position:
            spool.unlink()
        return (number, position) if spool.exists() or not position else (number + 1, 0)

    def _spool(self, number: int) -> Path:
        return self._spools / f"{number}.jsonl"

    @contextmanager
    def _held(self) -> Iterator[None]:
        with (self._spools / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _opened(self) -> Iterator[int]:
        if self._path is None:
            yield 0
            return
        try:
            # Waits for no writer, who may be there already or come within the time.
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            raise DataError(f"stream {self.name!r} cannot be read: {error.strerror}") from error
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _pump(self, spool: int, position: int) -> None:
        """Move what comes into the spool, until there are rows enough, the time is up, or the writer has left."""
        end = time.monotonic() + self._limits.batch_seconds
        rows = _count(spool, position)
        with self._opened() as pipe:
            polled = select.poll()
            polled.register(pipe, select.POLLIN)
            while rows < self._limits.batch_rows and (left := end - time.monotonic()) > 0:
                size = os.fstat(spool).st_size
                if not polled.poll(left * 1000):
                    return
                with written():
                    moved = os.splice(pipe, spool, _SPLICE_BYTES, offset_dst=size)
                if moved == 0:
                    self._end_line(spool, size)
                    return
                rows += _count(spool, size)

    @staticmethod
    def _end_line(spool: int, size: int) -> None:
        """End a line that its writer has left unfinished, lest another's be taken for the rest of it."""
        if size and os.pread(spool, 1, size - 1) != b"\n":
            with written():
                os.pwrite(spool, b"\n", size)


@contextmanager
def written_through(path: Path) -> Iterator[int]:
    """Give a descriptor by which a file can be read and written anywhere."""
    with written():
        descriptor = os.open(path, os.O_RDWR)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def line_stream(source: Source, base: Path, spools: Path) -> GrowingFile | Pipe:
    """
    Return the stream of a configuration.

    Parameters
    ----------
    source : Source
        Whose ``stream`` is set.
    base : Path
        Directory that a relative path starts from.
    spools : Path
        Directory for what comes by a pipe.

    Raises
    ------
    ConfigurationError
        Standard input is no pipe.
    DataError
        There is no such file.
    """
    name = str(source.stream)
    if name == _STANDARD_INPUT:
        if not stat.S_ISFIFO(os.fstat(0).st_mode):
            raise ConfigurationError(
                "stream is '-', and standard input is no pipe; expected one, or the name of a file"
            )
        return Pipe("standard input", None, spools, source)
    path = base / name
    try:
        is_pipe = stat.S_ISFIFO(path.stat().st_mode)
    except OSError as error:
        raise DataError(f"stream {name!r} cannot be read: {error.strerror}") from error
    return Pipe(name, path, spools, source) if is_pipe else GrowingFile(name, path, source)


def _ended_lines(file: BinaryIO, position: int, limits: Source, name: str) -> Iterator[tuple[int, int, bytes]]:
    """Yield the lines that have ended and are not blank, with where each begins and ends."""
    rows = 0
    file.seek(position)
    while rows < limits.batch_rows:
        line = file.readline(limits.max_row_bytes + 1)
        if len(line) > limits.max_row_bytes:
            raise DataError(
                f"stream {name!r} has more than {limits.max_row_bytes} bytes in the line at byte {position}; {LONGER_ROWS}"
            )
        if not line.endswith(b"\n"):
            return
        begin, position = position, position + len(line)
        if line.strip():
            rows += 1
            yield begin, position, line


def _head(file: BinaryIO, position: int) -> str:
    """Return the digest of the beginning, as far as it was read."""
    file.seek(0)
    return hashlib.sha256(file.read(min(position, _HEAD_BYTES))).hexdigest()


def _count(file: int, position: int) -> int:
    """Return the number of lines that end after a position."""
    lines = 0
    while chunk := os.pread(file, _SPLICE_BYTES, position):
        lines += chunk.count(b"\n")
        position += len(chunk)
    return lines
