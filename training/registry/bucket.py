"""A model root in a bucket of S3 or GCS."""

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import GCSStore, S3Store

from model.artifact.manifest import MANIFEST_FILE
from model.artifact.names import VERSION, is_model_name
from training.errors import RegistryError
from training.registry.cache import Cache
from training.registry.claim import Claim
from training.registry.root import Content, Write
from training.registry.version import verified

if TYPE_CHECKING:
    from obstore import UpdateVersion
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

_ATTEMPTS: Final = 20
_REQUESTS_AT_ONCE: Final = 8
# A large file may take as long as it takes, as long as something comes: the library's own half a minute is for all of it.
_PATIENCE: Final["ClientConfig"] = {"timeout": timedelta(days=1), "read_timeout": timedelta(seconds=30)}
_RETRY: Final["RetryConfig"] = {"max_retries": 4, "retry_timeout": timedelta(seconds=60)}


class BucketRoot:
    """
    A model root in a bucket; ``Root`` says what each method does.

    Parameters
    ----------
    url : str
        ``s3://bucket/prefix`` or ``gs://bucket/prefix``.
    cache : Path
        Where versions that are fetched are kept.
    """

    def __init__(self, url: str, cache: Path) -> None:
        self._url = url.rstrip("/")
        self._cache = Cache(cache)
        with self._failing("can't be opened", ""):
            self._store = _store(self._url)

    @property
    def url(self) -> str:
        """The URL."""
        return self._url

    def names(self) -> list[str]:
        """Return what may be models."""
        return [name for name in self._children("") if is_model_name(name)]

    def numbers(self, name: str) -> list[int]:
        """Return the numbers whose manifest is one, and no claim."""
        taken = self._taken(name)
        with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as threads:
            found = threads.map(lambda number: self._manifest(name, number), taken)
            return [number for number, content in zip(taken, found, strict=True) if content is not None]

    def read(self, key: str) -> Content | None:
        """Read an object."""
        with self._failing("can't be read", key):
            try:
                result = obstore.get(self._store, key)
            except FileNotFoundError:
                return None
            return Content(bytes(result.bytes()), result.meta["e_tag"], result.meta["version"])

    def write(self, key: str, data: bytes, over: Content | None) -> bool:
        """Write an object on a condition that the store checks."""
        with self._failing("can't be written", key):
            try:
                obstore.put(self._store, key, data, mode="create" if over is None else _unchanged(over))
            except (AlreadyExistsError, PreconditionError, FileNotFoundError):
                # The store's answer to a first attempt may have been lost, so that a second one found the first's.
                found = self.read(key)
                return found is not None and found.data == data
        return True

    def keys(self, prefix: str) -> list[str]:
        """Return the objects below a prefix."""
        with self._failing("can't be listed", prefix):
            return sorted(item["path"] for chunk in obstore.list(self._store, prefix) for item in chunk)

    def publish(self, name: str, write: Write) -> int:
        """
        Write the version on the local disk, claim its number, upload its files, and put the manifest in place of the claim.

        Where that fails, or the process is killed, the claim stays: nobody takes it for a version, and ``sweep`` removes it.
        """
        with tempfile.TemporaryDirectory(prefix="publish-") as scratch:
            for attempt in range(_ATTEMPTS):
                number = 1 + max(self._taken(name), default=0)
                directory = _written(Path(scratch) / str(attempt), name, number, write)
                if self.write(_key(name, number, MANIFEST_FILE), Claim().to_json(), None):
                    self._upload(directory, name, number)
                    return number
        raise RegistryError(
            f"{self.url}/{name} got {_ATTEMPTS} other versions while this one was being written; nothing was published, "
            f"see who publishes all the time."
        )

    def fetch(self, name: str, number: int) -> Path:
        """Return the version's directory in the cache."""
        manifest = self._manifest(name, number)
        if manifest is None:
            raise RegistryError(f"{self.url} has no {name}/{number}; expected a version that was published.")

        def download(file: str, path: Path) -> None:
            self._download(_key(name, number, file), path)

        return self._cache.directory(f"{self.url}/{name}/{number}", manifest.data, download)

    def remove(self, name: str, number: int) -> None:
        """Put a claim in place of the manifest, and then remove what is vouched for no more."""
        key = _key(name, number, MANIFEST_FILE)
        content = self.read(key)
        if content is None or not self.write(key, Claim().to_json(), content):
            return  # Somebody else was faster: with removing, or with publishing.
        for other in self.keys(f"{name}/{number}"):
            if other != key:
                self._delete(other)
        if number < max(self.numbers(name), default=0):  # else the number would be given a second time
            self._delete(key)

    def leftovers(self, name: str, before: datetime) -> list[str]:
        """Return the numbers that were claimed long ago."""
        return [str(number) for number in self._taken(name) if self._abandoned(name, number, before)]

    def sweep(self, name: str, before: datetime) -> None:
        """Remove what was uploaded under these numbers."""
        for number in self.leftovers(name, before):
            self.remove(name, int(number))

    def _upload(self, directory: Path, name: str, number: int) -> None:
        place = _key(name, number, MANIFEST_FILE)
        claim = self.read(place)
        for path in sorted(directory.iterdir()):
            if path.name != MANIFEST_FILE:
                key = _key(name, number, path.name)
                with self._failing("can't be written", key):
                    obstore.put(self._store, key, path)
        manifest = (directory / MANIFEST_FILE).read_bytes()
        if claim is None or not self.write(place, manifest, claim):
            raise RegistryError(
                f"{self.url}/{name}/{number} was swept away while it was uploaded; nothing was published: publish again, "
                f"and let gc wait for longer than an upload takes."
            )

    def _download(self, key: str, path: Path) -> None:
        with self._failing("can't be read", key), suppress(FileNotFoundError):
            result = obstore.get(self._store, key)
            with path.open("wb") as file:
                for chunk in result.stream():
                    file.write(chunk)

    def _delete(self, key: str) -> None:
        with self._failing("can't be removed", key), suppress(FileNotFoundError):
            obstore.delete(self._store, key)

    def _taken(self, name: str) -> list[int]:
        return sorted(int(child) for child in self._children(name) if VERSION.fullmatch(child))

    def _children(self, prefix: str) -> list[str]:
        with self._failing("can't be listed", prefix):
            found = obstore.list_with_delimiter(self._store, prefix)
            return sorted(child.rpartition("/")[2] for child in found["common_prefixes"])

    def _manifest(self, name: str, number: int) -> Content | None:
        content = self.read(_key(name, number, MANIFEST_FILE))
        return None if content is None or Claim.parse(content.data) else content

    def _abandoned(self, name: str, number: int, before: datetime) -> bool:
        content = self.read(_key(name, number, MANIFEST_FILE))
        claim = None if content is None else Claim.parse(content.data)
        return claim is not None and claim.at < before

    @contextmanager
    def _failing(self, how: str, key: str) -> Iterator[None]:
        """Say in one sentence what the store said in many."""
        try:
            yield
        except (BaseError, OSError, ValueError) as error:
            said = str(error).strip().partition("\n")[0]
            place = f"{self._url}/{key}".rstrip("/")
            raise RegistryError(
                f"{place} {how}: {said}; see the bucket's name, the credentials in the environment, and the network."
            ) from error


