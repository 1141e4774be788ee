"""What every section of a configuration is, and how one finds the section that a key is in."""

from collections.abc import Iterator, Sequence
from types import NoneType
from typing import Any, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Keys that belong together; one that is not known is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def check_without_credentials(url: str, instead: str = "") -> None:
    """
    Refuse a URL that names a user, for a configuration is recorded with each version.

    Parameters
    ----------
    url : str
    instead : str
        Where name and password belong, for the end of the sentence.

    Raises
    ------
    ValueError
    """
    if "://" in url and "@" in urlsplit(url).netloc:
        msg = f"expected no name or password in a URL, for a configuration is recorded with each version{instead}"
        raise ValueError(msg)


def section_at(root: type[Section], place: Sequence[int | str]) -> type[Section]:
    """Return the section that a place of pydantic's leads to, such as ``("columns", "weight")``."""
    section = root
    for part in place:
        field = next((field for name, field in section.model_fields.items() if part in (name, field.alias)), None)
        if field is not None:
            section = next(_sections(field.annotation), section)
    return section


def keys_of(section: type[Section]) -> list[str]:
    """Return the keys that a section knows."""
    return [field.alias or name for name, field in section.model_fields.items()]


def _sections(annotation: Any) -> Iterator[type[Section]]:
    """Yield the sections that a type is made of: itself, one of a union, or the values of a mapping."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for part in get_args(annotation):
        if part is not NoneType:
            yield from _sections(part)
