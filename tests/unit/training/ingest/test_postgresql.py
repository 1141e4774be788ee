import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy

from tests.databases import PASSWORD, Database, postgresql
from training.config.source import Source
from training.errors import DataError
from training.ingest import Snapshot, SnapshotStore, read, take

pytestmark = pytest.mark.system

MANY = "SELECT i AS id, repeat('x', 1000) AS text FROM generate_series(1, 400000) AS i"


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with postgresql() as running:
        with sqlalchemy.create_engine(running.url, poolclass=sqlalchemy.NullPool).begin() as connection:
            connection.exec_driver_sql("CREATE SEQUENCE tags")
        yield running


@pytest.fixture(autouse=True)
def _address(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE_URL", database.url)


def taken(query: str, store: SnapshotStore) -> Snapshot:
    return take(Source.model_validate({"sql": query, "address": "WAREHOUSE_URL"}), Path(), store)


def refusal(query: str, store: SnapshotStore) -> str:
    with pytest.raises(DataError) as caught:
        taken(query, store)
    assert "\n" not in str(caught.value)
    assert PASSWORD not in str(caught.value)
    assert [place.name for place in store.directory.iterdir()] == [".lock"]
    return str(caught.value)


def test_types_are_kept(store: SnapshotStore) -> None:
    snapshot = taken(
        """
        SELECT '7'::int AS id, 1.10::numeric AS price, true AS flag, date '2026-01-02' AS day,
               timestamptz '2026-01-02 03:04:05+00' AS moment, time '12:30' AS hour, '100 %'::text AS share,
               '00000000-0000-0000-0000-000000000007'::uuid AS key
        UNION ALL SELECT NULL, 12345.678, NULL, NULL, NULL, NULL, NULL, NULL ORDER BY id NULLS LAST
        """,
        store,
    )
    table = read(snapshot)
    assert table.dtypes.astype(str).to_dict() == {
        "id": "Int64",
        "price": "float64",
        "flag": "boolean",
        "day": "datetime64[ms]",
        "moment": "datetime64[us, Etc/UTC]",
        "hour": "str",
        "share": "str",
        "key": "str",
    }
    assert table["price"].tolist() == [1.1, 12345.678]
    assert table["moment"][0] == pd.Timestamp("2026-01-02T03:04:05Z")
    assert (table["share"][0], table["key"][0]) == ("100 %", "00000000-0000-0000-0000-000000000007")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("SELECT * FROM herrings", 'relation "herrings" does not exist'),
        ("SELECT ARRAY[1, 2] AS several", "gives list<item: int64> in column 'several'"),
        ("SELECT '{\"a\": 1}'::jsonb AS object", "gives struct<a: int64> in column 'object'"),
        ("CREATE TABLE herrings AS SELECT 1 AS id RETURNING id", "fails: "),
        ("DELETE FROM pg_database RETURNING oid", "fails: "),
        ("SELECT nextval('tags') AS id", "cannot execute nextval() in a read-only transaction"),
        ("SELECT 1 / (3 - i) AS x FROM generate_series(1, 9) AS i", "division by zero"),
    ],
)
def test_what_gives_no_table_is_refused(store: SnapshotStore, query: str, sentence: str) -> None:
    assert sentence in refusal(query, store)


_PEAK = """
import resource, sys
from pathlib import Path
from training.config.source import Source
from training.ingest import SnapshotStore, take
store = SnapshotStore(Path(sys.argv[2]))
take(Source.model_validate({"sql": "SELECT 1 AS a", "address": "WAREHOUSE_URL"}), Path(), store)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
take(Source.model_validate({"sql": sys.argv[1], "address": "WAREHOUSE_URL"}), Path(), store)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_rows_come_by_a_cursor_of_the_server(store: SnapshotStore) -> None:
    """Four hundred thousand rows of a kilobyte would be 400 MB at once; 20,000 of them are held, as texts and in Arrow."""
    asked = [sys.executable, "-c", _PEAK, MANY, str(store.directory)]
    done = subprocess.run(asked, check=True, capture_output=True, text=True, env={**os.environ})
    assert int(done.stdout) < 300_000


# SQLAlchemy leaves the cursor of a connection that is lost to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_server_that_dies_meanwhile_leaves_nothing_and_the_query_can_be_asked_again(
    database: Database, store: SnapshotStore
) -> None:
    killer = threading.Timer(0.7, database.kill)
    killer.start()
    sentence = refusal(MANY.replace("400000", "40000000"), store)
    killer.join()
    assert "fails: " in sentence
    database.start()
    end = time.monotonic() + 30
    while not _answers(database.url):
        assert time.monotonic() < end, database.log()
        time.sleep(0.1)
    assert taken(MANY.replace("400000", "400"), store).rows == 400


def _answers(url: str) -> bool:
    """Whether it has recovered, too, and does not only listen."""
    try:
        sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool).connect().close()
    except sqlalchemy.exc.OperationalError:
        return False
    return True
