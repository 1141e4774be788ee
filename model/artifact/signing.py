"""Signing a version with a key of one's own, by OpenSSF model-signing: offline, and without any service."""

import tempfile
from pathlib import Path

from model.artifact.bundle import CURVES, VerifyKey, key_content
from model.artifact.digest import content
from model.artifact.manifest import MANIFEST_FILE, manifest_of
from model.artifact.seal import SIGNATURE_FILE, check_covered, seal_of
from model.artifact.staging import write_file
from model.errors import ArtifactError


def sign_version(directory: Path, private_key: Path) -> VerifyKey:
    """
    Write the signature of a published version into its directory; one that is there is replaced.

    It covers every file but itself. Nothing is written that a server with the public key would refuse.

    Parameters
    ----------
    directory : Path
        Of the version.
    private_key : Path
        PEM of an elliptic curve's key (P-256, P-384 or P-521), not encrypted.

    Returns
    -------
    VerifyKey
        The public key that belongs to it.

    Raises
    ------
    UntrustedArtifact
        The version is not what its manifest says, or holds more.
    ArtifactError
        The key can't be used, ``model-signing`` is missing, or the signature can't be written.
    """
    signature, key = make_signature(directory, private_key)
    try:
        write_file(directory, SIGNATURE_FILE, signature)
    except OSError as error:
        raise ArtifactError(
            f"{directory} can't be written: {error.strerror or error}; the version is as it was, "
            f"make room or mend the permissions."
        ) from error
    return key


def make_signature(directory: Path, private_key: Path) -> tuple[bytes, VerifyKey]:
    """
    Return the signature of a version, and the public key that it can be verified by.

    Raises
    ------
    UntrustedArtifact, ArtifactError
        See ``sign_version``.
    """
    document = content(directory / MANIFEST_FILE)
    manifest = manifest_of(document, directory / MANIFEST_FILE)
    key = _public_key(private_key)
    signature = _made(directory, private_key)
    check_covered(directory, seal_of(signature, directory, document, [key]), manifest)
    return signature, key


def _public_key(path: Path) -> VerifyKey:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 -- of an extra
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    expected = "expected the PEM of a private key of an elliptic curve (P-256, P-384 or P-521), not encrypted"
    try:
        key = load_pem_private_key(key_content(path), None)
    except TypeError as error:
        raise ArtifactError(f"{path} holds a key that is encrypted; {expected}: openssl pkey -in {path}.") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ArtifactError(f"{path} holds no private key; {expected}.") from error
    if not isinstance(key, EllipticCurvePrivateKey) or key.curve.name not in CURVES:
        raise ArtifactError(f"{path} holds a key of another kind; {expected}.")
    return VerifyKey.of(key.public_key(), path)


def _made(directory: Path, private_key: Path) -> bytes:
    try:
        from model_signing import hashing, signing  # noqa: PLC0415 -- of an extra, and takes half a second
    except ModuleNotFoundError as error:
        raise ArtifactError("Signing needs model-signing; install sklearn-kserve[signing].") from error
    everything = hashing.Config().set_ignored_paths(paths=[SIGNATURE_FILE], ignore_git_paths=False)
    config = signing.Config().use_elliptic_key_signer(private_key=private_key).set_hashing_config(everything)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / SIGNATURE_FILE
        try:
            config.sign(directory, path)
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split()).rstrip(".")
            raise ArtifactError(f"{directory} can't be signed: {reason}; mend that, and sign it again.") from error
        return path.read_bytes()
