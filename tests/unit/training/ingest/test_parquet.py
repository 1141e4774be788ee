import decimal
import io
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from tests.unit.training.ingest.snapshots import refusal, snapshot_of
from training.config.source import Format
from training.ingest import Snapshot, chunks, read
from training.ingest.formats import parquet_file


def written(directory: Path, *tables: pa.Table) -> Snapshot:
    return snapshot_of(directory, {f"{i}.parquet": _bytes(table) for i, table in enumerate(tables)}, Format.PARQUET)


def _bytes(table: pa.Table) -> bytes:
    content = io.BytesIO()
    parquet.write_table(table, content)
    return content.getvalue()


def test_types_are_kept(tmp_path: Path) -> None:
    moment = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    table = read(
        written(
            tmp_path,
            pa.table(
                {
                    "small": pa.array([1, 2], pa.int8()),
                    "large": pa.array([2**63, None], pa.uint64()),
                    "id": pa.array([2**60 + 1, None]),
                    "x": pa.array([1.5, None], pa.float32()),
                    "flag": [True, False],
                    "text": ["007", None],
                    "kind": pa.array(["a", "b"]).dictionary_encode(),
                    "price": [decimal.Decimal("1.10"), None],
                    "day": [date(2026, 1, 2), None],
                    "moment": [moment, None],
                    "hour": [time(12, 30), None],
                    "nothing": pa.nulls(2),
                }
            ),
        )
    )
    assert table.dtypes.astype(str).to_dict() == {
        "small": "int8",
        "large": "UInt64",
        "id": "Int64",
        "x": "float32",
        "flag": "bool",
        "text": "str",
        "kind": "str",
        "price": "float64",
        "day": "datetime64[ms]",
        "moment": "datetime64[us, UTC]",
        "hour": "str",
        "nothing": "str",
    }
    first: Any = table.loc[0].to_dict()
    assert (first["id"], first["large"], first["text"], first["price"]) == (2**60 + 1, 2**63, "007", 1.1)
    assert (first["day"], first["moment"], first["hour"]) == (pd.Timestamp(2026, 1, 2), moment, "12:30:00.000000")
    assert table.loc[1].isna().sum() == 9


def test_chunks_are_the_whole_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_file, "_ROWS", 3)
    snapshot = written(tmp_path, pa.table({"a": range(7)}), pa.table({"a": range(7, 10)}))
    parts = list(chunks(snapshot))
    assert [len(part) for part in parts] == [3, 3, 1, 3]
    pd.testing.assert_frame_equal(pd.concat(parts), read(snapshot))


def test_files_of_one_kind_may_differ_in_width(tmp_path: Path) -> None:
    snapshot = written(tmp_path, pa.table({"a": pa.array([1], pa.int32())}), pa.table({"a": [2**40]}))
    assert read(snapshot)["a"].tolist() == [1, 2**40]


def test_named_texts_are_missing_however_they_are_coded(tmp_path: Path) -> None:
    texts = pa.array(["NA", "a"])
    table = pa.table({"plain": texts, "large": texts.cast(pa.large_string()), "coded": texts.dictionary_encode()})
    assert read(written(tmp_path, table), ["NA"]).isna().to_numpy().tolist() == [[True] * 3, [False] * 3]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "a.parquet is empty; expected a Parquet file"),
        (b"a,b\n1,2\n", "a.parquet is not a sound Parquet file: "),
        (_bytes(pa.table({"a": range(100)}))[:-20], "a.parquet is not a sound Parquet file: "),
        (_bytes(pa.table({"a": pa.array([], pa.int64())})), "a.parquet has columns but no rows; expected at least one"),
        (_bytes(pa.table({})), "a.parquet has no columns"),
        (_bytes(pa.table([[1], [2]], ["a", "a"])), "a.parquet has 2 columns named 'a'; "),
        (_bytes(pa.table({"a": [[1]]})), "a.parquet has column 'a' of type list<element: int64>; expected numbers, "),
        (_bytes(pa.table({"a": [{"b": 1}]})), "a.parquet has column 'a' of type struct<b: int64>; expected numbers, "),
        (_bytes(pa.table({"a": [b"x"]})), "a.parquet has column 'a' of type binary; expected numbers, "),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    assert refusal(snapshot_of(tmp_path, {"a.parquet": content}, Format.PARQUET)).startswith(sentence)


def test_a_text_over_the_limit_is_refused(tmp_path: Path) -> None:
    snapshot = written(tmp_path, pa.table({"a": ["x", "y" * 101], "n": [1, 2]}))
    assert refusal(snapshot, longest_row=100).startswith("0.parquet has 101 bytes in row 2, 101 of them in column 'a'")


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=4).filter(str.strip)
COLUMNS = st.one_of(
    st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=3, max_size=3).map(
        lambda v: pa.array(v, pa.int64())
    ),
    st.lists(st.none() | st.text(max_size=5), min_size=3, max_size=3).map(lambda v: pa.array(v, pa.string())),
    st.lists(st.none() | st.booleans(), min_size=3, max_size=3).map(lambda v: pa.array(v, pa.bool_())),
    st.lists(st.none() | st.floats(allow_nan=False), min_size=3, max_size=3).map(lambda v: pa.array(v, pa.float64())),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(columns=st.dictionaries(NAMES, COLUMNS, min_size=1, max_size=4))
def test_every_value_comes_back(tmp_path: Path, columns: dict[str, pa.Array]) -> None:
    table = read(written(tmp_path, pa.table(columns)))
    for name, column in columns.items():
        assert [None if pd.isna(value) else value for value in table[name]] == column.to_pylist()
