import csv
import io
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.training.ingest.snapshots import refusal, snapshot_of
from training.errors import DataError
from training.ingest import chunks, read
from training.ingest.formats import csv_file


def parsed(directory: Path, content: bytes, *missing: str) -> pd.DataFrame:
    return read(snapshot_of(directory, {"a.csv": content}), missing)


def test_every_cell_stays_the_text_it_is(tmp_path: Path) -> None:
    table = parsed(tmp_path, b"code,flag\n007,TRUE\n1e3,no\n2026-01-01,\x00\n")
    assert table.to_dict("list") == {"code": ["007", "1e3", "2026-01-01"], "flag": ["TRUE", "no", "\x00"]}


def test_only_the_named_cells_are_missing(tmp_path: Path) -> None:
    table = parsed(tmp_path, b'a,b\nNA,?\n"?",\n', "?")
    assert table.isna().to_numpy().tolist() == [[False, True], [True, False]]
    assert table["b"][1] == ""


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffa,b\n1,2\n".encode(),
        b"\na,b\n\n1,2\n",
        b"a,b\r\n1,2\r\n",
        b"a,b\r1,2\r",
        b"a,b\n1,2",
        b'"a",b\n"1",2\n\n\n',
    ],
)
def test_marks_blank_lines_and_any_end_of_line_are_no_part_of_the_table(tmp_path: Path, content: bytes) -> None:
    assert parsed(tmp_path, content).to_dict("list") == {"a": ["1"], "b": ["2"]}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "a.csv is empty; expected a header and rows"),
        (b" \n\n", "a.csv has no name for column 1; expected one for each"),
        (b"\n\n", "a.csv is empty; expected a header and rows"),
        (b"a,b\n", "a.csv has columns but no rows; expected at least one"),
        (b"a,b\n1,2\n1,2,3\n", "a.csv is not a CSV file: row 2 (line 3) has 3 cells, the header 2"),
        (b"a,b\n1,2,3\n4,5,6\n", "a.csv is not a CSV file: row 1 (line 2) has 3 cells, the header 2"),
        (b"a,b\n1,2\n3\n", "a.csv is not a CSV file: row 2 (line 3) has 1 cells, the header 2"),
        (
            b'a,b\n1,2\n"3,4\n5,6\n',
            "a.csv is not a CSV file: row 2 (line 4) has 1 cells, the header 2, or opens a quote that is never closed",
        ),
        (b'a,b\n1,2\n3,"4\n5,6\n', "a.csv is not a CSV file: row 2 opens a quote that is never closed"),
        (b'a\n"1\n', "a.csv is not a CSV file: row 1 opens a quote that is never closed"),
        (b'a\n"1', "a.csv is not a CSV file: row 1 opens a quote that is never closed"),
        (
            b"a,b\n1,2\n\xff,2\n",
            "a.csv is not text in UTF-8: row 2 (line 3) has byte 0xff in column 'a'; save it in UTF-8",
        ),
        (
            "a,b\né,2\n".encode() + "é,2\n".encode("latin-1"),
            "a.csv is not text in UTF-8: row 2 (line 3) has byte 0xe9 in column 'a'; save it in UTF-8",
        ),
        (
            "a,é\n1,2\n".encode("latin-1"),
            "a.csv is not text in UTF-8: the header has byte 0xe9 in column 2; save it in UTF-8",
        ),
        (
            "a,b\n1,2\n".encode("utf-16"),
            "a.csv is not text in UTF-8: the header has byte 0xff in column 1; save it in UTF-8",
        ),
        (b"a,,c\n1,2,3\n", "a.csv has no name for column 2; expected one for each"),
        (b"a,b,a\n1,2,3\n", "a.csv has 2 columns named 'a'; expected a name of its own for each"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    assert refusal(snapshot_of(tmp_path, {"a.csv": content})) == sentence


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            b"a,b\n1,2\n" + b"x" * 60 + b"," + b"y" * 80 + b"\n",
            "a.csv has 140 bytes in row 2, 80 of them in column 'b', more than 100; ",
        ),
        (b"a" * 200 + b"\n1\n", "a.csv has more than 100 characters in line 1; "),
        (b"a,b\n1,2\n" + b"x" * 5_000, "a.csv has more than 100 characters in line 3; "),
    ],
)
def test_a_row_over_the_limit_is_refused(
    tmp_path: Path, content: bytes, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_file, "_BLOCK_BYTES", 1_000)
    expected = sentence + "expected shorter rows, or a greater source.max_row_bytes"
    assert refusal(snapshot_of(tmp_path, {"a.csv": content}), longest_row=100) == expected


def test_a_row_may_be_as_long_as_the_limit(tmp_path: Path) -> None:
    table = read(snapshot_of(tmp_path, {"a.csv": b"a\n" + b"x" * 100 + b"\n"}), longest_row=100)
    assert table["a"].str.len().tolist() == [100]


def test_chunks_are_the_whole_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "_BLOCK_BYTES", 1_000)
    content = "a,b\n" + "".join(f'{i},"{i}\nx"\n' for i in range(500))
    snapshot = snapshot_of(tmp_path, {"a.csv": content.encode()})
    parts = list(chunks(snapshot, longest_row=100))
    assert len(parts) > 5
    pd.testing.assert_frame_equal(pd.concat(parts), read(snapshot))


def test_several_files_are_one_table(tmp_path: Path) -> None:
    files = {"a.csv": b"a,b\n1,2\n", "b.csv": b"b,a\n4,3\n", "c.csv": b"a,b\n"}
    assert read(snapshot_of(tmp_path, files)).to_dict("list") == {"a": ["1", "3"], "b": ["2", "4"]}


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        (b"a\n1\n", "b.csv lacks column 'b', which a.csv has; expected the same columns in each file"),
        (b"a,b,c\n1,2,3\n", "b.csv has a column 'c', which a.csv lacks; expected the same columns in each file"),
        (b"a,b\n1\n", "b.csv is not a CSV file: row 1 (line 2) has 1 cells, the header 2"),
    ],
)
def test_a_file_that_does_not_fit_the_others_is_named(tmp_path: Path, second: bytes, sentence: str) -> None:
    assert refusal(snapshot_of(tmp_path, {"a.csv": b"a,b\n1,2\n", "b.csv": second})) == sentence


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=8)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_what_python_writes_is_read_back(tmp_path: Path, data: st.DataObject) -> None:
    names = data.draw(st.lists(CELLS.filter(str.strip), min_size=1, max_size=4, unique=True))
    rows = data.draw(st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names)), min_size=1, max_size=6))
    text = io.StringIO()
    csv.writer(text, lineterminator=data.draw(st.sampled_from(["\n", "\r\n"]))).writerows([names, *rows])
    assert parsed(tmp_path, text.getvalue().encode()).to_numpy().tolist() == rows


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.text(st.sampled_from('ab,"\n\r 1'), max_size=24))
def test_python_reads_the_same_from_whatever_is_accepted(tmp_path: Path, content: str) -> None:
    text = "a,b\n" + content
    (tmp_path / "a.csv").write_bytes(text.encode())
    try:
        table = parsed(tmp_path, text.encode())
    except DataError:
        return
    expected = [row for row in csv.reader(io.StringIO(text, newline="")) if row][1:]
    assert table.to_numpy().tolist() == expected
