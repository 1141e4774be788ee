"""Files wherever they are: what a name of the configuration stands for, and their bytes as they come."""

import io
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib import resources
from importlib.util import find_spec
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from fsspec.compression import compr
from fsspec.utils import glob_translate, infer_compression

from training.errors import ConfigurationError, DataError, first_line

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

_CHUNK_BYTES: Final = 1 << 20
_WILD: Final = re.compile(r"[*?[]")
_QUERY: Final = re.compile(r"\?[^\s<]*")
_COMPRESSIONS: Final = ("gzip", "bz2", "xz")
# What comes may take as long as it takes, as long as something comes: the library's own half a minute is for all of it. A
# store that is silent is asked six times, and one that breaks off at any time for the rest.
_PATIENCE: Final["ClientConfig"] = {"timeout": timedelta(days=7), "read_timeout": timedelta(seconds=30)}
_OPTIONS: Final = ("allow_http", "allow_invalid_certificates", "proxy_url", "proxy_ca_certificate", "proxy_excludes")
_RETRIES: Final["RetryConfig"] = {"max_retries": 5, "retry_timeout": timedelta(days=7)}


@dataclass(frozen=True)
class Location:
    """
    One file.

    Parameters
    ----------
    name : str
        As sentences and records call it, without secrets.
    path : PurePosixPath
        Whose suffixes tell format and compression.
    opened : callable
        Returns its bytes as a binary file.
    """

    name: str
    path: PurePosixPath
    opened: Callable[[], IO[bytes]]

    @property
    def suffix(self) -> str:
        """What the name ends in, in small letters, that of a compression left out."""
        plain = self.path.with_suffix("") if self._compression else self.path
        return plain.suffix.lower()

    @property
    def _compression(self) -> str | None:
        found = infer_compression(self.path.name)
        return found if found in _COMPRESSIONS else None

    def chunks(self) -> Iterator[bytes]:
        """
        Yield the bytes as they come, unpacked where they are compressed.

        Raises
        ------
        DataError
            They can't be read, or not to the end.
        """
        with ExitStack() as stack:
            try:
                file: Any = stack.enter_context(self.opened())
                if self._compression is not None:
                    file = stack.enter_context(compr[self._compression](file, mode="rb"))
                while chunk := file.read(_CHUNK_BYTES):
                    yield chunk
            except (OSError, EOFError, LZMAError, zlib.error) as error:
                raise _unreadable(self.name, error) from error


def located(name: str, base: Path) -> list[Location]:
    """
    Find the files that a name stands for.

    Parameters
    ----------
    name : str
        A path, ``package://PACKAGE/PATH``, ``s3://BUCKET/KEY``, ``gs://BUCKET/KEY`` or ``https://…``.
    base : Path
        Directory that a relative path starts from.

    Returns
    -------
    locations : list of Location
        In the order of their names; at least one.

    Raises
    ------
    ConfigurationError
        The name is of a kind that is not read here.
    DataError
        There is nothing of this name.
    """
    scheme = urlsplit(name).scheme if "://" in name else ""
    if scheme not in _KINDS:
        raise ConfigurationError(
            f"source is {name!r}; expected a path, package://PACKAGE/PATH, s3://, gs:// or https://"
        )
    try:
        found = _KINDS[scheme](name, base)
    except OSError as error:
        raise _unreadable(name, error) from error
    if not found:
        raise DataError(f"source {name!r} stands for no file; expected at least one")
    return found


def _unreadable(name: str, error: Exception) -> DataError:
    reason = getattr(error, "strerror", None) or first_line(error)
    return DataError(f"source {name!r} cannot be read: {reason}")


def _paths(name: str, base: Path) -> list[Location]:
    path = base / name
    if path.exists() or not _WILD.search(name):
        return [_path(name, path)]
    # An absolute pattern takes the place of the base, and there glob starts from the root.
    root, pattern = (Path("/"), name.lstrip("/")) if Path(name).is_absolute() else (base, name)
    files = sorted(file for file in root.glob(pattern) if file.is_file())
    return [_path(str(file if root == Path("/") else file.relative_to(base)), file) for file in files]


