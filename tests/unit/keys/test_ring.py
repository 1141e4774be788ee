"""Clients by their keys: the right one opens, any other string does not."""

import hmac
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import Unauthenticated
from model.keys import Client, ring
from model.keys.ring import Keyring
from model.renewal import EVERY_SECONDS
from tests.keys import make_key


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys") / "keys.json"


@pytest.fixture(scope="module")
def key(file: Path) -> str:
    make_key(file, "bob")
    return make_key(file, "alice", "penguins", admin=True)


@pytest.fixture(scope="module")
def keyring(file: Path, key: str) -> Keyring:
    return Keyring(file)


ALICE = Client("alice", frozenset({"penguins"}), admin=True)


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER  {} "])
def test_the_key_tells_who_asks_and_what_they_may(keyring: Keyring, key: str, form: str) -> None:
    assert keyring.client(form.format(key)) == ALICE


def refusal(keyring: Keyring, credentials: str | None) -> str:
    with pytest.raises(Unauthenticated) as refused:
        keyring.client(credentials)
    return str(refused.value)


@pytest.mark.parametrize("credentials", [None, ""])
def test_without_credentials_nobody_is_let_in(keyring: Keyring, credentials: str | None) -> None:
    expected = "The request has no credentials; expected the header Authorization: Bearer <key>."
    assert refusal(keyring, credentials) == expected


WRONG = "The request has a wrong key; expected the header Authorization: Bearer <key>."


@pytest.mark.parametrize(
    "form",
    ["{}", "Basic {}", "Bearer{}", "Bearer", "Bearer ", "Bearer .", "Bearer bob.{}", "Bearer {} {}", "Bearer\t{}"],
)
def test_the_key_in_another_form_is_refused(keyring: Keyring, key: str, form: str) -> None:
    assert refusal(keyring, form.format(key, key)) == WRONG


def test_the_hash_itself_is_no_key(keyring: Keyring, file: Path, key: str) -> None:
    for entry in json.loads(file.read_bytes())["keys"]:
        assert refusal(keyring, f"Bearer {entry['id']}.{entry['sha256']}") == WRONG


@given(sent=st.text(max_size=80))
def test_any_other_string_is_refused(keyring: Keyring, key: str, sent: str) -> None:
    for wrong in (sent, f"alice.{sent}", f"{key}{sent}", f"{sent}{key}"):
        if wrong.strip() != key:
            assert refusal(keyring, f"Bearer {wrong}") == WRONG


@given(data=st.data())
def test_a_key_with_one_character_changed_is_refused(keyring: Keyring, key: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(key) - 1))
    other = data.draw(st.characters(codec="latin-1", exclude_characters=key[place]))
    wrong = key[:place] + other + key[place + 1 :]
    if wrong.strip() != key:
        assert refusal(keyring, f"Bearer {wrong}") == WRONG


@pytest.mark.parametrize("key_id", ["alice", "nobody", ""])
def test_an_unknown_id_takes_the_same_steps_as_a_wrong_secret(
    keyring: Keyring, key: str, key_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[Any, ...]] = []

    def digest(salt: bytes, secret: str) -> bytes:
        steps.append(("hash", len(salt), secret))
        return b"d" * 32

    def compare(left: bytes, right: bytes) -> bool:
        steps.append(("compare", len(left), len(right)))
        return hmac.compare_digest(left, right)

    monkeypatch.setattr(ring, "digest", digest)
    monkeypatch.setattr(ring, "hmac", SimpleNamespace(compare_digest=compare))
    assert refusal(keyring, f"Bearer {key_id}.secret") == WRONG
    assert steps == [("hash", 16, "secret"), ("compare", 32, 32)]


class Clock:
    """Seconds that pass when told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_key_that_is_taken_out_is_refused_soon(tmp_path: Path) -> None:
    clock = Clock()
    file = tmp_path / "keys.json"
    key, other = make_key(file, "alice"), make_key(file, "bob")
    keyring = Keyring(file, clock=clock)
    document = json.loads(file.read_bytes())
    del document["keys"][0]
    file.write_text(json.dumps(document))
    os.utime(file, ns=(1, 1))
    clock.now = EVERY_SECONDS
    assert refusal(keyring, f"Bearer {key}") == WRONG
    assert keyring.client(f"Bearer {other}").id == "bob"
