"""The file of keys: what is kept of a key, and which files are none."""

import json
import os
import stat
from pathlib import Path

import pytest

from model.errors import ArtifactError
from model.keys.file import add_key, new_key, read_keys
from tests.keys import make_key


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_a_key_is_kept_as_its_hash_alone(file: Path) -> None:
    text = make_key(file, "alice", "penguins", "iris", admin=True)
    key_id, secret = text.split(".")
    assert key_id == "alice"
    assert len(secret) == 43
    assert secret not in file.read_text()
    (kept,) = read_keys(file)
    assert (kept.id, kept.models, kept.admin) == ("alice", ("penguins", "iris"), True)


def test_what_is_as_by_default_is_not_written(file: Path) -> None:
    make_key(file, "alice")
    (entry,) = json.loads(file.read_bytes())["keys"]
    assert entry.keys() == {"id", "salt", "sha256", "created"}


def test_the_salt_makes_the_hash_of_one_secret_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.token_urlsafe", lambda count: "s" * 43)
    (first_text, first), (second_text, second) = new_key("alice"), new_key("alice")
    assert first_text == second_text
    assert first.sha256 != second.sha256


def test_no_two_keys_are_alike() -> None:
    assert len({new_key("alice")[0] for _ in range(100)}) == 100


def test_keys_are_added_to_those_there_are(file: Path) -> None:
    for key_id in ("alice", "bob", "carol-2_x"):
        make_key(file, key_id)
    assert [key.id for key in read_keys(file)] == ["alice", "bob", "carol-2_x"]


def test_an_id_is_given_once(file: Path) -> None:
    make_key(file, "alice")
    before = file.read_bytes()
    with pytest.raises(ArtifactError, match=r"has a key of the id 'alice' already; choose another id\.$"):
        make_key(file, "alice")
    assert file.read_bytes() == before


def test_a_new_file_is_its_owners_alone(file: Path) -> None:
    make_key(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_keeps_its_mode_for_the_server_has_to_read_it(file: Path) -> None:
    make_key(file, "alice")
    file.chmod(0o640)
    make_key(file, "bob")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_link_stays_one(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(file)
    make_key(link)
    assert link.is_symlink()
    assert len(read_keys(file)) == 1


def test_a_write_that_fails_leaves_the_file_and_nothing_beside_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_key(file, "alice")
    before = file.read_bytes()

    def fail(number: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ArtifactError, match="can't be written: No space left on device"):
        make_key(file, "bob")
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("key_id", ["", "a.b", "a b", "-a", "ä", "a" * 64, "a\n", "a/b"])
def test_an_id_that_a_header_or_a_log_line_could_not_carry_is_refused(key_id: str) -> None:
    with pytest.raises(ArtifactError, match="expected an id of at most 63 letters"):
        new_key(key_id)


ENTRY = {"id": "alice", "salt": "0" * 32, "sha256": "0" * 64, "created": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is not JSON"),
        ("alice.secret", "is not JSON"),
        ("[]", "is none: the whole: "),
        ("{}", "is none: keys: Field required"),
        ('{"keys": {}}', "is none: keys: "),
        ({"keys": [], "more": 1}, "is none: more: Extra inputs"),
        ({"keys": [ENTRY, "alice.secret"]}, "is none: keys.2: "),
        ({"keys": [{**ENTRY, "salt": "0"}]}, "is none: keys.1.salt: "),
        ({"keys": [{**ENTRY, "sha256": "0" * 64 + "\n"}]}, "is none: keys.1.sha256: "),
        ({"keys": [{**ENTRY, "models": []}]}, "is none: keys.1.models: "),
        ({"keys": [{**ENTRY, "models": "penguins"}]}, "is none: keys.1.models: "),
        ({"keys": [{**ENTRY, "models": [""]}]}, "is none: keys.1.models.1: "),
        ({"keys": [{**ENTRY, "admin": "no"}]}, "is none: keys.1.admin: "),
        ({"keys": [{**ENTRY, "model": ["penguins"]}]}, "is none: keys.1.model: Extra inputs"),
        ({"keys": [ENTRY, ENTRY]}, "has 2 keys of the id 'alice'"),
    ],
)
def test_a_file_of_another_shape_is_refused_in_a_sentence(file: Path, content: object, said: str) -> None:
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(ArtifactError) as refused:
        read_keys(file)
    sentence = str(refused.value)
    assert sentence.startswith(f"The file of keys {file} {said}")
    assert "\n" not in sentence
    assert "secret" not in sentence


def test_a_file_may_hold_no_key_at_all(file: Path) -> None:
    file.write_text('{"keys": []}')
    assert read_keys(file) == ()


def test_a_directory_is_no_file_of_keys(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="can't be read: Is a directory"):
        add_key(tmp_path, new_key("alice")[1])
