"""Rows that are hashes in Redis, named ``<table>:<key>``."""

from collections.abc import Mapping, Sequence
from typing import Any

from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as TooLate
from redis.retry import Retry

from model.lookup.sources import Down, Place
from model.lookup.values import Key, named


class RedisSource:
    """
    Hashes of one Redis.

    Parameters
    ----------
    url : str
        ``redis://``, ``rediss://`` or ``unix://``.
    place : Place

    Raises
    ------
    ValueError
        That is no such URL.

    Notes
    -----
    A hash that has none of the fields can't be told from none: it is unknown.
    """

    def __init__(self, url: str, place: Place) -> None:
        self._place = place
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=place.connections,
            timeout=place.timeout_seconds,
            socket_timeout=place.timeout_seconds,
            socket_connect_timeout=place.timeout_seconds,
            # Once more, for a connection that was kept open may have met its end.
            retry=Retry(NoBackoff(), 1),
        )
        self._redis = Redis(connection_pool=pool)

    def rows(self, keys: Sequence[Key]) -> Mapping[str, Sequence[Any]]:
        """Return what there is of keys; see ``Source.rows``."""
        names = [named(key) for key in keys]
        pipeline = self._redis.pipeline(transaction=False)
        for name in names:
            pipeline.hmget(f"{self._place.table}:{name}", list(self._place.columns))
        try:
            rows = pipeline.execute()
        except (NoConnection, TooLate) as error:
            raise Down(str(error) or type(error).__name__) from error
        except ResponseError as error:
            # redis-py puts the command before what the server says of it, and the key is part of that.
            raise Down(str(error).rpartition("caused error: ")[2], lasting=False) from error
        except RedisError as error:
            raise Down(type(error).__name__, lasting=False) from error
        return {name: row for name, row in zip(names, rows, strict=True) if any(each is not None for each in row)}

    def close(self) -> None:
        """See ``Source.close``."""
        self._redis.connection_pool.disconnect(inuse_connections=False)

    def leave(self) -> None:
        """See ``Source.leave``; redis-py's pool notices a fork by itself."""
