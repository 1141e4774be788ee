import pytest

from training.errors import DataError
from training.ingest.source import Snapshot
from training.ingest.table import parse


def test_every_cell_stays_the_text_it_is() -> None:
    table = parse(Snapshot("a.csv", b"code,flag\n007,TRUE\n1e3,no\n"), [])
    assert table.to_dict("list") == {"code": ["007", "1e3"], "flag": ["TRUE", "no"]}


def test_only_the_named_cells_are_missing() -> None:
    table = parse(Snapshot("a.csv", b"a,b\nNA,?\n?,\n"), ["?"])
    assert table.isna().to_numpy().tolist() == [[False, True], [True, False]]
    assert table["b"][1] == ""


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    assert list(parse(Snapshot("a.csv", "\ufeffa,b\n1,2\n".encode()), []).columns) == ["a", "b"]


def test_blank_lines_are_passed_over() -> None:
    assert parse(Snapshot("a.csv", b"\na,b\n\n1,2\n"), []).to_dict("list") == {"a": ["1"], "b": ["2"]}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "a.csv is empty; expected a header and rows"),
        (b" \n\n", "a.csv is empty; expected a header and rows"),
        (b"a,b\n", "a.csv has a header but no rows; expected at least one"),
        (b"a,b\n1,2\n1,2,3\n", "a.csv is not a CSV file: row 2 has 3 cells, the header 2"),
        (b"a,b\n1,2,3\n4,5,6\n", "a.csv is not a CSV file: row 1 has 3 cells, the header 2"),
        (b"a,b\n1,2\n3\n", "a.csv is not a CSV file: row 2 has 1 cells, the header 2"),
        (b'a,b\n"1,2\n', "a.csv is not a CSV file: row 1 has 1 cells, the header 2"),
        (b"a,b\n\xff,2\n", "a.csv is not text in UTF-8: byte 5 does not fit"),
        (b"a,,c\n1,2,3\n", "a.csv has no name for column 2; expected one for each"),
        (b"a,b,a\n1,2,3\n", "a.csv has 2 columns named 'a'; expected a name of its own for each"),
        (b"a" * 200_000 + b"\n1\n", "a.csv is not a CSV file: field larger than field limit"),
    ],
)
def test_what_is_no_table_is_refused(content: bytes, sentence: str) -> None:
    with pytest.raises(DataError) as caught:
        parse(Snapshot("a.csv", content), [])
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)
