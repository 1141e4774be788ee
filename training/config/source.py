"""Where rows come from."""

import hashlib
from enum import StrEnum
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import Field, field_serializer, field_validator, model_validator

from training.config.section import Section

_MEBIBYTE: Final = 1 << 20


class Format(StrEnum):
    """How rows are written in a file."""

    CSV = "csv"
    JSON = "json"
    JSON_LINES = "jsonl"
    PARQUET = "parquet"


class Source(Section):
    """
    Where rows come from; a text or a list of texts in its place names files.

    Parameters
    ----------
    files : tuple of str
        Paths, relative to the configuration file, ``package://PACKAGE/PATH``, ``s3://``, ``gs://`` or ``https://``; in
        paths and in keys of a bucket, ``*``, ``?``, ``[…]`` and ``**`` stand for several.
    format : Format or None
        Of these files. None: by their suffix.
    max_row_bytes : int
        Most bytes that a row may have.
    """

    files: Annotated[tuple[str, ...], Field(min_length=1)]
    format: Format | None = None
    max_row_bytes: Annotated[int, Field(strict=True, gt=0)] = 16 * _MEBIBYTE

    @field_serializer("files", when_used="json")
    def _without_queries(self, files: tuple[str, ...]) -> list[str]:
        """Leave the queries of URLs, which may be signatures, out of every record; which they were shows in a digest."""
        return [_without_query(file) for file in files]

    @model_validator(mode="before")
    @classmethod
    def _in_short(cls, given: Any) -> Any:
        if isinstance(given, str):
            return {"files": [given]}
        if isinstance(given, list):
            return {"files": given}
        if isinstance(given, dict) and isinstance(given.get("files"), str):
            return {**given, "files": [given["files"]]}
        if not isinstance(given, dict):
            msg = "expected a file, a list of files, or keys such as files and format"
            raise ValueError(msg)  # noqa: TRY004 -- pydantic tells a ValueError alone
        return given

    @field_validator("files")
    @classmethod
    def _without_passwords(cls, files: tuple[str, ...]) -> tuple[str, ...]:
        if any("@" in urlsplit(file).netloc for file in files if "://" in file):
            msg = "expected no name or password in it, for a configuration is recorded with each version"
            raise ValueError(msg)
        return files


def _without_query(file: str) -> str:
    plain, mark, query = file.partition("?")
    if not mark or not plain.startswith(("https://", "http://")):
        return file
    return f"{plain}?sha256={hashlib.sha256(query.encode()).hexdigest()[:16]}"
