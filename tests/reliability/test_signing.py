"""A server that loads nothing but what the operator's keys have signed."""

import hashlib
import shutil
from pathlib import Path

import joblib
import pytest

from tests.keys import make_key
from tests.protocol.encodings import document, infer_path
from tests.reliability.conftest import Serve
from tests.reliability.parts import Malice, ask, bare, edit_manifest, publish_flowers
from tests.reliability.test_readiness import index, ready
from tests.reliability.test_trust import UNREADY, served
from tests.signing import KeyPair, key_pair


@pytest.fixture
def ours(tmp_path: Path) -> KeyPair:
    return key_pair(tmp_path, "ours")


def replace(version: Path, malice: Malice) -> None:
    """Put a pickle in the estimator's place, and let the manifest vouch for it."""
    joblib.dump(malice, version / "model.joblib")
    digest = hashlib.sha256((version / "model.joblib").read_bytes()).hexdigest()
    edit_manifest(version, lambda manifest: manifest["files"].update({"model.joblib": digest}))


def test_only_what_one_of_the_keys_has_signed_is_loaded(tmp_path: Path, ours: KeyPair, serve: Serve) -> None:
    root, marker = tmp_path / "models", tmp_path / "marker"
    next_key, theirs = (key_pair(tmp_path, name) for name in ("next", "theirs"))
    publish_flowers(root, "signed", ours.private)
    publish_flowers(root, "rotated", next_key.private)
    replace(publish_flowers(root, "changed", ours.private), Malice(marker))
    replace(publish_flowers(root, "unsigned"), Malice(marker))
    publish_flowers(root, "others", theirs.private)
    (publish_flowers(root, "more", ours.private) / "more.py").touch()
    bare(root / "bare", Malice(marker))

    keys = f"{ours.public},{next_key.public}"
    clients = serve("--model_root", root, until=UNREADY, env={"SKLEARN_KSERVE_VERIFY_KEY": keys})
    assert ready(clients) == 503
    states = {name: reason for (name, _), (_, reason) in index(clients).items()}
    assert states.pop("signed") == states.pop("rotated") == ""
    expected = {
        "changed": "it was changed after it was signed",
        "unsigned": "is unsigned",
        "others": "was made with a key of fingerprint",
        "more": "holds more.py, which its signature does not cover",
        "bare": "has no manifest.json, and one is required here",
    }
    assert states.keys() == expected.keys()
    assert [name for name in states if expected[name] not in states[name]] == []
    for name in ("signed", "rotated"):
        assert served(clients, name)["model_version"] == "1"
    for name in expected:
        assert clients.post(infer_path(name), document(ask(model=name))).status_code == 503
    assert not marker.exists()


def test_a_version_that_comes_later_is_held_against_the_keys(tmp_path: Path, ours: KeyPair, serve: Serve) -> None:
    root, marker = tmp_path / "models", tmp_path / "marker"
    first = publish_flowers(root, private_key=ours.private)
    flags = ("--model_root", root, "--verify_key", ours.public, "--enable_repository_api")
    key = make_key(tmp_path / "keys.json", "operator", admin=True)
    clients = serve(*flags, "--api_key_file", tmp_path / "keys.json", key=key)
    replace(publish_flowers(root, private_key=ours.private), Malice(marker))
    replace(first, Malice(marker))
    assert clients.post("/v2/repository/models/flowers/load", {}).status_code == 503
    answer = clients.post(infer_path("flowers"), document(ask(2.0)))
    assert (answer.status_code, answer.json()["model_version"]) == (200, "1")
    reasons = [reason for _, reason in index(clients).values()]
    assert [reason for reason in reasons if "it was changed after it was signed" not in reason] == []

    shutil.rmtree(root / "flowers" / "2")
    publish_flowers(root, private_key=ours.private)
    assert clients.post("/v2/repository/models/flowers/load", {}).status_code == 200
    assert served(clients, "flowers")["model_version"] == "2"
    assert not marker.exists()
