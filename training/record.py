"""Records of what was done: JSON for people, digests of what decided it, and files that appear whole or not at all."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

_ID_LENGTH: Final = 16


def identity(ingredients: Mapping[str, Any]) -> str:
    """Return the short digest of JSON values that names what is made of them."""
    canonical = json.dumps(ingredients, sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(canonical).hexdigest()[:_ID_LENGTH]


def readable(content: Mapping[str, Any]) -> bytes:
    """Return JSON for people."""
    return (json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)


@contextmanager
def directory_made_whole(path: Path) -> Iterator[Path]:
    """
    Give an empty directory beside ``path``, which takes its place once the block has ended.

    What stood there before is replaced; what a killed process left behind is swept first.
    """
    partial = path.with_name(f".{path.name}.partial")
    for leftover in (partial, path):
        shutil.rmtree(leftover, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    partial.replace(path)


def digest_of(path: Path) -> str:
    """Return the hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
