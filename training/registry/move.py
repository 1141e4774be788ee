"""The record of an alias that was moved: who, when, from where, where to, and why."""

import getpass
import os
import secrets
import socket
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from model.artifact.names import DEFAULT_ALIAS

CHAMPION: Final = DEFAULT_ALIAS
CHALLENGER: Final = "challenger"
ALIASES: Final = (CHAMPION, CHALLENGER)

Number = Annotated[str, Field(pattern=r"^[1-9][0-9]*$")]
"""Of a version, as aliases.json writes it."""


class Move(BaseModel):
    """
    One move of one alias.

    Parameters
    ----------
    number : int
        Of the model's moves, from 1 on.
    id : str
        Tells this move from another of the same number, made at the same time.
    alias : {"champion", "challenger"}
    before : str or None
        The version that the alias named; None where it named none. ``from`` in JSON.
    after : str
        The version that it names since. ``to`` in JSON.
    kind : {"move", "rollback"}
    at : datetime
        UTC.
    by : str
        Who, as ``user@host`` or as they call themselves.
    why : str
        As given; empty where nobody said.
    """

    model_config = ConfigDict(frozen=True, validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    number: Annotated[int, Field(ge=1)]
    id: Annotated[str, Field(default_factory=lambda: secrets.token_hex(8))]
    alias: Literal["champion", "challenger"]
    before: Annotated[Number | None, Field(alias="from")]
    after: Annotated[Number, Field(alias="to")]
    kind: Literal["move", "rollback"] = "move"
    at: Annotated[AwareDatetime, Field(default_factory=lambda: datetime.now(UTC))]
    by: str
    why: str = ""

    @classmethod
    def of(
        cls,
        number: int,
        alias: str,
        before: str | None,
        after: str,
        *,
        kind: Literal["move", "rollback"] = "move",
        why: str,
        by: str | None,
    ) -> Self:
        """Return a move that is made now, by the user of this process unless somebody else is named."""
        return cls.model_validate(
            {
                "number": number,
                "alias": alias,
                "from": before,
                "to": after,
                "kind": kind,
                "why": why,
                "by": by or _user(),
            }
        )


def _user() -> str:
    """Return who runs this process, as well as the machine knows: a container's user has no name."""
    user = str(os.getuid())
    with suppress(KeyError, OSError):
        user = getpass.getuser()
    return f"{user}@{socket.gethostname()}"


def way_back(moves: Iterable[Move], alias: str) -> str | None:
    """
    Return the version that an alias named before the one it names now, a rolled back one left out.

    Parameters
    ----------
    moves : iterable of Move
        In the order in which they were made.
    alias : str
    """
    path: list[str | None] = []
    for move in moves:
        if move.alias != alias:
            continue
        if move.kind == "move":
            path.append(move.before)
        elif path:
            path.pop()
    return path[-1] if path else None


__all__ = ["ALIASES", "CHALLENGER", "CHAMPION", "Move", "Number", "way_back"]
