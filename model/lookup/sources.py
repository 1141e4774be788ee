"""Which sources there are, and the address that the environment has for one."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from model.errors import ArtifactError
from model.lookup.values import Key, Type

Kind = Literal["sql", "redis"]
MODULES: Final[Mapping[Kind, str]] = {"sql": "sqlalchemy", "redis": "redis"}
"""The module that each kind of source needs; the extras are called as the kinds are."""


MOST_KEYS: Final = 1_000
"""Asked for at once; databases take no more parameters in a statement than some tens of thousands."""


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where rows are.

    Parameters
    ----------
    kind : {"sql", "redis"}
    address : str
        Name of the environment variable that has the URL, credentials and all.
    table : str
        A table or view, ``schema.table`` if need be; in Redis what stands before ``:`` and the key in a hash's name.
    key : str
        The column of the table that has the key; of no meaning in Redis.
    columns : mapping of str to Type
        What is wanted of a row: columns, or fields of a hash.
    timeout_seconds : float
    connections : int
        That are kept open, and as many are there at most.
    """

    kind: Kind
    address: str
    table: str
    key: str
    columns: Mapping[str, Type]
    timeout_seconds: float
    connections: int


class Down(Exception):
    """
    The source does not answer, or not as a source should; the message is half a sentence without any value.

    Parameters
    ----------
    reason : str
    lasting : bool
        Whether it may be so for a while, so that it is better left alone: it can't be reached, or takes too long.
    """

    def __init__(self, reason: str, *, lasting: bool = True) -> None:
        super().__init__(reason)
        self.lasting = lasting


class Refusal(Exception):
    """The source takes no such keys: they are of another type than its own."""


class Source(Protocol):
    """Has rows by key. Nothing is connected to before it is asked."""

    def rows(self, keys: Sequence[Key]) -> Mapping[str, Sequence[Any]]:
        """
        Return what there is of keys, as it is; those that are unknown are left out.

        Parameters
        ----------
        keys : sequence of str, int, float or bool
            Each once, and no more than ``MOST_KEYS``.

        Returns
        -------
        rows : mapping of str to sequence
            Values in the order of the columns, by ``named`` key.

        Raises
        ------
        Down
            It does not answer, or says what can't be understood.
        Refusal
            It takes no such keys.
        """

    def close(self) -> None:
        """Close the connections that are not in use."""

    def leave(self) -> None:
        """Forget connections that were made in a process that this one was forked from, without closing them."""


def source_of(place: Place, wanted_by: str) -> Source:
    """
    Return a source, not connected to yet.

    Parameters
    ----------
    place : Place
    wanted_by : str
        The look-up's name, for messages.

    Raises
    ------
    ArtifactError
        The address is not in the environment, is none, or its driver is not installed.
    """
    url = os.environ.get(place.address, "")
    if not url:
        raise ArtifactError(
            f"The look-up {wanted_by!r} has its address in the environment variable {place.address}, which is not set; "
            f"set it to the URL of {_WANTED[place.kind]}."
        )
    try:
        if place.kind == "redis":
            from model.lookup.redis import RedisSource  # noqa: PLC0415 -- an extra

            return RedisSource(url, place)
        from model.lookup.sql import SqlSource  # noqa: PLC0415 -- an extra

        return SqlSource(url, place)
    except ModuleNotFoundError as error:
        raise ArtifactError(
            f"The look-up {wanted_by!r} needs the module {error.name!r}, which is not installed here; add "
            f"sklearn-kserve[{place.kind}], and the driver of your database, in an image FROM this one."
        ) from error
    except ValueError as error:
        raise ArtifactError(
            f"{place.address} has no address that the look-up {wanted_by!r} can use; "
            f"expected the URL of {_WANTED[place.kind]}."
        ) from error


_WANTED: Final[Mapping[Kind, str]] = {
    "sql": "a database, such as postgresql+psycopg://user:password@host/database",
    "redis": "a Redis, such as redis://user:password@host:6379/0",
}
