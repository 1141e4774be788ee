"""Where rows come from."""

import hashlib
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import Field, field_serializer, field_validator, model_validator

from training.config.section import Section, check_without_credentials

_MEBIBYTE: Final = 1 << 20
_BROKER: Final = re.compile(r"[^\s@/,]+:[0-9]{1,5}")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Format(StrEnum):
    """How rows are written in a file."""

    CSV = "csv"
    JSON = "json"
    JSON_LINES = "jsonl"
    PARQUET = "parquet"


class Source(Section):
    """
    Where rows come from: one of ``files``, ``sql``, ``topic`` and ``stream``.

    A text or a list of texts in its place names files.

    Parameters
    ----------
    files : tuple of str
        Paths, relative to the configuration file, ``package://PACKAGE/PATH``, ``s3://``, ``gs://`` or ``https://``; in
        paths and in keys of a bucket, ``*``, ``?``, ``[…]`` and ``**`` stand for several.
    format : Format or None
        Of these files. None: by their suffix.
    sql : str or None
        A query.
    address : str or None
        Name of the environment variable that has the URL of the database, credentials and all.
    topic : str or None
        Of Kafka, whose messages are JSON objects.
    brokers : tuple of str
        Of Kafka, each ``HOST:PORT``.
    stream : str or None
        A file of JSON lines that grows, a named pipe of such lines, or ``-`` for standard input.
    batch_rows : int
        Most rows that an ingest takes from a topic or a stream.
    batch_seconds : float
        How long it waits for them.
    window : int or None
        Newest batches that make a snapshot. None: all since the first.
    max_row_bytes : int
        Most bytes that a row may have.
    """

    files: tuple[str, ...] = ()
    format: Format | None = None
    sql: Annotated[str | None, Field(min_length=1)] = None
    address: str | None = None
    topic: Annotated[str | None, Field(min_length=1)] = None
    brokers: tuple[str, ...] = ()
    stream: Annotated[str | None, Field(min_length=1)] = None
    batch_rows: Annotated[int, Field(strict=True, gt=0)] = 100_000
    batch_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 10.0
    window: Annotated[int | None, Field(strict=True, gt=0)] = 100
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
        if not isinstance(given, dict):
            msg = f"expected a file, a list of files, or one of the keys {', '.join(_BELONGING)}"
            raise ValueError(msg)  # noqa: TRY004 -- pydantic tells a ValueError alone
        return {**given, **{key: [given[key]] for key in ("files", "brokers") if isinstance(given.get(key), str)}}

    @field_validator("files")
    @classmethod
    def _without_passwords(cls, files: tuple[str, ...]) -> tuple[str, ...]:
        for file in files:
            check_without_credentials(file)
        return files

    @field_validator("brokers")
    @classmethod
    def _of_host_and_port(cls, brokers: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_BROKER.fullmatch(broker) for broker in brokers):
            raise ValueError("expected HOST:PORT of each, and who asks in KAFKA_USERNAME and KAFKA_PASSWORD")
        return brokers

    @field_validator("address")
    @classmethod
    def _named_variable(cls, address: str | None) -> str | None:
        if address is not None and not _VARIABLE.fullmatch(address):
            raise ValueError("expected the name of an environment variable that has the URL, such as WAREHOUSE_URL")
        return address

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Self:
        given = [key for key in _BELONGING if getattr(self, key)]
        if len(given) != 1:
            said = " and ".join(given) or "none"
            raise ValueError(f"source has {said} of {', '.join(_BELONGING)}; expected one")
        (kind,) = given
        strange = self.model_fields_set - {kind, *_BELONGING[kind], "max_row_bytes"}
        if strange:
            raise ValueError(f"source has {min(strange)}, which says nothing of {kind}; leave it out")
        needed = {"sql": "address", "topic": "brokers"}.get(kind)
        if needed and not getattr(self, needed):
            raise ValueError(f"source has {kind} without {needed}; expected both")
        return self


_BATCHES: Final = ("batch_rows", "batch_seconds", "window")
_BELONGING: Final[Mapping[str, tuple[str, ...]]] = {
    "files": ("format",),
    "sql": ("address",),
    "topic": ("brokers", *_BATCHES),
    "stream": _BATCHES,
}


def _without_query(file: str) -> str:
    plain, mark, query = file.partition("?")
    if not mark or not plain.startswith(("https://", "http://")):
        return file
    return f"{plain}?sha256={hashlib.sha256(query.encode()).hexdigest()[:16]}"
