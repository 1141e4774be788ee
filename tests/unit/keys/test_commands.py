"""`sklearn-kserve key`."""

import json
from pathlib import Path

import pytest

from model.cli import main
from model.keys import Client
from model.keys.file import read_keys
from model.keys.ring import Keyring


def test_a_key_is_printed_once_and_its_hash_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "keys.json"
    arguments = ["key", "--id", "alice", "--model", "penguins", "--model", "iris", "--file", str(file)]
    assert main(arguments) == 0
    (key,) = capsys.readouterr().out.splitlines()
    assert Keyring(file).client(f"Bearer {key}") == Client("alice", frozenset({"penguins", "iris"}))


def test_without_a_file_the_entry_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["key", "--id", "root", "--admin"]) == 0
    key, _, entry = capsys.readouterr().out.partition("\n")
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [json.loads(entry)]}))
    assert Keyring(tmp_path / "keys.json").client(f"Bearer {key}") == Client("root", None, admin=True)


def test_a_refusal_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "keys.json"
    main(["key", "--id", "alice", "--file", str(file)])
    capsys.readouterr()
    assert main(["key", "--id", "alice", "--file", str(file)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert (
        said.err == f"sklearn-kserve: The file of keys {file} has a key of the id 'alice' already; choose another id.\n"
    )
    assert len(read_keys(file)) == 1
