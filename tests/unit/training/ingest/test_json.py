import json
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.training.ingest.snapshots import refusal, snapshot_of
from training.config.source import Format
from training.ingest import Snapshot, chunks, read
from training.ingest.formats import json_array, json_lines

LINES, ARRAY = Format.JSON_LINES, Format.JSON


def lines(directory: Path, *rows: Any) -> Snapshot:
    return snapshot_of(directory, {"a.jsonl": b"\n".join(map(orjson.dumps, rows))}, LINES)


def test_values_keep_their_types(tmp_path: Path) -> None:
    table = read(lines(tmp_path, {"n": 1, "x": 1.5, "b": True, "t": "007"}, {"n": 2, "x": 2, "b": False, "t": "a"}))
    assert table.dtypes.astype(str).to_dict() == {"n": "int64", "x": "float64", "b": "bool", "t": "str"}
    assert table["t"].tolist() == ["007", "a"]


def test_an_integer_or_boolean_column_stays_one_where_a_value_is_missing(tmp_path: Path) -> None:
    table = read(lines(tmp_path, {"n": 2**60, "b": True}, {"n": None}))
    assert table.dtypes.astype(str).to_dict() == {"n": "Int64", "b": "boolean"}
    assert (table["n"][0], table["n"].isna().tolist(), table["b"].isna().tolist()) == (
        2**60,
        [False, True],
        [False, True],
    )


def test_named_texts_are_missing_and_numbers_are_not(tmp_path: Path) -> None:
    table = read(lines(tmp_path, {"t": "NA", "n": 0}, {"t": "a", "n": 1}), ["NA", "0"])
    assert table.isna().to_numpy().tolist() == [[True, False], [False, False]]


def test_a_column_of_several_types_is_read_as_texts(tmp_path: Path) -> None:
    table = read(lines(tmp_path, {"a": 3}, {"a": "three"}, {"a": True}, {"a": 0.5}, {"a": None}, {"a": 2**64 - 1}))
    assert table["a"].tolist() == ["3", "three", "true", "0.5", np.nan, str(2**64 - 1)]


def test_a_type_that_changes_between_chunks_is_read_as_if_it_were_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = lines(tmp_path, *({"a": 1.5, "b": i} for i in range(5)), *({"a": "x", "c": i} for i in range(5)))
    whole = read(snapshot)
    monkeypatch.setattr(json_lines, "_ROWS", 3)
    pd.testing.assert_frame_equal(read(snapshot), whole)
    parts = list(chunks(snapshot))
    assert [len(part) for part in parts] == [3, 3, 3, 1]
    assert [part.index[0] for part in parts] == [0, 3, 6, 9]
    assert parts[0].columns.tolist() == ["a", "b"]
    assert parts[3].columns.tolist() == ["a", "c"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "a.jsonl is empty; expected an object in each line"),
        (b"\n \n", "a.jsonl is empty; expected an object in each line"),
        (b"{}\n{}\n", "a.jsonl has only empty objects; expected a key for each column"),
        (b'{"a": 1}\n\n[1]\n', "a.jsonl is not JSON lines: line 3 is no object: it holds a list, not an object"),
        (b"null\n", "a.jsonl is not JSON lines: line 1 is no object: it holds null, not an object"),
        (
            b'{"a": 1}\n{"a": NaN}\n',
            "a.jsonl is not JSON lines: line 2 is no object: unexpected character, expected a JSON value: line 1 column 7 (char 6)",
        ),
        (
            b'{"a": 1,\n "b": 2}\n',
            "a.jsonl is not JSON lines: line 1 is no object: unexpected end of data: line 2 column 1 (char 9)",
        ),
        (
            b'{"a": "x:y", "b": 1, "a" : 2}\n',
            "a.jsonl is not JSON lines: line 1 is no object: key 'a' is there 2 times",
        ),
        (
            b'{"a": "\xe9"}\n',
            "a.jsonl is not JSON lines: line 1 is no object: byte 0xe9 at 8 is not of UTF-8",
        ),
        (
            b'{"a": 1}\n{"a": {"b": 1}}\n',
            "a.jsonl has an object in column 'a' of row 2; expected a text, a number, true, false or null: flatten it before",
        ),
        (
            b'{"a": 1}\n{"a": "x"}\n{"a": []}\n',
            "a.jsonl has an array in column 'a' of row 3; expected a text, a number, true, false or null: flatten it before",
        ),
        (b'{" ": 1}\n', "a.jsonl has no name for column 1; expected one for each"),
    ],
)
def test_what_are_no_json_lines_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    assert refusal(snapshot_of(tmp_path, {"a.jsonl": content}, LINES)) == sentence


def test_a_line_over_the_limit_is_refused(tmp_path: Path) -> None:
    content = b'{"a": 1}\n{"a": "' + b"x" * 5_000
    assert refusal(snapshot_of(tmp_path, {"a.jsonl": content}, LINES), longest_row=100) == (
        "a.jsonl has more than 100 bytes in line 2; expected shorter rows, or a greater source.max_row_bytes"
    )


def test_colons_in_texts_are_no_keys(tmp_path: Path) -> None:
    snapshot = lines(tmp_path, {"a": 'x":1', "b": "12:30"})
    assert read(snapshot).to_dict("list") == {"a": ['x":1'], "b": ["12:30"]}


def test_an_array_of_objects_is_a_table(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbf[{"a": 1, "b": "x"},\n {"a": 2}, {}]'
    table = read(snapshot_of(tmp_path, {"a.json": content}, ARRAY))
    assert table["a"].tolist() == [1, 2, pd.NA]
    assert table["b"].isna().tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "a.json is not JSON: "),
        (b'[{"a": 1}', "a.json is not JSON: "),
        (b'{"a": 1}', "a.json holds a JSON dict; expected an array of objects"),
        (b'[{"a": 1}, 2]', "a.json has a int in row 2; expected an object"),
        (b"[]", "a.json is an array without rows; expected objects with a key for each column"),
        (b"[{}]", "a.json is an array without rows; expected objects with a key for each column"),
        (b'[{"a": [1]}]', "a.json has an array in column 'a' of row 1; "),
    ],
)
def test_what_is_no_array_of_objects_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    assert refusal(snapshot_of(tmp_path, {"a.json": content}, ARRAY)).startswith(sentence)


def test_an_array_that_is_too_large_for_a_whole_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_array, "MOST_BYTES", 10)
    assert refusal(snapshot_of(tmp_path, {"a.json": b'[{"a": 123}]'}, ARRAY)) == (
        "a.json is a JSON array of 12 bytes, more than the 10 that are read as a whole; expected JSON lines or Parquet, "
        "which are read in chunks"
    )


VALUES = st.one_of(
    st.none(), st.text(max_size=5), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False)
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES), min_size=1, max_size=8))
def test_lines_and_array_give_the_same_table_whatever_is_in_them(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    if not any(rows):
        return
    from_lines = read(lines(tmp_path, *rows))
    from_array = read(snapshot_of(tmp_path, {"a.json": json.dumps(rows).encode()}, ARRAY))
    pd.testing.assert_frame_equal(from_lines, from_array)
    for name in from_lines.columns.astype(str):
        values = [row.get(name) for row in rows]
        assert from_lines[name].isna().tolist() == [value is None for value in values]
        if len({type(value) for value in values if value is not None}) == 1:
            assert [value for value in from_lines[name] if not pd.isna(value)] == [v for v in values if v is not None]
