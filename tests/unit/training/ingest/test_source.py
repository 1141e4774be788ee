import hashlib
from importlib import resources
from pathlib import Path

import pytest

from training.errors import ConfigurationError, DataError
from training.ingest.source import read


def test_a_relative_path_starts_from_the_base(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_bytes(b"a\n1\n")
    snapshot = read("data/a.csv", tmp_path)
    assert (str(snapshot), snapshot.content) == ("data/a.csv", b"a\n1\n")
    assert snapshot.sha256 == hashlib.sha256(b"a\n1\n").hexdigest()


def test_an_absolute_path_is_itself(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a\n")
    assert read(str(tmp_path / "a.csv"), Path("/nowhere")).content == b"a\n"


def test_a_package_ships_a_file(tmp_path: Path) -> None:
    expected = (resources.files("palmerpenguins") / "data" / "penguins.csv").read_bytes()
    assert read("package://palmerpenguins/data/penguins.csv", tmp_path).content == expected


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("none.csv", "source 'none.csv' cannot be read: No such file or directory"),
        (".", "source '.' cannot be read: Is a directory"),
        (
            "package://palmerpenguins/none.csv",
            "source 'package://palmerpenguins/none.csv' cannot be read: No such file or directory",
        ),
        (
            "package://no_such_package/a.csv",
            "source 'package://no_such_package/a.csv' names package 'no_such_package', which is not an installed one",
        ),
        ("package://os/a.csv", "source 'package://os/a.csv' names package 'os', which is not an installed one"),
        ("package:///a.csv", "source 'package:///a.csv' names package '', which is not an installed one"),
    ],
)
def test_a_source_that_is_not_there_is_named(tmp_path: Path, source: str, sentence: str) -> None:
    with pytest.raises(DataError) as caught:
        read(source, tmp_path)
    assert str(caught.value) == sentence


def test_another_scheme_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="expected a path or package://PACKAGE/PATH"):
        read("https://example.com/a.csv", tmp_path)
