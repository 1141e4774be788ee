"""Versions signed with OpenSSF model-signing: what loads, and what is refused before anything is unpickled."""

import base64
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import model_signing
import numpy as np
import pandas as pd
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from model.artifact import (
    Artifact,
    LoadPolicy,
    accelerate_version,
    load,
    publish,
    publish_network,
    read_keys,
    sign_version,
    verify,
)
from model.errors import ArtifactError, UntrustedArtifact
from tests.signing import KeyPair, key_pair
from tests.unit.artifact.conftest import Malice
from tests.unit.engine import networks


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, KeyPair]:
    directory = tmp_path_factory.mktemp("keys")
    return {name: key_pair(directory, name) for name in ("ours", "theirs")}


@pytest.fixture(scope="session")
def ours(keys: dict[str, KeyPair]) -> KeyPair:
    return keys["ours"]


@pytest.fixture(scope="session")
def theirs(keys: dict[str, KeyPair]) -> KeyPair:
    return keys["theirs"]


@pytest.fixture(scope="session")
def _pristine_signed(_pristine: Path, ours: KeyPair, tmp_path_factory: pytest.TempPathFactory) -> Path:
    version = shutil.copytree(_pristine, tmp_path_factory.mktemp("signed") / "penguins" / "1")
    sign_version(version, ours.private)
    return version


@pytest.fixture
def signed(_pristine_signed: Path, tmp_path: Path) -> Path:
    """A signed version that a test may damage."""
    return shutil.copytree(_pristine_signed, tmp_path / "signed" / "penguins" / "1")


def loaded(version: Path, *pairs: KeyPair) -> Artifact:
    return load(version, policy=LoadPolicy(keys=read_keys(pair.public for pair in pairs)))


def approves(version: Path, pair: KeyPair) -> bool:
    """Whether the library itself, with everything it does by default, accepts a version."""
    config = model_signing.verifying.Config().use_elliptic_key_verifier(public_key=pair.public)
    try:
        config.verify(version, version / "model.sig")
    except ValueError:
        return False
    return True


def sign_by_library(version: Path, pair: KeyPair, *left_out: str, hashing: Any = None) -> None:
    """Sign a directory, whatever it holds, but for the signature itself and what is named."""
    config = model_signing.signing.Config().use_elliptic_key_signer(private_key=pair.private)
    hashing = hashing or model_signing.hashing.Config()
    config.set_hashing_config(hashing.set_ignored_paths(paths=["model.sig", *left_out]))
    config.sign(version, version / "model.sig")


