from pathlib import Path

import pytest

from model.artifact.names import check_model_name, is_file_name, is_model_name, next_version
from model.errors import ArtifactError


@pytest.mark.parametrize("name", ["penguins", "a", "0", "Iris-2.v_1", "x" * 253])
def test_accepts_a_model_name(name: str) -> None:
    assert is_model_name(name)


@pytest.mark.parametrize("name", ["", ".hidden", "-x", "..", "a/b", "a b", "a\n", "é", "x" * 254])
def test_refuses_what_is_no_model_name(name: str) -> None:
    with pytest.raises(ArtifactError, match="is no model name; expected at most 253 letters"):
        check_model_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc/passwd", "a\\b", ".hidden", "a\0", "a\n", "-rf"])
def test_refuses_what_is_no_plain_file_name(name: str) -> None:
    assert not is_file_name(name)


def test_first_version_of_a_directory_that_is_not_there(tmp_path: Path) -> None:
    assert next_version(tmp_path / "penguins") == 1


def test_next_version_follows_the_highest_number_not_the_last_name(tmp_path: Path) -> None:
    for name in ("9", "10", "2", "007", "latest", ".publish-12", "11x"):
        (tmp_path / name).mkdir()
    assert next_version(tmp_path) == 11
