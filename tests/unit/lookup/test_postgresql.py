"""What PostgreSQL does otherwise than SQLite: types that it holds to, connections that end, and users that may not."""

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from model.errors import InvalidInput, SourceUnavailable
from tests.databases import PASSWORD, Database, postgresql
from tests.reliability.conftest import until
from tests.unit.lookup.conftest import Counts, Make

pytestmark = pytest.mark.system

TABLE = """
CREATE SCHEMA shop;
CREATE TABLE shop.customers (id integer, income numeric(8, 2), tier text, active boolean, since date);
INSERT INTO shop.customers VALUES (1, 40.5, 'gold', true, '2024-02-29'), (2, NULL, NULL, NULL, NULL);
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Database]:
    with postgresql() as server:
        execute(server, TABLE)
        yield server


def execute(server: Database, statements: str) -> None:
    engine = create_engine(server.url)
    with engine.begin() as connection:
        connection.exec_driver_sql(statements)
    engine.dispose()


def recovered(server: Database) -> bool:
    """Whether it answers: it takes connections before it does."""
    try:
        execute(server, "SELECT 1")
    except OperationalError:
        return False
    return True


@pytest.fixture
def url(server: Database, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("FEATURES_URL", server.url)
    return server.url


def customers(*keys: Any) -> pd.DataFrame:
    return pd.DataFrame({"customer": list(keys)})


def test_its_types_are_joined_as_declared(url: str, make: Make) -> None:
    columns = {"income": "number", "tier": "text", "active": "boolean", "since": "date"}
    lookup = make(table="shop.customers", columns=columns).fit(customers(1))
    joined = lookup.transform(customers(1, 2, 3))
    assert joined.iloc[0].tolist() == [1, 40.5, "gold", True, pd.Timestamp("2024-02-29")]
    assert joined.iloc[1:, 1:].isna().all(axis=None)


def test_a_key_of_another_type_is_the_client_s_fault_and_leaves_the_source_trusted(url: str, make: Make) -> None:
    lookup = make(table="shop.customers").fit(customers(1))
    for _ in range(5):
        with pytest.raises(InvalidInput, match="a key that the source of the look-up 'customers' refuses"):
            lookup.transform(customers("secret"))
    assert lookup.transform(customers(1))["income"].tolist() == [40.5]


def test_a_restart_costs_no_request(server: Database, url: str, make: Make) -> None:
    lookup = make(table="shop.customers", cache_rows=0, timeout_seconds=5).fit(customers(1))
    counts = Counts()
    lookup.watch(counts)
    lookup.transform(customers(1))
    server.kill()
    server.start()
    until(lambda: recovered(server), "it has recovered")
    assert lookup.transform(customers(1))["income"].tolist() == [40.5]
    assert counts.queries == ["success", "success"]


def test_a_user_who_may_not_is_told_of_without_a_password(
    server: Database, url: str, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEATURES_URL", url.replace(PASSWORD, "wrong-horse"))
    with pytest.raises(SourceUnavailable, match="password authentication failed") as caught:
        make(table="shop.customers", timeout_seconds=5).fit_transform(customers(1))
    assert "wrong-horse" not in str(caught.value)
