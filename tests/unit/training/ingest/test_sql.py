import errno
import json
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from training.config.source import Source
from training.errors import ConfigurationError, DataError, TrainingError
from training.ingest import Snapshot, SnapshotStore, read, sql, take


@pytest.fixture(autouse=True)
def _database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE_URL", "sqlite:///warehouse.db")
    fill(tmp_path, [(1, "007", 1.5), (2, None, 2.0), (3, "a:b %s", None)])


def fill(directory: Path, rows: Sequence[tuple[Any, ...]]) -> None:
    with sqlite3.connect(directory / "warehouse.db") as connection:
        connection.execute("DROP TABLE IF EXISTS fish")
        connection.execute("CREATE TABLE fish (id, code, weight)")
        connection.executemany("INSERT INTO fish VALUES (?, ?, ?)", rows)
    connection.close()


def taken(query: str, base: Path, store: SnapshotStore, address: str = "WAREHOUSE_URL") -> Snapshot:
    return take(Source.model_validate({"sql": query, "address": address}), base, store)


def refusal(query: str, base: Path, store: SnapshotStore, address: str = "WAREHOUSE_URL") -> str:
    with pytest.raises((DataError, ConfigurationError)) as caught:
        taken(query, base, store, address)
    assert "\n" not in str(caught.value)
    assert not [place for place in store.directory.glob("*") if place.name != ".lock"]
    return str(caught.value).replace(f"{base}/", "")


def test_what_a_query_gives_is_a_typed_table(tmp_path: Path, store: SnapshotStore) -> None:
    query = "SELECT * FROM fish WHERE code IS NULL OR code <> ':none %' ORDER BY id"
    snapshot = taken(query, tmp_path, store)
    assert snapshot.rows == 3
    assert json.loads((snapshot.parts[0].path.parent / "snapshot.json").read_bytes())["query"] == query
    assert sorted(path.name for path in snapshot.parts[0].path.parent.iterdir()) == ["data.parquet", "snapshot.json"]
    table = read(snapshot)
    assert table.dtypes.astype(str).to_dict() == {"id": "int64", "code": "str", "weight": "float64"}
    assert table["code"].tolist()[::2] == ["007", "a:b %s"]
    assert table["weight"].isna().tolist() == [False, False, True]


def test_the_same_rows_are_the_same_snapshot(tmp_path: Path, store: SnapshotStore) -> None:
    one, other = (taken("SELECT id FROM fish ORDER BY id", tmp_path, store) for _ in range(2))
    assert one.sha256 == other.sha256


def test_a_type_that_shows_late_is_that_of_the_column(
    tmp_path: Path, store: SnapshotStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "_ROWS", 2)
    fill(tmp_path, [(1, None, 1), (2, None, 2), (3, "x", 2.5), (4, None, None), (5, "y", 3)])
    table = read(taken("SELECT * FROM fish ORDER BY id", tmp_path, store))
    assert table["weight"].tolist()[:3] == [1.0, 2.0, 2.5]
    assert table["code"].dropna().tolist() == ["x", "y"]


@pytest.mark.parametrize("rows", [1, 10])
def test_values_of_several_types_are_refused(
    tmp_path: Path, store: SnapshotStore, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "_ROWS", rows)
    fill(tmp_path, [(1, "x", 1), (2, 3, 2)])
    sentence = refusal("SELECT * FROM fish", tmp_path, store)
    assert sentence.startswith("the query on sqlite:///warehouse.db gives values of ")
    assert "cast" in sentence


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("SELECT * FROM herrings", "the query on sqlite:///warehouse.db fails: no such table: herrings"),
        ("SELECT * FROM fish WHERE id > 9", "the query on sqlite:///warehouse.db gives no rows; expected at least one"),
        (
            "SELECT id, id FROM fish",
            "the query on sqlite:///warehouse.db has 2 columns named 'id'; expected a name of its own for each",
        ),
        (
            "SELECT x'00' AS picture",
            "the query on sqlite:///warehouse.db gives binary in column 'picture'; expected numbers, booleans, dates or texts: cast it in the query",
        ),
        (
            "INSERT INTO fish VALUES (9, 'x', 1) RETURNING id",
            "the query on sqlite:///warehouse.db fails: attempt to write a readonly database",
        ),
    ],
)
def test_what_gives_no_table_is_refused(tmp_path: Path, store: SnapshotStore, query: str, sentence: str) -> None:
    assert refusal(query, tmp_path, store) == sentence


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (
            "",
            "source.address is OTHER_URL, and no such environment variable is set; expected the URL of a database in it",
        ),
        (
            "secret",
            "OTHER_URL holds no URL of a database; expected one such as postgresql+psycopg://USER:PASSWORD@HOST/DATABASE",
        ),
        ("postgresql://u:secret@host:x/d", "OTHER_URL holds no URL of a database; expected one such as "),
        ("nosuch://u:secret@host/d", "OTHER_URL is a URL of 'nosuch', whose driver is not installed: "),
        ("mysql+pymysql://u:secret@host/d", "OTHER_URL is a URL of 'mysql+pymysql', whose driver is not installed: "),
        ("sqlite:///none.db", "OTHER_URL names 'none.db', and there is no such database"),
        (
            "postgresql+psycopg://u:secret@127.0.0.1:1/d?application_name=secret",
            "the query on postgresql+psycopg://127.0.0.1:1/d fails: ",
        ),
    ],
)
def test_a_database_that_is_not_there_is_said_without_its_password(
    tmp_path: Path, store: SnapshotStore, monkeypatch: pytest.MonkeyPatch, url: str, sentence: str
) -> None:
    monkeypatch.setenv("OTHER_URL", url)
    said = refusal("SELECT 1 AS a", tmp_path, store, "OTHER_URL")
    assert said.startswith(sentence)
    assert "secret" not in said


def test_a_full_disk_is_said_and_leaves_nothing(
    tmp_path: Path, store: SnapshotStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(parquet, "write_table", full)
    with pytest.raises(TrainingError, match=r"can't be written to .*: No space left on device; nothing of it is left"):
        taken("SELECT * FROM fish", tmp_path, store)
    assert [path.name for path in store.directory.iterdir()] == [".lock"]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.none() | st.integers(-(2**63), 2**63 - 1),
            st.none() | st.text(max_size=5).map(lambda text: text.replace("\0", "")),
            st.none() | st.floats(allow_nan=False),
        ),
        min_size=1,
        max_size=7,
    )
)
def test_every_value_comes_back(tmp_path: Path, rows: list[tuple[Any, ...]]) -> None:
    fill(tmp_path, rows)
    table = read(taken("SELECT * FROM fish ORDER BY rowid", tmp_path, SnapshotStore(tmp_path / "snapshots")))
    for i, name in enumerate(table.columns):
        assert [None if pd.isna(value) else value for value in table[name]] == [row[i] for row in rows]
