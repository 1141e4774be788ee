"""A snapshot that is being written."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

from training.config.source import Format
from training.ingest.snapshot import RECORD, Part, Snapshot
from training.record import digest_of, readable

_SUFFIX: Final = {Format.CSV: "csv", Format.JSON: "json", Format.JSON_LINES: "jsonl", Format.PARQUET: "parquet"}


class Unwritten(Exception):
    """What is read can't be written: the disk is full, say."""


@contextmanager
def written() -> Iterator[None]:
    """Tell an error of writing from one of reading."""
    try:
        yield
    except OSError as error:
        raise Unwritten(error.strerror or str(error)) from error


class Draft:
    """
    A snapshot that is being written.

    Parameters
    ----------
    directory : Path
        Empty, and its own.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files = 0

    def path(self, format_: Format) -> Path:
        """Return where the next file goes."""
        self._files += 1
        number = f"-{self._files}" if self._files > 1 else ""
        return self._directory / f"data{number}.{_SUFFIX[format_]}"

    def copy(self, chunks: Iterable[bytes], format_: Format, name: str, **known: Any) -> Part:
        """
        Write the bytes of a file as they come, a chunk in memory at a time.

        Raises
        ------
        Unwritten
        """
        path, digest, size = self.path(format_), hashlib.sha256(), 0
        with written():
            file = path.open("xb")
        with file:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                with written():
                    file.write(chunk)
            with written():
                file.flush()
                os.fsync(file.fileno())
        return Part(path, name, digest.hexdigest(), size, known)

    def adopt(self, path: Path, name: str, **known: Any) -> Part:
        """Take a file that was written to ``path`` of ours."""
        with written():
            _sync(path)
            return Part(path, name, digest_of(path), path.stat().st_size, known)

    def share(self, part: Part, format_: Format) -> Part:
        """Take a file of another snapshot, without a second copy where the file system has hard links."""
        path = self.path(format_)
        with written():
            try:
                path.hardlink_to(part.path)
            except OSError:
                shutil.copyfile(part.path, path)
                _sync(path)
        return Part(path, part.name, part.sha256, part.bytes, part.known)

    @contextmanager
    def notes(self, name: str) -> Iterator[Callable[[bytes], None]]:
        """Give what appends to a file that is no part of the rows; where nothing is appended there is none."""
        with ExitStack() as stack:
            file: BinaryIO | None = None

            def append(content: bytes) -> None:
                nonlocal file
                with written():
                    if file is None:
                        file = stack.enter_context((self._directory / name).open("xb"))
                    file.write(content)

            yield append
            if file is not None:
                with written():
                    file.flush()
                    os.fsync(file.fileno())

    def record(self, snapshot: Snapshot) -> None:
        """Write what is known of it."""
        with self.notes(RECORD) as append:
            append(readable(snapshot.as_json()))
        with written():
            _sync(self._directory)

    def replace(self, place: Path) -> None:
        """Take a place, whatever damaged thing stands there."""
        if place.exists():
            place.rename(self._directory / "damaged")
            shutil.rmtree(self._directory / "damaged")
        with suppress(FileExistsError):  # another process has just written the same
            self._directory.rename(place)
        _sync(place.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
