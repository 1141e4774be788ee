"""The step of a pipeline: what it joins, what it refuses, and what is never in its pickle."""

import multiprocessing
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from model.errors import ArtifactError, InvalidInput, SourceUnavailable
from model.lookup.found import finding
from model.lookup.recall import recalled
from model.lookup.transformer import Lookup
from tests.unit.lookup.conftest import Counts, Make, write

EVERY = {"income": "number", "tier": "text", "active": "boolean", "since": "date"}


def customers(*keys: Any) -> pd.DataFrame:
    return pd.DataFrame({"customer": list(keys), "amount": np.arange(float(len(keys)))})


def test_columns_are_joined_in_the_order_of_the_rows(database: Path, make: Make) -> None:
    X = customers(2, 1, 2).set_axis([7, 8, 9])
    joined = make(columns=EVERY).fit_transform(X)
    expected = X.assign(
        income=[12.0, 40.5, 12.0],
        tier=["blue", "gold", "blue"],
        active=pd.Series([False, True, False], index=X.index, dtype=object),
        since=pd.to_datetime(["2023-01-01", "2024-02-29", "2023-01-01"]),
    )
    pd.testing.assert_frame_equal(joined, expected.astype({"tier": object, "since": "datetime64[ns]"}))
    assert list(X.columns) == ["customer", "amount"]


def test_types_do_not_depend_on_the_rows(database: Path, make: Make) -> None:
    lookup = make(columns=EVERY).fit(customers(1))
    every = [lookup.transform(customers(*keys)).dtypes.drop("customer") for keys in ((1, 2), (3,), (99,), (1, 3, None))]
    assert all(dtypes.equals(every[0]) for dtypes in every)
    assert lookup.transform(customers(3, 99))[[*EVERY]].isna().all(axis=None)


def test_an_unknown_or_missing_key_gets_defaults(database: Path, make: Make) -> None:
    lookup = make(columns={"income": "number", "tier": "text"}, defaults={"income": 7}).fit(customers(1))
    joined = lookup.transform(customers(99, None, 1))
    assert joined["income"].tolist() == [7.0, 7.0, 40.5]
    assert joined["tier"].isna().tolist() == [True, True, False]


def test_an_unknown_key_is_refused_where_that_was_asked_for(database: Path, make: Make) -> None:
    lookup = make(on_unknown="error").fit(customers(1))
    with pytest.raises(InvalidInput, match=r"'customer' has a key in row 1 that the look-up 'customers' does not know"):
        lookup.transform(customers(1, 99))


@pytest.mark.parametrize("keys", [(1.0, 2.0), ("1", "2"), (np.int32(1), np.int64(2)), (1.0, 2.0, None)])
def test_a_key_is_known_by_its_text_whatever_its_type(database: Path, make: Make, keys: tuple[Any, ...]) -> None:
    assert make().fit_transform(customers(*keys))["income"].tolist()[:2] == [40.5, 12.0]


def test_no_more_than_a_thousand_keys_are_asked_for_at_once(database: Path, make: Make) -> None:
    write(database, "INSERT INTO customers VALUES (?, ?, NULL, NULL, NULL)", [(i, float(i)) for i in range(10, 2510)])
    lookup = make(cache_rows=3000).fit(customers(1))
    joined = lookup.transform(customers(*range(10, 2510)))
    assert joined["income"].tolist() == [float(i) for i in range(10, 2510)]


