"""Rows of a table in a database that SQLAlchemy knows."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnClause, bindparam, column, create_engine, select, table
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as NoConnection

from model.lookup.sources import Down, Place, Refusal
from model.lookup.values import Key, named


class SqlSource:
    """
    A table or view, read without transactions.

    Parameters
    ----------
    url : str
        As SQLAlchemy takes it.
    place : Place

    Raises
    ------
    ValueError
        That is no URL of a database.
    ModuleNotFoundError
        Its driver is not installed.
    """

    def __init__(self, url: str, place: Place) -> None:
        self._engine = _engine(url, place)
        schema, _, name = place.table.rpartition(".")
        key: ColumnClause[Any] = column(place.key)
        values: list[ColumnClause[Any]] = [column(each) for each in place.columns]
        self._query = (
            select(key, *values)
            .select_from(table(name, key, *values, schema=schema or None))
            .where(key.in_(bindparam("keys", expanding=True)))
        )

    def rows(self, keys: Sequence[Key]) -> Mapping[str, Sequence[Any]]:
        """Return what there is of keys; see ``Source.rows``."""
        try:
            return self._asked(keys, again=True)
        except (DataError, OverflowError) as error:  # SQLite's driver has no room for an integer of more than 64 bits
            raise Refusal from error
        except (OperationalError, InterfaceError, NoConnection) as error:
            raise Down(self._reason(error)) from error
        except SQLAlchemyError as error:
            raise Down(self._reason(error), lasting=False) from error

    def close(self) -> None:
        """See ``Source.close``."""
        self._engine.dispose()

    def leave(self) -> None:
        """See ``Source.leave``."""
        self._engine.dispose(close=False)

    def _asked(self, keys: Sequence[Key], *, again: bool) -> Mapping[str, Sequence[Any]]:
        found: dict[str, Sequence[Any]] = {}
        try:
            with self._engine.connect() as connection:
                for key, *values in connection.execute(self._query, {"keys": keys}):
                    if found.setdefault(named(key), values) is not values:
                        msg = "the table has several rows of one key, where one is expected"
                        raise Down(msg, lasting=False)
        except DBAPIError as error:
            # A connection that was kept open has met its end, as all have that were open when the database restarted.
            if again and error.connection_invalidated:
                return self._asked(keys, again=False)
            raise
        return found

    def _reason(self, error: SQLAlchemyError) -> str:
        """Return the driver's own first line; hidden parameters are not in it, and the password is not."""
        own = error.orig if isinstance(error, DBAPIError) else error
        said = str(own).strip().partition("\n")[0] or type(own).__name__
        password = self._engine.url.password
        return said.replace(str(password), "***") if password else said


def _engine(url: str, place: Place) -> Engine:
    try:
        parsed = make_url(url)
        return create_engine(
            parsed,
            pool_size=place.connections,
            max_overflow=0,
            pool_timeout=place.timeout_seconds,
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,
            connect_args=_limits(parsed.get_driver_name(), place.timeout_seconds),
        )
    except (ArgumentError, NoSuchModuleError) as error:
        raise ValueError from error


def _limits(driver: str, seconds: float) -> dict[str, Any]:
    """Return what makes a driver give a dead connection up; the look-up has given up before."""
    if driver in ("psycopg", "psycopg2"):
        # As parameters of the client, for a pooler between refuses options of the session, statement_timeout among them.
        idle = max(1, math.ceil(seconds))
        return {
            "connect_timeout": max(2, idle),
            "tcp_user_timeout": max(1000, math.ceil(seconds * 1000)),
            "keepalives_idle": idle,
            "keepalives_interval": 1,
            "keepalives_count": 3,
        }
    return {"timeout": seconds} if driver == "pysqlite" else {}
