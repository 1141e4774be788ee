"""One process' way to a source: what it knows already, how long it waits, and what is answered when nothing comes."""

import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from model.errors import InvalidInput, SourceUnavailable
from model.lookup.breaker import Breaker
from model.lookup.cache import Cache, Known
from model.lookup.recall import said_of
from model.lookup.sources import MOST_KEYS, Down, Place, Refusal, Source, source_of
from model.lookup.values import Key, Misfit, Row, named, row_of

if TYPE_CHECKING:
    from model.lookup.found import Observer

Answer = Literal["error", "defaults"]

T = TypeVar("T")
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """
    How a look-up behaves; see ``Lookup``.

    Parameters
    ----------
    name : str
    key : str
        The column of a request, for messages.
    place : Place
    defaults : tuple
        Row of a key that is unknown, or whose source is down.
    on_unknown, on_failure : {"error", "defaults"}
    cache_rows : int
    cache_seconds, stale_seconds, rest_seconds : float
    """

    name: str
    key: str
    place: Place
    defaults: Row
    on_unknown: Answer
    on_failure: Answer
    cache_rows: int
    cache_seconds: float
    stale_seconds: float
    rest_seconds: float


class Client:
    """
    Answers keys with rows; any number of threads may ask at once.

    Parameters
    ----------
    settings : Settings

    Attributes
    ----------
    settings : Settings
    pid : int
        Of the process whose it is: connections do not survive a fork.
    serving : bool
        Whether ``on_failure`` and stale rows have a say; where models are made, every failure is an error.
    observer : Observer or None

    Raises
    ------
    ArtifactError
        The address is not in the environment, is none, or its driver is not installed.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.pid = os.getpid()
        self.serving = False
        self.observer: Observer | None = None
        self._source = source_of(settings.place, settings.name)
        # With the version that it belongs to, or with the process; a child's copies are its parent's connections.
        weakref.finalize(self, _close, self._source, self.pid)
        self._cache = Cache(settings.cache_rows, settings.cache_seconds, settings.stale_seconds)
        self._breaker = Breaker(settings.rest_seconds)
        self._free = threading.Semaphore(settings.place.connections)

    def leave(self) -> None:
        """Forget the connections; called in a process that was forked."""
        self._source.leave()

    def rows(self, keys: Sequence[Key | None]) -> list[Row]:
        """
        Return a row for each key.

        Parameters
        ----------
        keys : sequence of str, int, float, bool or None
            None for a missing key, which is unknown.

        Raises
        ------
        SourceUnavailable
            The source does not answer in time, and this is to be an error.
        InvalidInput
            A key is unknown, and this is to be an error; or it is of another type than the source's.
        """
        wanted = {named(key): key for key in keys if key is not None}
        said = said_of(self.settings.name)
        known = self._known(wanted) if said is None else self._recalled(wanted, said)
        return [self._row(key, known, position) for position, key in enumerate(keys)]

    def _row(self, key: Key | None, known: Known, position: int) -> Row:
        row = None if key is None else known[named(key)]
        if row is not None:
            return row
        if self.settings.on_unknown == "error":
            raise InvalidInput(
                f"Column {self.settings.key!r} has a key in row {position} that the look-up {self.settings.name!r} "
                f"does not know; expected one of its source."
            )
        return self.settings.defaults

    def _recalled(self, wanted: Mapping[str, Key], said: Known) -> Known:
        missing = {name: key for name, key in wanted.items() if name not in said}
        if missing:
            try:
                said.update(self._ask(missing))
            except Down as error:
                raise self._unavailable(error) from error
        return said

    def _known(self, wanted: Mapping[str, Key]) -> Known:
        """Return what is known of keys from before, or else from the source."""
        known = self._cache.fresh(wanted)
        self._count("hit", len(known))
        missing = {name: key for name, key in wanted.items() if name not in known}
        if not missing:
            return known
        try:
            fetched = self._ask(missing)
        except Down as error:
            return known | self._instead(missing, error)
        self._cache.keep(fetched)
        unknown = sum(row is None for row in fetched.values())
        self._count("unknown", unknown)
        self._count("found", len(fetched) - unknown)
        return known | fetched

    def _instead(self, missing: Mapping[str, Key], error: Down) -> Known:
        """Return what is answered where the source does not."""
        stale = self._cache.stale(missing) if self.serving else {}
        left = len(missing) - len(stale)
        if left and not (self.serving and self.settings.on_failure == "defaults"):
            self._count("failed", len(missing))
            raise self._unavailable(error) from error
        self._count("stale", len(stale))
        self._count("default", left)
        return {name: stale.get(name, self.settings.defaults) for name in missing}

    def _unavailable(self, error: Down) -> SourceUnavailable:
        # Its reason may tell of hosts and users: a client is told where models are made, and nowhere else.
        reason = "" if self.serving else f": {error}"
        return SourceUnavailable(
            f"The source of the look-up {self.settings.name!r} does not answer{reason}; try again later."
        )

    def _ask(self, wanted: Mapping[str, Key]) -> Known:
        """
        Ask the source, if it is not left alone.

        Raises
        ------
        Down
            It did not answer in time, or is left alone.
        InvalidInput
            It takes no such keys.
        """
        if not self._breaker.allows():
            self._observe("skipped", 0.0)
            msg = "it did not answer before, and is left alone for a while"
            raise Down(msg)
        start = time.perf_counter()
        try:
            found = self._found([*wanted.values()])
            known = {
                name: row_of(found[name], self.settings.place.columns) if name in found else None for name in wanted
            }
        except Refusal as error:
            self._observe("refused", time.perf_counter() - start)
            self._answered()
            raise InvalidInput(
                f"Column {self.settings.key!r} has a key that the source of the look-up {self.settings.name!r} refuses; "
                f"expected one of its type."
            ) from error
        except Misfit as error:
            self._observe("error", time.perf_counter() - start)
            self._answered()
            _log.warning("the source of the look-up %r is not as declared: %s", self.settings.name, error)
            raise Down(str(error), lasting=False) from error
        except Down as error:
            seconds = time.perf_counter() - start
            self._observe("timeout" if isinstance(error.__cause__, TimeoutError) else "error", seconds)
            self._note(error)
            raise
        self._observe("success", time.perf_counter() - start)
        self._answered()
        return known

    def _answered(self) -> None:
        """Note that the source can be asked, whatever it has said."""
        if self._breaker.answered():
            _log.warning("the source of the look-up %r answers again", self.settings.name)

    def _note(self, error: Down) -> None:
        if not error.lasting:
            self._answered()
            _log.warning("the source of the look-up %r fails: %s", self.settings.name, error)
        elif self._breaker.failed():
            _log.warning(
                "the source of the look-up %r does not answer, and is left alone, but for a trial every %g s: %s",
                self.settings.name,
                self.settings.rest_seconds,
                error,
            )

    def _found(self, keys: Sequence[Key]) -> Mapping[str, Sequence[Any]]:
        """Ask for some keys after others; where models are made, these are many, and each query has its time."""
        end = self._end()
        found: dict[str, Sequence[Any]] = {}
        for start in range(0, len(keys), MOST_KEYS):
            some = keys[start : start + MOST_KEYS]
            found |= self._until(end if self.serving else self._end(), partial(self._source.rows, some))
        return found

    def _end(self) -> float:
        return time.monotonic() + self.settings.place.timeout_seconds

    def _until(self, end: float, work: Callable[[], T]) -> T:
        """
        Do some work in a thread of its own, and do not wait for it longer than the look-up may take.

        No driver keeps a time for a whole look-up: names are resolved, connections made, and answers come in pieces.
        A thread that hangs is left behind, and never holds up the process' end; there are no more of them than
        connections.
        """
        if not self._free.acquire(timeout=max(0.0, end - time.monotonic())):
            msg = "every connection waits for it"
            raise Down(msg) from TimeoutError()
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 -- raised again where it is waited for
                future.set_exception(error)
            finally:
                self._free.release()

        try:
            threading.Thread(target=run, name=f"lookup-{self.settings.name}", daemon=True).start()
        except RuntimeError as error:  # there are as many as the machine has room for
            self._free.release()
            raise Down(str(error)) from error
        try:
            return future.result(max(0.0, end - time.monotonic()))
        except TimeoutError as error:
            raise Down(f"no answer within {self.settings.place.timeout_seconds:g} s") from error

    def _count(self, result: str, keys: int) -> None:
        if self.observer is not None and keys:
            self.observer.answered(result, keys)

    def _observe(self, result: str, seconds: float) -> None:
        if self.observer is not None:
            self.observer.queried(result, seconds)


def _close(source: Source, pid: int) -> None:
    if os.getpid() == pid:
        source.close()
