"""Writing a version's directory so that it is there whole or not at all."""

import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from model.artifact.names import next_version

_PREFIX: Final = ".publish-"
_TAKEN: Final = frozenset({errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR})


class Staging:
    """
    A temporary directory beside the versions, which becomes one of them by a rename.

    Parameters
    ----------
    path : Path
        Of the temporary directory; its name begins with a dot, so that no server takes it for a version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, write: Callable[[BinaryIO], object]) -> None:
        """Write a file and wait until it is on the disk; whoever the umask allows can read it."""
        with (self.path / name).open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())

    def become(self, describe: Callable[[int], None]) -> Path:
        """
        Rename the directory to the next version, and return its new path.

        Parameters
        ----------
        describe : callable
            Writes what depends on the version's number; called again if another publisher takes that number first.
        """
        while True:
            version = next_version(self.path.parent)
            describe(version)
            _sync(self.path)
            target = self.path.parent / str(version)
            if self._renamed(target):
                return target

    def _renamed(self, target: Path) -> bool:
        try:
            # On POSIX a directory is never renamed onto another that holds anything.
            self.path.rename(target)
        except OSError as error:
            if error.errno in _TAKEN:
                return False
            raise
        try:
            _sync(target.parent)
        except BaseException:
            target.rename(self.path)
            raise
        return True


@contextmanager
def staging(directory: Path) -> Iterator[Staging]:
    """
    Make a temporary directory in a model's directory, and leave none behind: neither this, nor those of dead publishers.

    Parameters
    ----------
    directory : Path
        Of the model, ``<root>/<name>``; made if need be, and removed again if no version comes to stand in it.
    """
    made = not directory.exists()
    directory.mkdir(parents=True, exist_ok=True)
    sweep(directory)
    path, lock = _temporary(directory)
    try:
        _sync(directory.parent)
        yield Staging(path)
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)
        if made:
            with suppress(OSError):  # not empty: a version stands in it
                directory.rmdir()


def sweep(directory: Path) -> None:
    """
    Remove the temporary directories of publishers that were killed.

    Parameters
    ----------
    directory : Path
        Of the model.
    """
    for path in directory.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # of a live publisher, gone meanwhile, or where the file system has no locks
            lock = _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
            os.close(lock)


def abandoned(directory: Path) -> list[Path]:
    """Return the temporary directories in a model's directory that ``sweep`` would remove."""
    found = []
    for path in sorted(directory.glob(f"{_PREFIX}*")):
        with suppress(OSError):
            os.close(_locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB))
            found.append(path)
    return found


def remove(version: Path) -> None:
    """Remove a version's directory: it is gone at once, and what a process that is killed leaves of it is swept."""
    hidden = version.parent / f"{_PREFIX}{secrets.token_hex(8)}"
    version.rename(hidden)
    _sync(version.parent)
    shutil.rmtree(hidden)


def _temporary(directory: Path) -> tuple[Path, int]:
    """Make a directory that nobody sweeps while its lock is held, that is, until this process closes it or ends."""
    while True:
        path = directory / f"{_PREFIX}{secrets.token_hex(8)}"
        path.mkdir(parents=True)
        with suppress(FileNotFoundError):  # swept before it was locked
            lock = _locked(path, fcntl.LOCK_EX)
            if path.exists():
                return path, lock
            os.close(lock)


def _locked(directory: Path, how: int) -> int:
    """Return a descriptor of a directory that holds its lock, or none of it where the file system has no locks."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, how)
    except OSError:
        if how & fcntl.LOCK_NB:
            os.close(descriptor)
            raise
    return descriptor


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems sync no directories
            raise
    finally:
        os.close(descriptor)


def write_file(directory: Path, name: str, content: bytes) -> None:
    """Write a file of a directory that is in use: it is there as it was, or as it is to be."""
    temporary = directory / f".{name}-{secrets.token_hex(8)}"
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(directory / name)
    finally:
        temporary.unlink(missing_ok=True)
    _sync(directory)
