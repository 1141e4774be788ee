import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model.lookup.transformer import Lookup

ROWS = [(1, 40.5, "gold", 1, "2024-02-29"), (2, 12.0, "blue", 0, "2023-01-01"), (3, None, None, None, None)]


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table of customers, whose address is in the environment."""
    path = tmp_path / "features.db"
    write(path, "CREATE TABLE customers (id INTEGER, income REAL, tier TEXT, active BOOLEAN, since TEXT)")
    write(path, "INSERT INTO customers VALUES (?, ?, ?, ?, ?)", ROWS)
    monkeypatch.setenv("FEATURES_URL", f"sqlite:///{path}")
    return path


def write(path: Path, statement: str, rows: list[Any] | None = None) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.executemany(statement, [()] if rows is None else rows)
    connection.close()


Make = Callable[..., Lookup]


@pytest.fixture
def make() -> Make:
    """Make a look-up of customers; by default of one column."""

    def made(**parameters: Any) -> Lookup:
        given = {
            "name": "customers",
            "key": "customer",
            "columns": {"income": "number"},
            "address": "FEATURES_URL",
            "table": "customers",
            "table_key": "id",
        }
        return Lookup(**(given | parameters))

    return made


class Counts:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.keys: dict[str, int] = {}
        self.queries: list[str] = []

    def answered(self, result: str, keys: int) -> None:
        self.keys[result] = self.keys.get(result, 0) + keys

    def queried(self, result: str, seconds: float) -> None:
        assert (seconds > 0) == (result != "skipped")
        self.queries.append(result)