def test_names_go_in_and_come_out(database: Path, make: Make) -> None:
    lookup = make().fit(customers(1))
    assert lookup.feature_names_in_.tolist() == ["customer", "amount"]
    assert lookup.n_features_in_ == 2
    assert lookup.get_feature_names_out().tolist() == ["customer", "amount", "income"]
    assert lookup.get_feature_names_out(["customer", "amount"]).tolist() == ["customer", "amount", "income"]
    with pytest.raises(ValueError, match="expected \\['customer', 'amount'\\]"):
        lookup.get_feature_names_out(["amount"])
    with pytest.raises(NotFittedError):
        make().transform(customers(1))
    assert lookup.__sklearn_tags__().input_tags.string


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"name": "no name"}, "name of the look-up 'no name' is 'no name'; expected letters"),
        ({"source": "mongo"}, "source of the look-up 'customers' is 'mongo'; expected one of sql, redis"),
        ({"address": "postgresql://u:secret@h/d"}, "address of the look-up 'customers' is no name of an environment"),
        ({"columns": {}}, "expected at least one column"),
        ({"columns": {"income": "float"}}, "expected types among number, text, boolean, date"),
        ({"defaults": {"age": 1}}, "expected values of its columns"),
        ({"defaults": {"income": "much"}}, "defaults of the look-up 'customers' do not fit: the column 'income'"),
        (
            {"on_failure": "ignore"},
            "on_failure of the look-up 'customers' is 'ignore'; expected one of error, defaults",
        ),
        ({"timeout_seconds": 0}, "timeout_seconds of the look-up 'customers' is 0; expected seconds above 0"),
        ({"cache_rows": -1}, "cache_rows of the look-up 'customers' is -1; expected 0 or more"),
        ({"connections": 0}, "connections of the look-up 'customers' is 0; expected 1 or more"),
    ],
)
def test_a_parameter_that_does_not_fit_is_named(make: Make, wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        make(**wrong).fit(customers(1))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("X", "sentence"),
    [
        (np.ones((2, 2)), "takes a DataFrame with the column 'customer'; got ndarray"),
        (pd.DataFrame({"id": [1]}), "by 'customer' is given no such column; got id"),
        (customers(1).assign(income=1.0), "joins 'income', which is a column already"),
    ],
)
def test_a_table_that_does_not_fit_is_told_of(make: Make, X: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        make().fit(X)


def test_its_pickle_holds_no_address_and_no_row(database: Path, make: Make) -> None:
    lookup = make(columns=EVERY).fit(customers(1))
    lookup.transform(customers(1))
    content = pickle.dumps(lookup)
    assert str(database).encode() not in content
    assert b"gold" not in content
    again = pickle.loads(content)
    assert again.transform(customers(1))["tier"].tolist() == ["gold"]


def test_a_clone_shares_what_is_known_and_an_altered_one_does_not(database: Path, make: Make) -> None:
    lookup = make().fit(customers(1))
    lookup.transform(customers(1))
    write(database, "UPDATE customers SET income = 1")
    copied = clone(lookup)
    assert copied.get_params() == lookup.get_params()
    assert copied.fit_transform(customers(1))["income"].tolist() == [40.5]
    assert clone(lookup).set_params(cache_rows=5).fit_transform(customers(1))["income"].tolist() == [1.0]


def test_each_look_up_tells_of_itself_as_it_is_unpickled(make: Make) -> None:
    content = pickle.dumps([make().fit(customers(1)), {"x": make(name="others")}])
    with finding() as found:
        pickle.loads(content)
    assert [lookup.name for lookup in found] == ["customers", "others"]
    assert found[0].modules == ("sqlalchemy",)
    assert make(source="redis").modules == ("redis",)


def test_it_is_prepared_without_a_connection(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    lookup = make().fit(customers(1))
    monkeypatch.setenv("FEATURES_URL", "sqlite:////nowhere/at/all.db")
    lookup.prepare()
    with pytest.raises(SourceUnavailable):
        lookup.transform(customers(1))


@pytest.mark.parametrize(
    ("source", "url", "sentence"),
    [
        ("sql", "", "in the environment variable FEATURES_URL, which is not set; set it to the URL of a database"),
        ("sql", "secret", "FEATURES_URL has no address that the look-up 'customers' can use"),
        ("sql", "redis://:secret@h/0", "FEATURES_URL has no address that the look-up 'customers' can use"),
        ("sql", "oracle+cx_oracle://u:secret@h/d", "needs the module 'cx_Oracle', which is not installed here; add"),
        ("redis", "secret", "FEATURES_URL has no address .* expected the URL of a Redis"),
    ],
)
def test_an_address_that_is_of_no_use_is_said_before_it_is_needed(
    make: Make, monkeypatch: pytest.MonkeyPatch, source: str, url: str, sentence: str
) -> None:
    monkeypatch.setenv("FEATURES_URL", url)
    with pytest.raises(ArtifactError, match=sentence) as caught:
        make(source=source).fit(customers(1)).prepare()
    assert "secret" not in str(caught.value)


def test_what_was_recalled_is_what_it_answers(database: Path, make: Make) -> None:
    lookup = make().fit(customers(1))
    with recalled({"customers": {"1": (3.0,)}}) as said:
        assert lookup.transform(customers(1, 2, 99))["income"].tolist()[:2] == [3.0, 12.0]
    assert said == {"customers": {"1": (3.0,), "2": (12.0,), "99": None}}
    database.unlink()
    database.mkdir()
    with recalled(said):
        assert lookup.transform(customers(2))["income"].tolist() == [12.0]
    with recalled({}), pytest.raises(SourceUnavailable, match="unable to open database file"):
        make(on_failure="defaults").fit_transform(customers(1))


def _income(lookup: Lookup, key: int) -> float:
    return float(lookup.transform(customers(key))["income"].iloc[0])


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_it_answers_in_other_processes(database: Path, make: Make, start: str) -> None:
    lookup = make().fit(customers(1))
    lookup.serve()
    assert _income(lookup, 1) == 40.5
    with multiprocessing.get_context(start).Pool(1) as pool:
        assert pool.apply(_income, (lookup, 2)) == 12.0
    assert _income(lookup, 2) == 12.0


def test_a_fork_leaves_the_connections_of_its_parent_alone(database: Path, make: Make) -> None:
    lookup = make(cache_rows=0).fit(customers(1))
    observer = Counts()
    lookup.watch(observer)
    assert _income(lookup, 1) == 40.5
    read, written = os.pipe()
    child = os.fork()
    if not child:
        os.write(written, str(_income(lookup, 2)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 10) == b"12.0"
    assert _income(lookup, 1) == 40.5
    assert observer.queries == ["success", "success"]


def test_threads_share_one_way_to_the_source(database: Path, make: Make) -> None:
    lookup = make(connections=2).fit(customers(1))
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda i: _income(lookup, 1 + i % 2), range(64))
    assert list(found) == [40.5, 12.0] * 32
