"""Rows that a query gives, by SQLAlchemy: as they come, into Parquet."""

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pyarrow as pa
from pyarrow import parquet

from training.errors import ConfigurationError, DataError, first_line
from training.ingest.draft import written
from training.ingest.formats.names import check_names

try:
    import sqlalchemy
    from sqlalchemy.engine import URL, CursorResult
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
except ImportError as missing:  # pragma: no cover -- where it lacks is not where this is tested
    raise ConfigurationError("source.sql needs SQLAlchemy; install sklearn-kserve[sql], and a driver") from missing

_ROWS: Final = 20_000
"""Of a chunk."""


class Query:
    """
    A query and the database that answers it.

    Parameters
    ----------
    sql : str
    address : str
        Name of the environment variable that has the URL of the database.
    base : Path
        Directory that the relative path of an SQLite database starts from.

    Raises
    ------
    ConfigurationError
        The variable is not set, holds no URL, or its driver is not installed.
    """

    def __init__(self, sql: str, address: str, base: Path) -> None:
        self._sql = sql
        self._url = _url(address, base)
        try:
            self._engine = sqlalchemy.create_engine(self._url, poolclass=sqlalchemy.NullPool)
        except (NoSuchModuleError, ImportError) as error:
            raise ConfigurationError(
                f"{address} is a URL of {self._url.drivername!r}, whose driver is not installed: {first_line(error)}"
            ) from error

    def __str__(self) -> str:
        url = self._url
        return str(URL.create(url.drivername, host=url.host, port=url.port, database=url.database))

    def write(self, path: Path) -> int:
        """
        Write the rows to a Parquet file, a chunk in memory at a time.

        A column's type is known only when all of its values are, so that chunks are written on their own at first.

        Parameters
        ----------
        path : Path

        Returns
        -------
        rows : int

        Raises
        ------
        DataError
            The database refuses the query or goes away, gives no rows, or a column is of no type that a table has.
        Unwritten
        """
        spool = path.with_suffix(".chunks")
        with written():
            spool.mkdir()
        chunks = []
        rows = 0
        with closing(self._chunks()) as tables:
            for table in tables:
                chunks.append(spool / str(rows))
                with written():
                    parquet.write_table(table, chunks[-1])
                rows += table.num_rows
        if not rows:
            raise DataError(f"the query on {self} gives no rows; expected at least one")
        schema = self._common(chunks)
        with written(), parquet.ParquetWriter(path, schema) as whole:
            for chunk in chunks:
                whole.write_table(parquet.read_table(chunk).cast(schema))
                chunk.unlink()
            spool.rmdir()
        return rows

    def _chunks(self) -> Generator[pa.Table]:
        before = 0
        with self._asked(), self._engine.connect() as connection:
            result = self._executed(connection)
            names = list(result.keys())
            check_names(f"the query on {self}", names)
            for rows in result.partitions(_ROWS):
                columns = zip(names, zip(*rows, strict=True), strict=True)
                yield pa.table({name: self._column(name, values, before) for name, values in columns})
                before += len(rows)

    def _executed(self, connection: sqlalchemy.Connection) -> "CursorResult[Any]":
        """Ask by a cursor of the server's, and for reading only where the database knows of that."""
        dialect = self._engine.dialect.name
        if dialect == "postgresql":
            connection = connection.execution_options(postgresql_readonly=True)
        elif dialect == "sqlite":
            connection.exec_driver_sql("PRAGMA query_only = ON")
        # The driver is given the query as it stands: a colon or a percent sign in it is no parameter.
        options = {"stream_results": True, "max_row_buffer": _ROWS, "no_parameters": True}
        return connection.exec_driver_sql(self._sql, execution_options=options)

    def _column(self, name: str, values: Sequence[Any], before: int) -> pa.Array:
        try:
            column = pa.array([str(value) if isinstance(value, UUID) else value for value in values])
        except (pa.ArrowException, OverflowError) as error:
            raise DataError(
                f"the query on {self} gives values of several types in column {name!r}, after row {before}; cast it in "
                f"the query: {first_line(error)}"
            ) from error
        if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
            raise DataError(
                f"the query on {self} gives {column.type} in column {name!r}; expected numbers, booleans, dates or "
                f"texts: cast it in the query"
            )
        return column

    def _common(self, chunks: Sequence[Path]) -> pa.Schema:
        common = parquet.read_schema(chunks[0])
        for chunk in chunks[1:]:
            try:
                common = pa.unify_schemas([common, parquet.read_schema(chunk)], promote_options="permissive")
            except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                raise DataError(
                    f"the query on {self} gives values of another type after row {chunk.name}; cast the column in the "
                    f"query: {first_line(error)}"
                ) from error
        return common

    @contextmanager
    def _asked(self) -> Iterator[None]:
        """Turn what a database says into a sentence."""
        try:
            yield
        except SQLAlchemyError as error:
            said = first_line(getattr(error, "orig", None) or error)
            if self._url.password:
                said = said.replace(str(self._url.password), "***")
            raise DataError(f"the query on {self} fails: {said}") from error


def _url(address: str, base: Path) -> URL:
    given = os.environ.get(address)
    if not given:
        raise ConfigurationError(
            f"source.address is {address}, and no such environment variable is set; expected the URL of a database in it"
        )
    try:
        url = sqlalchemy.make_url(given)
    except (ArgumentError, ValueError) as error:
        # Not a word of the value, which may be a password.
        raise ConfigurationError(
            f"{address} holds no URL of a database; expected one such as postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
        ) from error
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return url
    path = base / str(url.database)
    if not path.exists():  # SQLite would make it
        raise DataError(f"{address} names {url.database!r}, and there is no such database")
    return url.set(database=str(path))