def _written(root: Path, name: str, number: int, write: Write) -> Path:
    """Let a version be written under its number on the local disk, and verify it."""
    (root / name / str(number - 1)).mkdir(parents=True)  # after which that number comes
    directory = write(root)
    if directory != root / name / str(number):
        raise RegistryError(f"{directory} was published, and version {number} of {name!r} was expected.")
    verified(directory)
    return directory


def _unchanged(content: Content) -> "UpdateVersion":
    condition: UpdateVersion = {}
    if content.tag is not None:
        condition["e_tag"] = content.tag
    if content.generation is not None:
        condition["version"] = content.generation
    return condition


def _key(name: str, number: int, file: str) -> str:
    return f"{name}/{number}/{file}"


def _store(url: str) -> "ObjectStore":
    parts = urlsplit(url)
    prefix = parts.path.strip("/") or None
    if parts.scheme == "gs":
        # Where it is, is said by the account, and mostly by nobody.
        anywhere: ClientConfig = {**_PATIENCE, "allow_http": True}
        return GCSStore(parts.netloc, prefix=prefix, retry_config=_RETRY, client_options=anywhere)
    endpoint = os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT") or ""
    options: ClientConfig = {**_PATIENCE, "allow_http": endpoint.startswith("http://")}
    return S3Store(parts.netloc, prefix=prefix, retry_config=_RETRY, client_options=options)


__all__ = ["BucketRoot"]
