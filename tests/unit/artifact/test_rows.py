import sys
from pathlib import Path

import pandas as pd
import pytest

from model.artifact.rows import read_rows
from model.errors import ArtifactError

ROWS = pd.DataFrame({"a": [1, 2], "s": ["x", None], "y": [0.5, 1.5]})


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    ROWS.to_csv(tmp_path / "rows.csv", index=False)
    return tmp_path / "rows.csv"


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    ROWS.astype({"s": "category"}).to_parquet(tmp_path / "rows.parquet")
    return tmp_path / "rows.parquet"


def test_csv(csv: Path) -> None:
    assert read_rows(csv).isna().equals(ROWS.isna())
    assert read_rows(csv).dtypes.astype(str).tolist() == ["int64", "object", "float64"]


def test_parquet_keeps_types_that_csv_has_not(parquet: Path) -> None:
    assert read_rows(parquet).dtypes.astype(str).tolist() == ["int64", "category", "float64"]


def test_the_target_is_dropped(csv: Path) -> None:
    assert list(read_rows(csv, "y").columns) == ["a", "s"]


def test_a_target_that_is_not_there_is_named(csv: Path) -> None:
    with pytest.raises(ArtifactError, match="has no column 'z'; it has a, s, y"):
        read_rows(csv, "z")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("rows.txt", b"a\n1\n", r"is called \.txt; expected \.csv or \.parquet"),
        ("rows", b"a\n1\n", r"is called without a suffix; expected \.csv or \.parquet"),
        ("rows.csv", b"", "is no table that can be read: No columns to parse from file; expected CSV"),
        ("rows.csv", b"a\n\xff\xfe\n", "is no table that can be read: .*; expected CSV"),
        ("rows.csv", b'a,b\n1,2\n"3', "is no table that can be read: .*; expected CSV"),
        ("rows.parquet", b"not parquet", "is no table that can be read: .*; expected CSV or Parquet"),
    ],
)
def test_what_is_no_sample_is_refused(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=sentence):
        read_rows(tmp_path / name)


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArtifactError, match=f"{name} can't be read: No such file or directory; check the path"):
        read_rows(tmp_path / name)


def test_without_pyarrow_the_extra_is_named(parquet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyarrow"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ArtifactError, match=r"needs pyarrow; install sklearn-kserve\[parquet\], or give a CSV file"):
        read_rows(parquet)