def _path(name: str, path: Path) -> Location:
    return Location(name, PurePosixPath(path), lambda: path.open("rb"))


def _package_file(name: str, base: Path) -> list[Location]:  # noqa: ARG001 -- every kind is called alike
    package, _, path = name.removeprefix("package://").partition("/")
    if not _is_package(package):
        raise DataError(f"source {name!r} names package {package!r}, which is not an installed one")
    file = resources.files(package).joinpath(path)
    return [Location(name, PurePosixPath(path), lambda: file.open("rb"))]


def _is_package(name: str) -> bool:
    try:
        spec = find_spec(name)
    except (ModuleNotFoundError, ValueError):
        return False
    return spec is not None and spec.submodule_search_locations is not None


def _objects(name: str, base: Path) -> list[Location]:  # noqa: ARG001 -- every kind is called alike
    scheme, _, rest = name.partition("://")
    bucket, _, key = rest.partition("/")
    if not _WILD.search(key):
        return [_object(f"{scheme}://{bucket}", key)]
    import obstore  # noqa: PLC0415 -- only where a source is in a store

    matches = re.compile(glob_translate(key)).fullmatch
    prefix = key[: _first_wild(key)].rpartition("/")[0]
    with _asked(name):
        listed = [entry["path"] for page in obstore.list(_store(f"{scheme}://{bucket}"), prefix) for entry in page]
    return [_object(f"{scheme}://{bucket}", found) for found in sorted(listed) if matches(found)]


def _first_wild(key: str) -> int:
    found = _WILD.search(key)
    return found.start() if found else len(key)


def _object(bucket: str, key: str) -> Location:
    return Location(f"{bucket}/{key}", PurePosixPath(key), lambda: _got(f"{bucket}/{key}", bucket, key))


def _page(name: str, base: Path) -> list[Location]:  # noqa: ARG001 -- every kind is called alike
    # What a query holds is often a signature, which has no business in a record.
    plain = name.partition("?")[0]
    return [Location(plain, PurePosixPath(urlsplit(plain).path), lambda: _got(plain, name, ""))]


def _got(name: str, url: str, path: str) -> IO[bytes]:
    import obstore  # noqa: PLC0415 -- only where a source is in a store

    with _asked(name):
        return io.BufferedReader(_Streamed(name, obstore.get(_store(url), path).stream()))


def _store(url: str) -> Any:
    from obstore.store import from_url  # noqa: PLC0415 -- only where a source is in a store

    options: Any = {**_PATIENCE, **_client_options(url)}
    return from_url(url, retry_config=_RETRIES, client_options=options)


def _client_options(url: str) -> dict[str, Any]:
    """Return what the environment says of a store's client, which options of ours would take the place of."""
    scheme = urlsplit(url).scheme
    if scheme == "s3":
        return {key: given for key in _OPTIONS if (given := os.environ.get(f"AWS_{key.upper()}"))}
    # Who writes http:// has asked for it; where a bucket of Google's is, is said by the account and mostly by nobody.
    return {"allow_http": scheme != "https"}


@contextmanager
def _asked(name: str) -> Iterator[None]:
    """Turn what a store says into a sentence."""
    from obstore.exceptions import BaseError  # noqa: PLC0415 -- only where a source is in a store

    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"source {name!r} cannot be read: there is no such file") from error
    except (BaseError, OSError) as error:
        raise DataError(f"source {name!r} cannot be read: {_QUERY.sub('?…', first_line(error))}") from error


class _Streamed(io.RawIOBase):
    """What a store sends, as a file; a store that fails half-way is asked for the rest by the library."""

    def __init__(self, name: str, chunks: Iterable[Any]) -> None:
        self._name = name
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            with _asked(self._name):
                chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        taken = min(len(buffer), len(self._rest))
        buffer[:taken] = self._rest[:taken]
        self._rest = self._rest[taken:]
        return taken


_KINDS: Final[Mapping[str, Callable[[str, Path], list[Location]]]] = {
    "": _paths,
    "package": _package_file,
    "s3": _objects,
    "gs": _objects,
    "https": _page,
    "http": _page,
}