class TestSigned:
    def test_loads_with_the_key(self, signed: Path, ours: KeyPair) -> None:
        assert loaded(signed, ours).verified
        found = verify(signed, keys=read_keys([ours.public])).signed_by
        assert found is not None
        assert found.path == ours.public

    def test_loads_with_either_of_two_keys(self, signed: Path, ours: KeyPair, theirs: KeyPair) -> None:
        assert loaded(signed, theirs, ours).verified
        sign_version(signed, theirs.private)  # rotation
        assert loaded(signed, theirs, ours).verified
        with pytest.raises(UntrustedArtifact, match="made with a key of fingerprint"):
            loaded(signed, ours)

    def test_loads_where_no_key_is_asked_for(self, signed: Path) -> None:
        assert loaded(signed).verified

    def test_is_accepted_by_the_library(self, signed: Path, ours: KeyPair, theirs: KeyPair) -> None:
        assert approves(signed, ours)
        assert not approves(signed, theirs)

    def test_may_be_signed_by_the_librarys_own_command(self, version: Path, ours: KeyPair) -> None:
        command = [sys.executable, "-m", "model_signing", "sign", "key", "--private_key", str(ours.private)]
        subprocess.run([*command, "--signature", str(version / "model.sig"), str(version)], check=True)
        assert loaded(version, ours).verified

    @pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
    def test_loads_with_a_key_of_a_larger_curve(self, version: Path, tmp_path: Path, curve: ec.EllipticCurve) -> None:
        pair = key_pair(tmp_path, "own", ec.generate_private_key(curve))
        sign_version(version, pair.private)
        assert approves(version, pair)
        assert loaded(version, pair).verified

    def test_may_be_signed_anew(self, signed: Path, ours: KeyPair) -> None:
        sign_version(signed, ours.private)
        assert loaded(signed, ours).verified

    def test_may_lie_on_a_disk_of_its_own(self, signed: Path, ours: KeyPair) -> None:
        (signed / "lost+found").mkdir()
        assert approves(signed, ours)
        assert loaded(signed, ours).verified

    def test_may_be_linked_file_by_file(self, signed: Path, ours: KeyPair, tmp_path: Path) -> None:
        """As KServe's storage initializer does with a local directory; contents count, and they are checked."""
        links = tmp_path / "links"
        links.mkdir()
        for path in signed.iterdir():
            (links / path.name).symlink_to(path)
        assert loaded(links, ours).verified
        (signed / "card.html").write_text("another")
        with pytest.raises(UntrustedArtifact, match="it was damaged or replaced"):
            loaded(links, ours)

    def test_may_hold_what_its_signature_leaves_out(self, version: Path, ours: KeyPair) -> None:
        sign_by_library(version, ours, "notes")
        (version / "notes").mkdir()
        (version / "notes" / "today.txt").write_text("sunny")
        assert approves(version, ours)
        assert loaded(version, ours).verified

    def test_is_signed_and_verified_without_a_network(
        self, version: Path, ours: KeyPair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("a socket is asked for")

        monkeypatch.setattr(socket, "socket", refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)
        sign_version(version, ours.private)
        assert loaded(version, ours).verified

    def test_is_verified_without_what_signing_needs(self, signed: Path, ours: KeyPair) -> None:
        script = (
            "import sys; from pathlib import Path; from model.artifact import read_keys, verify\n"
            "version, key = map(Path, sys.argv[1:])\n"
            "verify(version); assert 'cryptography' not in sys.modules\n"
            "assert verify(version, keys=read_keys([key])).signed_by\n"
            "print(sorted({'model_signing', 'sigstore', 'requests', 'urllib3'} & sys.modules.keys()))"
        )
        command = [sys.executable, "-c", script, str(signed), str(ours.public)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.stdout, done.stderr) == ("[]\n", "")


def unsigned(version: Path) -> None:
    (version / "model.sig").unlink()


def file_replaced(version: Path) -> None:
    shutil.copy(version.parents[2] / "malicious.joblib", version / "model.joblib")


def file_and_manifest_replaced(version: Path) -> None:
    """What a manifest alone does not notice."""
    file_replaced(version)
    manifest = json.loads((version / "manifest.json").read_bytes())
    manifest["files"]["model.joblib"] = hashlib.sha256((version / "model.joblib").read_bytes()).hexdigest()
    (version / "manifest.json").write_text(json.dumps(manifest))


def manifest_with_white_space(version: Path) -> None:
    with (version / "manifest.json").open("a") as file:
        file.write(" ")


def file_removed(version: Path) -> None:
    (version / "card.html").unlink()


def manifest_removed(version: Path) -> None:
    (version / "manifest.json").unlink()


def file_added(version: Path) -> None:
    (version / "sitecustomize.py").touch()


def hidden_file_added(version: Path) -> None:
    (version / ".netrc").touch()


def git_file_added(version: Path) -> None:
    """What the library passes by when it verifies, though nothing in the signature says so."""
    (version / ".gitignore").touch()


def file_added_below(version: Path) -> None:
    (version / "a" / "b").mkdir(parents=True)
    (version / "a" / "b" / "c").touch()


def folder_linked(version: Path) -> None:
    (version / "folder").symlink_to("/etc")


def signature_truncated(version: Path) -> None:
    os.truncate(version / "model.sig", 500)


def signature_emptied(version: Path) -> None:
    os.truncate(version / "model.sig", 0)


def signature_is_garbage(version: Path) -> None:
    (version / "model.sig").write_bytes(bytes(range(256)))


def signature_is_another_document(version: Path) -> None:
    (version / "model.sig").write_text('{"signature": true}')


def signature_leads_nowhere(version: Path) -> None:
    (version / "model.sig").unlink()
    (version / "model.sig").symlink_to("gone.sig")


def edit_signature(version: Path, change: Callable[[dict[str, Any]], object]) -> None:
    bundle = json.loads((version / "model.sig").read_bytes())
    change(bundle)
    (version / "model.sig").write_text(json.dumps(bundle))


def payload_replaced(version: Path) -> None:
    """Keep the signature, and let it stand above another list of files."""
    file_and_manifest_replaced(version)

    def change(bundle: dict[str, Any]) -> None:
        statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
        for resource in statement["predicate"]["resources"]:
            resource["digest"] = hashlib.sha256((version / resource["name"]).read_bytes()).hexdigest()
        bundle["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()

    edit_signature(version, change)


def payload_type_replaced(version: Path) -> None:
    edit_signature(version, lambda bundle: bundle["dsseEnvelope"].update(payloadType="text/plain"))


def no_signatures(version: Path) -> None:
    edit_signature(version, lambda bundle: bundle["dsseEnvelope"].update(signatures=[]))


def zero_signature(version: Path) -> None:
    """r = s = 0, which a verifier that does not check the range takes for good."""
    zero = base64.b64encode(bytes.fromhex("3006020100020100")).decode()
    edit_signature(version, lambda bundle: bundle["dsseEnvelope"].update(signatures=[{"sig": zero, "keyid": ""}]))


TAMPERINGS: dict[Callable[[Path], None], str] = {
    unsigned: r"is unsigned: it has no model\.sig, and a signature is required here; sign it: sklearn-kserve sign\.",
    file_replaced: r"model\.joblib has sha256 .* it was damaged or replaced",
    file_and_manifest_replaced: r"manifest\.json has sha256 .* model\.sig says .* changed after it was signed",
    manifest_with_white_space: r"manifest\.json has sha256 .* changed after it was signed",
    file_removed: r"card\.html is missing",
    manifest_removed: r"has no manifest\.json, and one is required here",
    file_added: r"holds sitecustomize\.py, which its signature does not cover",
    git_file_added: r"holds \.gitignore, which its signature does not cover",
    hidden_file_added: r"holds \.netrc, which its signature does not cover",
    file_added_below: r"holds a/b/c, which its signature does not cover",
    folder_linked: r"holds folder, which its signature does not cover",
    signature_truncated: r"model\.sig is no signature that model-signing makes",
    signature_emptied: r"model\.sig is no signature that model-signing makes",
    signature_is_garbage: r"model\.sig is no signature that model-signing makes",
    signature_is_another_document: r"model\.sig is no signature .* \(mediaType: Field required\)",
    signature_leads_nowhere: r"model\.sig is missing",
    payload_replaced: r"model\.sig was changed after it was made",
    payload_type_replaced: r"model\.sig is no signature .* \(dsseEnvelope\.payloadType: ",
    no_signatures: r"model\.sig is no signature .* \(dsseEnvelope\.signatures: ",
    zero_signature: r"model\.sig was changed after it was made",
}


class TestRefused:
    @pytest.fixture(autouse=True)
    def _has_not_run(self, malicious: Path, marker: Path) -> Iterator[None]:
        yield
        assert not marker.exists()

    @pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda tamper: tamper.__name__)
    def test_what_was_tampered_with(self, signed: Path, ours: KeyPair, tamper: Callable[[Path], None]) -> None:
        tamper(signed)
        with pytest.raises(UntrustedArtifact, match=TAMPERINGS[tamper]):
            loaded(signed, ours)

    @pytest.mark.parametrize(
        "tamper",
        [file_replaced, file_and_manifest_replaced, file_removed, file_added, hidden_file_added, file_added_below],
        ids=lambda tamper: tamper.__name__,
    )
    def test_what_the_library_refuses(self, signed: Path, ours: KeyPair, tamper: Callable[[Path], None]) -> None:
        tamper(signed)
        assert not approves(signed, ours)

    def test_what_somebody_else_has_signed(self, version: Path, marker: Path, ours: KeyPair, theirs: KeyPair) -> None:
        joblib.dump(Malice(marker), version / "model.joblib")
        manifest = json.loads((version / "manifest.json").read_bytes())
        manifest["files"]["model.joblib"] = hashlib.sha256((version / "model.joblib").read_bytes()).hexdigest()
        (version / "manifest.json").write_text(json.dumps(manifest))
        sign_version(version, theirs.private)
        sentence = rf"made with a key of fingerprint '[0-9a-f]{{16}}'; expected one of {ours.public} \([0-9a-f]{{16}}\)"
        with pytest.raises(UntrustedArtifact, match=sentence):
            loaded(version, ours)
        edit_signature(version, lambda bundle: bundle["verificationMaterial"].update(publicKey={}))
        with pytest.raises(UntrustedArtifact, match="made with a key that it does not name"):
            loaded(version, ours)

        def pretend(bundle: dict[str, Any]) -> None:
            (key,) = read_keys([ours.public])
            bundle["verificationMaterial"].update(publicKey={"hint": key.fingerprint})

        edit_signature(version, pretend)
        with pytest.raises(UntrustedArtifact, match="was changed after it was made"):
            loaded(version, ours)

    def test_the_signature_of_another_version(
        self, signed: Path, ours: KeyPair, pipeline: Pipeline, sample: pd.DataFrame, tmp_path: Path
    ) -> None:
        root = tmp_path / "another"
        other = publish(pipeline, sample, name="penguins", root=root, accelerate=False, private_key=ours.private)
        shutil.copy(other / "model.sig", signed)
        with pytest.raises(UntrustedArtifact, match=r"manifest\.json has sha256 .* model\.sig says"):
            loaded(signed, ours)

    def test_a_good_signature_of_other_files(self, signed: Path, ours: KeyPair, malicious: Path) -> None:
        """The key's owner has signed a directory, but no published version."""
        shutil.copy(malicious, signed / "model.joblib")
        sign_by_library(signed, ours)
        assert approves(signed, ours)
        with pytest.raises(UntrustedArtifact, match=r"do not say the same of model\.joblib: "):
            loaded(signed, ours)

    def test_a_signature_that_leaves_the_estimator_out(self, signed: Path, ours: KeyPair) -> None:
        sign_by_library(signed, ours, "model.joblib")
        with pytest.raises(UntrustedArtifact, match=r"do not say the same of model\.joblib: "):
            loaded(signed, ours)

    def test_a_signature_that_leaves_the_manifest_out(self, signed: Path, ours: KeyPair) -> None:
        sign_by_library(signed, ours, "manifest.json")
        with pytest.raises(UntrustedArtifact, match=r"model\.sig says nothing of it"):
            loaded(signed, ours)

    @pytest.mark.parametrize(
        "hashing",
        [
            model_signing.hashing.Config().use_file_serialization(hashing_algorithm="blake2"),
            model_signing.hashing.Config().use_shard_serialization(),
        ],
        ids=["blake2", "shards"],
    )
    def test_a_signature_by_other_digests(self, version: Path, ours: KeyPair, hashing: Any) -> None:
        sign_by_library(version, ours, hashing=hashing)
        with pytest.raises(UntrustedArtifact, match=r"by files and sha256 .*; copy it again, or sign the version anew"):
            loaded(version, ours)

    @pytest.mark.parametrize("name", ["model.joblib", "model.pkl", "model.onnx", "MLmodel"])
    def test_what_has_no_manifest(self, tmp_path: Path, ours: KeyPair, malicious: Path, name: str) -> None:
        (tmp_path / "bare").mkdir()
        shutil.copy(malicious, tmp_path / "bare" / name)
        sign_by_library(tmp_path / "bare", ours)
        with pytest.raises(UntrustedArtifact, match=r"has no manifest\.json, and one is required here"):
            loaded(tmp_path / "bare", ours)


class TestReading:
    def test_what_is_exchanged_while_the_signature_is_read_is_not_loaded(
        self, signed: Path, ours: KeyPair, malicious: Path, marker: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def exchanging(path: Path) -> bytes:
            content = path.read_bytes()
            file_and_manifest_replaced(signed)
            return content

        monkeypatch.setattr("model.artifact.seal.content", exchanging)
        with pytest.raises(UntrustedArtifact, match=r"model\.joblib has sha256 .* it was damaged or replaced"):
            loaded(signed, ours)
        assert not marker.exists()

    def test_each_file_is_hashed_once(self, signed: Path, ours: KeyPair, monkeypatch: pytest.MonkeyPatch) -> None:
        hashed: list[str] = []
        real = hashlib.file_digest

        def counted(file: Any, algorithm: str) -> Any:
            hashed.append(Path(f"/proc/self/fd/{file.fileno()}").readlink().name)
            return real(file, algorithm)

        monkeypatch.setattr(hashlib, "file_digest", counted)
        loaded(signed, ours)
        assert sorted(hashed) == ["card.html", "model.joblib"]


@pytest.fixture(scope="module")
def scratch(_pristine_signed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(_pristine_signed, tmp_path_factory.mktemp("scratch") / "1")


@given(st.data())
def test_any_byte_of_any_file_counts(scratch: Path, ours: KeyPair, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(scratch.iterdir())))
    content = path.read_bytes()
    position = data.draw(st.integers(0, len(content) - 1))
    changed = bytearray(content)
    changed[position] ^= data.draw(st.integers(1, 255))
    keys = read_keys([ours.public])
    path.write_bytes(changed)
    try:
        accepted = verify(scratch, keys=keys).signed_by is not None
    except UntrustedArtifact:
        accepted = False
    finally:
        path.write_bytes(content)
    # Fields beside what is signed, such as the name of an empty list, may read as they like: the files are those signed.
    assert not accepted or path.name == "model.sig"
    assert verify(scratch, keys=keys).signed_by is not None


class TestKeys:
    @pytest.mark.parametrize(
        ("key", "sentence"),
        [
            (rsa.generate_private_key(65537, 2048), "holds a key of another kind"),
            (ed25519.Ed25519PrivateKey.generate(), "holds a key of another kind"),
            (ec.generate_private_key(ec.SECP256K1()), "holds a key of another kind"),
        ],
        ids=["rsa", "ed25519", "secp256k1"],
    )
    def test_of_another_kind_are_refused(
        self, version: Path, tmp_path: Path, key: PrivateKeyTypes, sentence: str
    ) -> None:
        pair = key_pair(tmp_path, "own", key)
        with pytest.raises(ArtifactError, match=f"{sentence}; expected the PEM of one public key"):
            read_keys([pair.public])
        with pytest.raises(ArtifactError, match=f"{sentence}; expected the PEM of a private key"):
            sign_version(version, pair.private)

    def test_that_are_none_are_refused(self, version: Path, tmp_path: Path, ours: KeyPair, theirs: KeyPair) -> None:
        with pytest.raises(ArtifactError, match="holds no public key; expected"):
            read_keys([ours.private])
        with pytest.raises(ArtifactError, match="holds no private key; expected"):
            sign_version(version, ours.public)
        with pytest.raises(ArtifactError, match=r"The key .*/none\.pem is no file; check the path"):
            read_keys([tmp_path / "none.pem"])
        with pytest.raises(ArtifactError, match=r"The key .*/none\.pem is no file; check the path"):
            sign_version(version, tmp_path / "none.pem")
        both = tmp_path / "both.pem"
        both.write_bytes(ours.public.read_bytes() + theirs.public.read_bytes())
        with pytest.raises(ArtifactError, match=r"holds 2 PEM blocks; expected .*, each in its file"):
            read_keys([both])
        encrypted = key_pair(tmp_path, "encrypted", password=b"s3cret")
        with pytest.raises(ArtifactError, match=r"holds a key that is encrypted; expected .*: openssl pkey -in "):
            sign_version(version, encrypted.private)


class TestSigning:
    @pytest.fixture(autouse=True)
    def _leaves_nothing(self, version: Path) -> Iterator[None]:
        yield
        assert not [path.name for path in version.iterdir() if "model.sig" in path.name]

    def test_refuses_a_version_that_is_not_what_its_manifest_says(self, version: Path, ours: KeyPair) -> None:
        (version / "card.html").write_text("another")
        (version / "notes.txt").write_text("surplus")
        (version / ".git").mkdir()
        (version / ".git" / "config").write_text("surplus")
        with pytest.raises(UntrustedArtifact, match=r"do not say the same of \.git/config, card\.html, notes\.txt: "):
            sign_version(version, ours.private)

    def test_refuses_what_was_not_published(self, version: Path, ours: KeyPair) -> None:
        (version / "manifest.json").unlink()
        with pytest.raises(UntrustedArtifact, match=r"manifest\.json is missing"):
            sign_version(version, ours.private)

    def test_refuses_links(self, version: Path, ours: KeyPair) -> None:
        (version / "card.html").rename(version.parent / "card.html")
        (version / "card.html").symlink_to("../card.html")
        with pytest.raises(ArtifactError, match=r"can't be signed: .*card\.html.*; mend that, and sign it again"):
            sign_version(version, ours.private)

    def test_says_what_to_install(self, version: Path, ours: KeyPair, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "model_signing", None)
        with pytest.raises(ArtifactError, match=r"needs model-signing; install sklearn-kserve\[signing\]"):
            sign_version(version, ours.private)

    def test_says_that_the_disk_is_full(self, version: Path, ours: KeyPair, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(ArtifactError, match="can't be written: No space left on device; the version is as it was"):
            sign_version(version, ours.private)


class TestPublishing:
    def test_signs_before_the_version_appears(
        self, pipeline: Pipeline, sample: pd.DataFrame, tmp_path: Path, ours: KeyPair
    ) -> None:
        root = tmp_path / "root"
        for _ in range(2):
            version = publish(pipeline, sample, name="m", root=root, private_key=ours.private)
            assert approves(version, ours)
            assert loaded(version, ours).program is not None

    def test_signs_networks(self, tmp_path: Path, ours: KeyPair) -> None:
        version = publish_network(networks.classifier(), name="m", root=tmp_path / "root", private_key=ours.private)
        assert loaded(version, ours).network is not None

    def test_publishes_nothing_that_it_cannot_sign(
        self, pipeline: Pipeline, sample: pd.DataFrame, tmp_path: Path, ours: KeyPair
    ) -> None:
        with pytest.raises(ArtifactError, match="holds no private key"):
            publish(pipeline, sample, name="m", root=tmp_path / "root", private_key=ours.public)
        with pytest.raises(ArtifactError, match="holds no private key"):
            publish_network(networks.classifier(), name="m", root=tmp_path / "root", private_key=ours.public)
        assert not (tmp_path / "root" / "m").exists()


def test_a_signed_version_is_accelerated_only_once_its_signature_is_taken_away(tmp_path: Path, ours: KeyPair) -> None:
    X = np.random.default_rng(1).normal(size=(40, 2))
    fitted = LogisticRegression().fit(X, X[:, 0] > 0)
    version = publish(fitted, X, name="m", root=tmp_path, accelerate=False, private_key=ours.private)
    before = (version / "manifest.json").read_bytes()
    with pytest.raises(
        ArtifactError, match=r"is signed, and another engine .*; take model\.sig away, accelerate, then"
    ):
        accelerate_version(version)
    assert (version / "manifest.json").read_bytes() == before
    (version / "model.sig").unlink()
    accelerate_version(version)
    assert (version / "manifest.json").read_bytes() != before
    sign_version(version, ours.private)
    assert loaded(version, ours).program is not None
