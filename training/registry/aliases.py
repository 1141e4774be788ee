"""What ``aliases.json`` holds: the aliases, which the server reads, and beside them what keeps their moves in order."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from pydantic import ValidationError

from model.artifact.names import VERSION
from training.errors import RegistryError
from training.registry.move import Move

_LAST: Final = "last_move"
_REMOVED: Final = "removed"


@dataclass(frozen=True, slots=True)
class Aliases:
    """
    The content of ``aliases.json``, written whole and compared as a whole: all that must change at once is in it.

    Parameters
    ----------
    named : mapping of str to str
        Version by alias. What somebody has written there by hand is kept.
    last : Move or None
        The last move, which so is on record the moment it is made; each move puts the one before into the history.
    removed : tuple of int
        Versions that are being removed: no alias is moved to one of them.
    """

    named: Mapping[str, str] = field(default_factory=dict)
    last: Move | None = None
    removed: tuple[int, ...] = ()

    @classmethod
    def parse(cls, data: bytes, place: str) -> Self:
        """
        Read the file.

        Raises
        ------
        RegistryError
            It is no JSON, or an alias is no version number; ``place`` is what the sentence calls the file.
        """
        try:
            document = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise RegistryError(f"{place} can't be read as JSON: {error}; mend or remove it.") from error
        if not isinstance(document, Mapping):
            raise RegistryError(f'{place} holds no object; expected {{"champion": <version>}}.')
        named = {key: value for key, value in document.items() if key not in {_LAST, _REMOVED} and value is not None}
        for alias, version in named.items():
            if not VERSION.fullmatch(str(version)):
                raise RegistryError(f"{place} has {version!r} for {alias!r}; expected a version number.")
        try:
            last = Move.model_validate(document[_LAST]) if document.get(_LAST) is not None else None
            removed = tuple(int(number) for number in document.get(_REMOVED) or ())
        except (ValidationError, ValueError, TypeError) as error:
            raise RegistryError(f"{place} has a damaged {_LAST} or {_REMOVED}; take both out of it.") from error
        return cls({alias: str(version) for alias, version in named.items()}, last, removed)

    def to_json(self) -> bytes:
        """Return the file's content, of which the server reads ``champion``."""
        document: dict[str, Any] = dict(self.named)
        if self.last is not None:
            document[_LAST] = self.last.model_dump(mode="json")
        if self.removed:
            document[_REMOVED] = list(self.removed)
        return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()

    def after(self, move: Move) -> Self:
        """Return the aliases after a move."""
        return replace(self, named={**self.named, move.alias: move.after}, last=move)


__all__ = ["Aliases"]
