"""Key pairs to sign versions with, as `openssl` makes them."""

from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)


class KeyPair(NamedTuple):
    """Files of a key."""

    private: Path
    public: Path


def key_pair(directory: Path, name: str, key: PrivateKeyTypes | None = None, password: bytes | None = None) -> KeyPair:
    """
    Write a key pair, by default one of P-256.

    Parameters
    ----------
    directory : Path
    name : str
        Of the files, ``<name>.key.pem`` and ``<name>.pub.pem``.
    key : private key, optional
    password : bytes, optional
        That the private key is encrypted with.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    pair = KeyPair(directory / f"{name}.key.pem", directory / f"{name}.pub.pem")
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    pair.private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    pair.public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return pair
