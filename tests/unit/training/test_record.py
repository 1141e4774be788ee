from pathlib import Path

import pytest

from training.record import digest_of, directory_made_whole, identity, readable, write_whole


def test_an_identity_is_decided_by_the_values_alone() -> None:
    assert identity({"a": 1, "b": 2}) == identity({"b": 2, "a": 1}) != identity({"a": 1, "b": 3})


def test_json_is_readable() -> None:
    assert readable({"b": "é", "a": 1}) == '{\n  "a": 1,\n  "b": "é"\n}\n'.encode()


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    for content in (b"one", b"two"):
        write_whole(tmp_path / "file", content)
        assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", content)]


def test_a_directory_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    place = tmp_path / "above" / "place"
    with pytest.raises(FileNotFoundError), directory_made_whole(place) as partial:
        (partial / "half" / "file").touch()
    assert not place.exists()
    with directory_made_whole(place) as partial:
        assert not list(partial.iterdir())
        (partial / "file").write_text("whole")
    assert [path.name for path in place.parent.iterdir()] == ["place"]
    assert [path.name for path in place.iterdir()] == ["file"]


def test_the_digest_of_a_file_is_its_sha256(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert digest_of(tmp_path / "empty").startswith("e3b0c44298fc1c14")
