"""A source that is late, down, or not as declared: what is answered, how soon, and what is said of it."""

import logging
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pytest

from model.errors import InvalidInput, SourceUnavailable
from model.lookup.breaker import FAILURES, Breaker
from model.lookup.cache import LONGEST_KEY, Cache
from model.lookup.sources import Refusal
from model.lookup.sql import SqlSource
from model.lookup.transformer import Lookup
from tests.hashes import HashServer, hash_server
from tests.unit.lookup.conftest import Counts, Make, write


def incomes(lookup: Lookup, *keys: Any) -> list[float]:
    found: list[float] = lookup.transform(pd.DataFrame({"customer": list(keys)}))["income"].tolist()
    return found


def refused(lookup: Lookup, key: Any) -> bool:
    try:
        incomes(lookup, key)
    except SourceUnavailable:
        return True
    return False


def fitted(lookup: Lookup) -> Lookup:
    return lookup.fit(pd.DataFrame({"customer": [1]}))


def served(lookup: Lookup) -> tuple[Lookup, Counts]:
    """Return a look-up as a server has it."""
    counts = Counts()
    fitted(lookup).watch(counts)
    lookup.serve()
    return lookup, counts


@contextmanager
def away(database: Path) -> Iterator[None]:
    """Let a database be gone meanwhile."""
    kept = database.with_suffix(".kept")
    shutil.move(database, kept)
    database.mkdir()
    yield
    database.rmdir()
    shutil.move(kept, database)


def test_every_failure_is_an_error_where_models_are_made(database: Path, make: Make) -> None:
    lookup = fitted(make(on_failure="defaults", defaults={"income": 5}))
    with (
        away(database),
        pytest.raises(SourceUnavailable, match=r"'customers' does not answer: unable to open database"),
    ):
        incomes(lookup, 1)


def test_a_client_is_not_told_what_the_source_says(database: Path, make: Make) -> None:
    lookup, counts = served(make())
    with away(database), pytest.raises(SourceUnavailable) as caught:
        incomes(lookup, 1, 2)
    assert str(caught.value) == "The source of the look-up 'customers' does not answer; try again later."
    assert counts.keys == {"failed": 2}


def test_defaults_answer_in_a_servers_source_s_place(database: Path, make: Make) -> None:
    lookup, counts = served(make(on_failure="defaults", defaults={"income": 5}, timeout_seconds=0.05))
    assert incomes(lookup, 1) == [40.5]
    with locked(database):
        assert incomes(lookup, 1, 2) == [40.5, 5.0]
    assert counts.keys == {"found": 1, "hit": 1, "default": 1}
    assert incomes(lookup, 2) == [12.0]


def test_old_rows_answer_where_that_was_asked_for(database: Path, make: Make) -> None:
    lookup, counts = served(make(cache_seconds=0.05, stale_seconds=60, timeout_seconds=0.05))
    assert incomes(lookup, 1) == [40.5]
    time.sleep(0.06)
    with locked(database):
        assert incomes(lookup, 1) == [40.5]
        with pytest.raises(SourceUnavailable):
            incomes(lookup, 1, 2)
    write(database, "UPDATE customers SET income = 1")
    assert incomes(lookup, 1) == [1.0]
    assert counts.keys == {"found": 2, "stale": 1, "failed": 2}


