"""An issuer's keys, and tokens by them."""

import json
import time
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

ISSUER: Final = "https://login.example.com"
AUDIENCE: Final = "models.example.com"

# Tokens are made when tests are collected, and used after all that is yet to be built has been.
_LIFETIME_SECONDS: Final = 24 * 3600

Key = rsa.RSAPrivateKey


def key() -> Key:
    """Return a key of an issuer's."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def token(key: Key, **claims: Any) -> str:
    """Return a token that lets through, but for the claims that are said; None leaves one out."""
    expires = int(time.time()) + _LIFETIME_SECONDS
    usual = {"iss": ISSUER, "sub": "alice", "aud": AUDIENCE, "exp": expires, "groups": ["risk"]}
    return jwt.encode({name: value for name, value in (usual | claims).items() if value is not None}, key, "RS256")


def jwks(*keys: Key) -> str:
    """Return the public keys as an issuer has them."""
    return json.dumps({"keys": [RSAAlgorithm.to_jwk(each.public_key(), as_dict=True) for each in keys]})


__all__ = ["AUDIENCE", "ISSUER", "Key", "jwks", "key", "token"]
