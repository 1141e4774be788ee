"""Where snapshots lie: ``<work>/snapshots/<sha256>/``, each a copy of what was read and what is known of it."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from training.errors import DataError, TrainingError
from training.ingest.draft import Draft, Unwritten, written
from training.ingest.snapshot import RECORD, Snapshot
from training.record import digest_of, identity

_DRAFT: Final = ".draft-"


class SnapshotStore:
    """
    The snapshots of a work directory.

    A snapshot appears whole or not at all, and the same bytes are kept once.

    Parameters
    ----------
    directory : Path
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def get(self, sha256: str) -> Snapshot:
        """
        Return a snapshot that was kept, its bytes held to their digests.

        Raises
        ------
        DataError
            There is none, or its bytes are no longer what they were.
        """
        place = self.directory / sha256
        try:
            snapshot = Snapshot.from_json(place, json.loads((place / RECORD).read_bytes()))
            damaged = [part.path for part in snapshot.parts if digest_of(part.path) != part.sha256]
        except FileNotFoundError as error:
            raise DataError(
                f"there is no whole snapshot {sha256} in {self.directory}; ingest the source again"
            ) from error
        except OSError as error:
            raise DataError(f"snapshot {sha256} cannot be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{place / RECORD} is damaged; remove {place} and ingest the source again") from error
        if damaged or snapshot.sha256 != sha256:
            what = [*damaged, place / RECORD][0]
            raise DataError(f"{what} is damaged, for its digest is another; remove {place} and ingest the source again")
        return snapshot

    def latest(self, stream: str, consumer: str) -> Snapshot | None:
        """Return the newest sound snapshot that a consumer took of a stream, which it goes on from."""
        found: dict[int, list[str]] = {}
        for place in self.directory.glob(f"*/{RECORD}"):
            with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
                record = json.loads(place.read_bytes())
                # What a killed process has left is no snapshot, whatever it has written.
                if (record["sha256"], record["source"], record["consumer"]) == (place.parent.name, stream, consumer):
                    found.setdefault(record["batch"], []).append(place.parent.name)
        return next((self.get(sha256) for batch in sorted(found, reverse=True) for sha256 in found[batch]), None)

    def spools(self, stream: str, consumer: str) -> Path:
        """Return the directory for what a consumer takes from a pipe."""
        return self.directory / ".spools" / identity({"stream": stream, "consumer": consumer})

    @contextmanager
    def draft(self) -> Iterator[Draft]:
        """
        Give a snapshot to write, which is gone at the end unless it was kept.

        Raises
        ------
        TrainingError
            The disk is full, or the directory can't be written.
        """
        try:
            with self._claimed() as directory:
                yield Draft(directory)
        except Unwritten as error:
            raise TrainingError(
                f"a snapshot can't be written to {self.directory}: {error}; nothing of it is left there"
            ) from error

    def keep(self, draft: Draft, snapshot: Snapshot) -> Snapshot:
        """
        Keep what a draft has become.

        Returns
        -------
        snapshot : Snapshot
            As it lies there: where the same bytes were kept before, those.
        """
        draft.record(snapshot)
        # One after the other: what another has just put there is sound, and not to be taken for what is to be replaced.
        with written(), _lock(self.directory):
            if not self._is_sound(snapshot.sha256):
                draft.replace(self.directory / snapshot.sha256)
        return snapshot.over(self.get(snapshot.sha256))

    def _is_sound(self, sha256: str) -> bool:
        try:
            self.get(sha256)
        except DataError:
            return False
        return True

    @contextmanager
    def _claimed(self) -> Iterator[Path]:
        """Give a directory that is held while the block runs; those that nobody holds any more are swept."""
        directory = self.directory / f"{_DRAFT}{uuid4().hex}"
        with written():
            self.directory.mkdir(parents=True, exist_ok=True)
            with _lock(self.directory):
                for leftover in self.directory.glob(f"{_DRAFT}*"):
                    _sweep(leftover)
                directory.mkdir()
                held = os.open(directory, os.O_RDONLY)
                fcntl.flock(held, fcntl.LOCK_EX)
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)
            os.close(held)


@contextmanager
def _lock(directory: Path) -> Iterator[None]:
    with (directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sweep(leftover: Path) -> None:
    """Remove a draft unless the process that writes it is alive."""
    held = os.open(leftover, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(leftover, ignore_errors=True)
    except BlockingIOError:
        pass
    finally:
        os.close(held)