def test_a_source_that_fails_is_left_alone_then_tried_and_trusted_again(
    database: Path, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    lookup, counts = served(make(rest_seconds=0.2))
    with away(database):
        for _ in range(FAILURES + 2):
            with pytest.raises(SourceUnavailable):
                incomes(lookup, 1)
        assert counts.queries == ["error"] * FAILURES + ["skipped"] * 2
        time.sleep(0.21)
        for _ in range(2):
            with pytest.raises(SourceUnavailable):
                incomes(lookup, 1)
        assert counts.queries[-2:] == ["error", "skipped"]
    with pytest.raises(SourceUnavailable):
        incomes(lookup, 1)
    time.sleep(0.21)
    assert incomes(lookup, 1) == [40.5]
    first, second = (record.getMessage() for record in caplog.records)
    assert first == (
        "the source of the look-up 'customers' does not answer, and is left alone, "
        "but for a trial every 0.2 s: unable to open database file"
    )
    assert second == "the source of the look-up 'customers' answers again"


def test_a_single_query_tries_a_source_that_was_left_alone() -> None:
    breaker = Breaker(rest_seconds=0.05)
    for _ in range(FAILURES):
        assert breaker.allows()
        breaker.failed()
    assert not breaker.allows()
    time.sleep(0.06)
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
    assert breaker.answered()
    assert not breaker.answered()
    assert breaker.allows()


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Hold a lock for which every reader waits."""
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    yield
    connection.execute("ROLLBACK")
    connection.close()


def test_a_database_that_is_late_is_not_waited_for(database: Path, make: Make) -> None:
    lookup, counts = served(make(timeout_seconds=0.1))
    with locked(database):
        start = time.monotonic()
        with pytest.raises(SourceUnavailable):
            incomes(lookup, 1)
        assert time.monotonic() - start < 1
    assert set(counts.queries) <= {"timeout", "error"}  # SQLite's own limit may come first
    assert incomes(lookup, 1) == [40.5]


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[HashServer]:
    with hash_server({"customers:1": {"income": "40.5", "tier": "gold"}, "customers:2": {"tier": "blue"}}) as server:
        monkeypatch.setenv("FEATURES_URL", server.url)
        yield server


def test_hashes_are_joined_as_rows_are(hashes: HashServer, make: Make) -> None:
    lookup, counts = served(make(source="redis", columns={"income": "number", "tier": "text"}))
    joined = lookup.transform(pd.DataFrame({"customer": [1.0, 2.0, None, 3.0, 1.0]}))
    assert joined["tier"].tolist()[:2] == ["gold", "blue"]
    assert joined["income"].isna().tolist() == [False, True, True, True, False]
    assert hashes.asked == ["customers:1", "customers:2", "customers:3"]
    assert counts.keys == {"found": 2, "unknown": 1}
    assert counts.queries == ["success"]


def test_a_server_that_hangs_holds_nobody_up_for_long(hashes: HashServer, make: Make) -> None:
    lookup, counts = served(make(source="redis", timeout_seconds=0.1, connections=2, rest_seconds=60))
    hashes.delay_seconds = 30
    start = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda key: refused(lookup, key), range(8)))
    assert time.monotonic() - start < 1
    assert set(counts.queries) == {"timeout"}
    start = time.monotonic()
    assert refused(lookup, 1)
    assert time.monotonic() - start < 0.05
    assert not [thread for thread in threading.enumerate() if "lookup" in thread.name and not thread.daemon]


def test_a_connection_that_was_closed_meanwhile_is_made_anew(hashes: HashServer, make: Make) -> None:
    lookup, counts = served(make(source="redis", cache_rows=0))
    port = hashes.server_address[1]
    with hash_server(hashes.hashes) as other:
        lookup.transform(pd.DataFrame({"customer": [1]}))
        assert other.server_address[1] != port
    hashes.hashes["customers:1"] = {"income": "3"}
    assert incomes(lookup, 1) == [3.0]
    assert counts.queries == ["success"] * 2


def test_what_is_no_hash_is_an_error_that_names_no_key(
    hashes: HashServer, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    hashes.hashes["customers:secret"] = "no hash"  # type: ignore[assignment]  # the wrong type is the point
    lookup, counts = served(make(source="redis"))
    for _ in range(FAILURES + 1):
        assert refused(lookup, "secret")
    assert counts.queries == ["error"] * (FAILURES + 1)  # it answers others, and is not left alone
    assert "WRONGTYPE" in caplog.text
    assert "secret" not in caplog.text
    assert incomes(lookup, 1) == [40.5]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("DROP TABLE customers", "no such table: customers"),
        ("UPDATE customers SET income = 'secret'", "the column 'income' holds what is no number"),
        ("UPDATE customers SET id = 1", "the table has several rows of one key, where one is expected"),
    ],
)
def test_a_table_that_is_not_as_declared_is_told_of_without_its_values(
    database: Path, make: Make, caplog: pytest.LogCaptureFixture, statement: str, reason: str
) -> None:
    caplog.set_level(logging.WARNING)
    write(database, statement)
    with pytest.raises(SourceUnavailable, match=reason):
        incomes(fitted(make()), 1)
    lookup, _ = served(make())
    assert refused(lookup, 1)
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("boolean", "TRUE", True),
        ("boolean", 0, False),
        ("text", b"gold", "gold"),
        ("text", 12, "12"),
        ("number", "12.5", 12.5),
        ("number", "inf", None),
        ("date", "2024-02-29T10:00:00+02:00", pd.Timestamp("2024-02-29 08:00")),
    ],
)
def test_values_are_read_as_declared(hashes: HashServer, make: Make, kind: str, value: Any, expected: Any) -> None:
    from model.lookup.values import column_of, row_of

    (found,) = column_of(row_of([value], {"x": kind}), kind)  # type: ignore[arg-type,dict-item]  # one of the types
    assert pd.isna(found) if expected is None else found == expected


@pytest.mark.parametrize(
    ("kind", "value"), [("boolean", "maybe"), ("text", b"\xff"), ("number", "many"), ("date", "now")]
)
def test_values_of_another_type_are_refused_unquoted(kind: Any, value: Any) -> None:
    from model.lookup.values import Misfit, row_of

    with pytest.raises(Misfit, match="the column 'x' holds") as caught:
        row_of([value], {"x": kind})
    assert str(value) not in str(caught.value)


def test_the_cache_keeps_what_was_asked_for_last() -> None:
    cache = Cache(rows=2, seconds=60, stale_seconds=0)
    cache.keep({"a": (1.0,), "b": None})
    assert cache.fresh(["a"]) == {"a": (1.0,)}
    cache.keep({"c": (3.0,)})
    assert cache.fresh(["a", "b", "c"]) == {"a": (1.0,), "c": (3.0,)}
    assert len(cache) == 2


def refuse(*_: object) -> None:
    raise Refusal


def test_keys_of_another_type_are_the_clients_fault(
    make: Make, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SqlSource, "rows", refuse)
    lookup, counts = served(make())
    for _ in range(FAILURES + 1):
        with pytest.raises(
            InvalidInput, match=r"'customer' has a key that the source of the look-up 'customers' refuses"
        ):
            incomes(lookup, "x")
    assert counts.queries == ["refused"] * (FAILURES + 1)


def test_a_source_that_refuses_a_key_has_answered_and_is_trusted_again(
    make: Make, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else who sends such keys, and is quick, would have the one trial each time, and keep the source from the others."""
    lookup, counts = served(make(rest_seconds=0.1))
    with away(database):
        for _ in range(FAILURES):
            assert refused(lookup, 1)
    time.sleep(0.11)
    with monkeypatch.context() as refusing:
        refusing.setattr(SqlSource, "rows", refuse)
        with pytest.raises(InvalidInput):
            incomes(lookup, "x")
    assert incomes(lookup, 1) == [40.5]
    assert counts.queries[-2:] == ["refused", "success"]


def test_a_source_that_is_not_as_declared_has_answered_and_is_trusted_again(make: Make, database: Path) -> None:
    write(database, "INSERT INTO customers (id, income) VALUES (9, 'much')")
    lookup, counts = served(make(rest_seconds=0.1))
    with away(database):
        for _ in range(FAILURES):
            assert refused(lookup, 1)
    time.sleep(0.11)
    assert refused(lookup, 9)
    assert incomes(lookup, 1) == [40.5]
    assert counts.queries[-2:] == ["error", "success"]


def test_a_number_that_the_database_has_no_room_for_is_the_clients_fault(make: Make, database: Path) -> None:
    lookup, counts = served(make())
    with pytest.raises(InvalidInput, match="refuses; expected one of its type"):
        incomes(lookup, 2**70)
    assert counts.queries == ["refused"]


def test_a_thread_that_cannot_be_started_costs_no_connection(
    make: Make, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookup, _ = served(make(connections=1, rest_seconds=0.01))
    with monkeypatch.context() as full:

        def start(_: object) -> None:
            raise RuntimeError("can't start new thread")

        full.setattr(threading.Thread, "start", start)
        for _ in range(2):
            assert refused(lookup, 1)
    assert incomes(lookup, 1) == [40.5]


def test_a_key_of_any_length_is_looked_up_and_a_long_one_is_not_remembered(make: Make, database: Path) -> None:
    lookup, counts = served(make(defaults={"income": 0.0}))
    for _ in range(2):
        assert incomes(lookup, "x" * LONGEST_KEY, "x" * (LONGEST_KEY + 1)) == [0.0, 0.0]
    assert counts.keys == {"unknown": 3, "hit": 1}


def test_no_password_is_in_what_is_said_of_a_database(
    make: Make, database: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Some drivers repeat how they were to connect."""
    monkeypatch.setenv("FEATURES_URL", "postgresql+psycopg://reader:correct-horse@127.0.0.1/features")

    def connect(*_: object, **__: object) -> None:
        raise psycopg.OperationalError("no way to user=reader password=correct-horse")

    monkeypatch.setattr(psycopg, "connect", connect)
    lookup, _ = served(make())
    for _ in range(FAILURES):
        assert refused(lookup, 1)
    assert "no way to user=reader password=***" in caplog.text
    assert "correct-horse" not in caplog.text
