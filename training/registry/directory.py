"""A model root on disk."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from model.artifact.manifest import MANIFEST_FILE
from model.artifact.names import VERSION, is_model_name
from model.artifact.staging import abandoned, remove, sweep, write_file
from training.errors import RegistryError
from training.registry.root import Content, Write
from training.registry.version import verified


class DirectoryRoot:
    """
    A model root on disk; ``Root`` says what each method does.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def url(self) -> str:
        """The path."""
        return str(self.path)

    def names(self) -> list[str]:
        """Return the directories that may be models."""
        return [name for name in self._listed(self.path) if is_model_name(name) and (self.path / name).is_dir()]

    def numbers(self, name: str) -> list[int]:
        """Return the numbered directories that have a manifest."""
        directory = self.path / name
        found = (int(child) for child in self._listed(directory) if VERSION.fullmatch(child))
        return sorted(number for number in found if (directory / str(number) / MANIFEST_FILE).is_file())

    def read(self, key: str) -> Content | None:
        """Read a file; no lock is needed, for files are replaced whole."""
        try:
            return Content((self.path / key).read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RegistryError(f"{self.path / key} can't be read: {error.strerror}; mend its permissions.") from error

    def write(self, key: str, data: bytes, over: Content | None) -> bool:
        """Compare and replace, with the model's directory locked."""
        path = self.path / key
        try:
            with _locked(self.path / Path(key).parts[0]):
                if self.read(key) != over:
                    return False
                path.parent.mkdir(exist_ok=True)
                for left in path.parent.glob(f".{path.name}-*"):  # by a writer that was killed
                    left.unlink()
                write_file(path.parent, path.name, data)
        except OSError as error:
            raise RegistryError(
                f"{path} can't be written: {error.strerror}; it is as it was, make room or mend the permissions."
            ) from error
        return True

    def keys(self, prefix: str) -> list[str]:
        """Return the files of a directory but for hidden ones, which are being written."""
        return [f"{prefix}/{name}" for name in self._listed(self.path / prefix) if not name.startswith(".")]

    def publish(self, name: str, write: Write) -> int:
        """Let the version be written in its place, where it appears by a rename."""
        directory = write(self.path)
        if directory.parent != self.path / name:
            raise RegistryError(f"{directory} was published, and a version of {name!r} was expected.")
        return int(directory.name)

    def fetch(self, name: str, number: int) -> Path:
        """Return the version's own directory."""
        directory = self.path / name / str(number)
        verified(directory)
        return directory

    def remove(self, name: str, number: int) -> None:
        """Hide the directory by a rename, and then remove it."""
        try:
            with suppress(FileNotFoundError):  # somebody else has removed it
                remove(self.path / name / str(number))
        except OSError as error:
            raise RegistryError(
                f"{self.path / name / str(number)} can't be removed: {error.strerror}; mend its permissions."
            ) from error

    def leftovers(self, name: str, before: datetime) -> list[str]:  # noqa: ARG002 -- a lock tells more than a time
        """Return the temporary directories of publishers that were killed; a living one holds a lock."""
        return [path.name for path in abandoned(self.path / name)]

    def sweep(self, name: str, before: datetime) -> None:  # noqa: ARG002 -- as above
        """Remove these directories."""
        sweep(self.path / name)

    @staticmethod
    def _listed(directory: Path) -> list[str]:
        try:
            return sorted(path.name for path in directory.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RegistryError(
                f"{directory} can't be listed: {error.strerror}; expected a directory that can be read."
            ) from error


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold a model's directory, until the block is left or the process ends."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
