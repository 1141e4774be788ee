"""Which files TLS takes, and how they are refused."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from model.errors import ArtifactError
from model.tls.files import HTTP_1, HTTP_2, TlsFiles, read_context
from tests.certificates import Authority

OURS = Authority("ours")


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    files = TlsFiles(tmp_path / "server.pem", tmp_path / "server.key", tmp_path / "ca.pem")
    OURS.issue(files.certfile, files.keyfile)
    OURS.write(tmp_path / "ca.pem")
    return files


@pytest.mark.parametrize("protocol", [HTTP_1, HTTP_2])
def test_the_context_takes_tls_1_2_or_later(files: TlsFiles, protocol: str) -> None:
    context = read_context(TlsFiles(files.certfile, files.keyfile), protocol)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_NONE


def test_with_authorities_a_client_needs_a_certificate(files: TlsFiles) -> None:
    assert read_context(files, HTTP_2).verify_mode == ssl.CERT_REQUIRED


def key_of_another(files: TlsFiles) -> None:
    OURS.issue(files.certfile.with_suffix(".other"), files.keyfile)


def encrypted(files: TlsFiles) -> None:
    OURS.issue(files.certfile, files.keyfile, password=b"s3cret")


@pytest.mark.parametrize("gone", ["certfile", "ca_certs"])
def test_a_file_that_goes_while_it_is_read_is_refused_in_a_sentence(
    files: TlsFiles, gone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path: Path = getattr(files, gone)

    def read_bytes(self: Path) -> bytes:
        content = read(self)
        if self == path:
            path.unlink()
        return content

    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    with pytest.raises(ArtifactError, match=r"pem.* can't be read: No such file or directory\.$"):
        read_context(files, HTTP_1)


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (lambda files: files.certfile.unlink(), "{certfile} can't be read: No such file or directory."),
        (lambda files: files.keyfile.unlink(), "{keyfile} can't be read: No such file or directory."),
        (lambda files: files.ca_certs.unlink(), "{ca_certs} can't be read: No such file or directory."),
        (key_of_another, "The key in {keyfile} is not that of the certificate in {certfile}."),
        (
            encrypted,
            "{certfile} and {keyfile} are refused; expected a certificate chain and its key without a password, in PEM.",
        ),
        (
            lambda files: files.certfile.write_bytes(b"\x30\x82\x01"),
            "{certfile} and {keyfile} are refused; expected a certificate chain and its key without a password, in PEM.",
        ),
        (
            lambda files: files.ca_certs.write_text(""),
            "{ca_certs} is refused; expected certificates of authorities, in PEM.",
        ),
    ],
    ids=["no certificate", "no key", "no authority", "key of another", "encrypted", "not PEM", "empty authority"],
)
def test_files_that_can_not_be_used_are_refused_in_a_sentence(
    files: TlsFiles, harm: Callable[[TlsFiles], None], sentence: str
) -> None:
    harm(files)
    with pytest.raises(ArtifactError) as refused:
        read_context(files, HTTP_1)
    names = {"certfile": files.certfile, "keyfile": files.keyfile, "ca_certs": files.ca_certs}
    assert str(refused.value) == sentence.format(**names)
