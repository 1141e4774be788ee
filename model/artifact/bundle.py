"""
A signature as OpenSSF model-signing makes it with a key: a Sigstore bundle around a signed list of files and digests.

Verified with ``cryptography`` alone. The library ``model-signing``, which makes these (``model.artifact.signing``),
brings HTTP clients along and half a second to every start, and hashes each file through a descriptor of its own: here
the signed digests are held against the bytes that are read afterwards.

References
----------
Sigstore bundle v0.3; DSSE v1.0.2; in-toto Statement v1; https://model_signing/signature/v1.0
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self, TypeVar, cast

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from model.artifact.digest import content
from model.artifact.manifest import Sha256
from model.errors import ArtifactError, UntrustedArtifact

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

CURVES: Final = {"secp256r1": "SHA256", "secp384r1": "SHA384", "secp521r1": "SHA512"}
"""Elliptic curves that a key may be of, and the hash that belongs to each."""

_Model = TypeVar("_Model", bound=BaseModel)
_PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
_EXPECTED_KEY: Final = "expected the PEM of one public key of an elliptic curve (P-256, P-384 or P-521)"


@dataclass(frozen=True, slots=True)
class VerifyKey:
    """
    A public key that versions may be signed by.

    Parameters
    ----------
    path : Path
        That it was read from, for messages.
    pem : bytes
        Written anew, so that two files of one key are alike here.
    """

    path: Path
    pem: bytes

    @classmethod
    def of(cls, public_key: "EllipticCurvePublicKey", path: Path) -> Self:
        """Return a key; bytes, so that it can go to another process."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415 -- on demand

        return cls(path, public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    @property
    def fingerprint(self) -> str:
        """sha256 in hex, by which a signature names its key."""
        return hashlib.sha256(self.pem).hexdigest()


@dataclass(frozen=True, slots=True)
class Signed:
    """
    What a trusted key has signed.

    Parameters
    ----------
    files : dict of str to str
        sha256 by path, relative to the version's directory, in hex.
    ignored : frozenset of str
        Paths that the signature leaves out on purpose.
    key : VerifyKey
        That it was signed by.
    """

    files: dict[str, str]
    ignored: frozenset[str]
    key: VerifyKey


def read_keys(paths: Iterable[Path]) -> tuple[VerifyKey, ...]:
    """
    Read public keys.

    Raises
    ------
    ArtifactError
        A file can't be read, or is no public key of the kind that model-signing knows.
    """
    return tuple(_read_key(path) for path in paths)


def key_content(path: Path) -> bytes:
    """
    Return what the file of a key holds.

    Raises
    ------
    ArtifactError
        It can't be read.
    """
    try:
        return content(path)
    except UntrustedArtifact as error:
        raise ArtifactError(f"The key {path} is no file; check the path.") from error


def _read_key(path: Path) -> VerifyKey:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 -- where a key is given, and nowhere else
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    data = key_content(path)
    if data.count(b"-----BEGIN ") != 1:
        raise ArtifactError(f"{path} holds {data.count(b'-----BEGIN ')} PEM blocks; {_EXPECTED_KEY}, each in its file.")
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ArtifactError(f"{path} holds no public key; {_EXPECTED_KEY}.") from error
    if not isinstance(key, EllipticCurvePublicKey) or key.curve.name not in CURVES:
        raise ArtifactError(f"{path} holds a key of another kind; {_EXPECTED_KEY}.")
    return VerifyKey.of(key, path)


class _Part(BaseModel):
    # What a newer release adds is left alone: whatever counts is under the signature.
    model_config = ConfigDict(frozen=True, alias_generator=to_camel)


class _PublicKey(_Part):
    hint: str | None = None


class _Material(_Part):
    public_key: _PublicKey


class _Signature(_Part):
    sig: Base64Bytes


class _Envelope(_Part):
    payload: Base64Bytes
    payload_type: Literal["application/vnd.in-toto+json"]
    signatures: Annotated[list[_Signature], Field(min_length=1, max_length=1)]


class _Bundle(_Part):
    media_type: Literal["application/vnd.dev.sigstore.bundle.v0.3+json"]
    verification_material: _Material
    dsse_envelope: _Envelope


class _Serialization(_Part):
    model_config = ConfigDict(alias_generator=None)

    method: Literal["files"]
    ignore_paths: list[str] = []


class _Resource(_Part):
    name: str
    algorithm: Literal["sha256"]
    digest: Sha256


class _Predicate(_Part):
    serialization: _Serialization
    resources: list[_Resource]


class _Statement(_Part):
    type_: Annotated[Literal["https://in-toto.io/Statement/v1"], Field(alias="_type")]
    predicate_type: Literal["https://model_signing/signature/v1.0"]
    predicate: _Predicate


def read_bundle(data: bytes, path: Path, keys: Sequence[VerifyKey]) -> Signed:
    """
    Return what a signature says, once one of the keys has vouched for it.

    Parameters
    ----------
    data : bytes
        Of the signature's file.
    path : Path
        Of that file, for messages.
    keys : sequence of VerifyKey

    Raises
    ------
    UntrustedArtifact
        It is none, was made with another key, or was changed; or it does not list files with their sha256.
    """
    bundle = _parsed(_Bundle, data, path)
    envelope = bundle.dsse_envelope
    key = next((key for key in keys if _vouches(key, envelope)), None)
    if key is None:
        raise UntrustedArtifact(_refusal(path, bundle.verification_material.public_key.hint, keys))
    predicate = _parsed(_Statement, envelope.payload, path).predicate
    files = {resource.name: resource.digest for resource in predicate.resources}
    return Signed(files, frozenset(predicate.serialization.ignore_paths), key)


def _vouches(key: VerifyKey, envelope: _Envelope) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 -- on demand
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    public_key = cast("EllipticCurvePublicKey", load_pem_public_key(key.pem))
    algorithm: hashes.HashAlgorithm = getattr(hashes, CURVES[public_key.curve.name])()
    try:
        public_key.verify(envelope.signatures[0].sig, _pre_authentication(envelope.payload), ECDSA(algorithm))
    except InvalidSignature:
        return False
    return True


def _pre_authentication(payload: bytes) -> bytes:
    """Return what is signed in truth: DSSE binds the payload to its type."""
    return b"DSSEv1 %d %s %d %s" % (len(_PAYLOAD_TYPE), _PAYLOAD_TYPE.encode(), len(payload), payload)


def _refusal(path: Path, hint: str | None, keys: Sequence[VerifyKey]) -> str:
    if hint in {key.fingerprint for key in keys}:
        return f"{path} was changed after it was made; copy the artifact again, or sign it anew."
    named = f"of fingerprint {hint[:16]!r}" if hint else "that it does not name"
    ours = ", ".join(f"{key.path} ({key.fingerprint[:16]})" for key in keys)
    return (
        f"{path} was made with a key {named}; expected one of {ours}; sign the version with the key that belongs to "
        f"one of these, or name the other in --verify_key."
    )


def _parsed(model: type[_Model], data: bytes, path: Path) -> _Model:
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise UntrustedArtifact(
            f"{path} is no signature that model-signing makes with a key, by files and sha256 "
            f"({field or 'it'}: {first['msg']}); copy it again, or sign the version anew: sklearn-kserve sign."
        ) from error
