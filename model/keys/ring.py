"""The keys as they are now, and the client that a request's credentials belong to."""

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from model.errors import Unauthenticated
from model.keys.client import NOBODY, Client
from model.keys.file import Key, digest, read_keys
from model.renewal import Renewed

_SCHEME: Final = "bearer"


@dataclass(frozen=True, slots=True)
class _Lock:
    """A key's hash, and whom it opens for."""

    salt: bytes
    digest: bytes
    client: Client


_NO_LOCK: Final = _Lock(secrets.token_bytes(16), secrets.token_bytes(32), NOBODY)
"""In the stead of a key that is not there: takes as long, and nothing opens it."""


class Keyring:
    """
    Knows clients by their keys.

    Keys that are taken out of the file are refused a few seconds later.

    Parameters
    ----------
    file : Path
    clock : callable
        Seconds.

    Raises
    ------
    ArtifactError
        See `read_keys`.
    """

    def __init__(self, file: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._locks = Renewed((file,), lambda: {key.id: _lock(key) for key in read_keys(file)}, clock=clock)

    def client(self, credentials: str | None) -> Client:
        """
        Return the client that brings credentials, in a time that does not tell how near a wrong key is.

        Parameters
        ----------
        credentials : str or None
            Value of the header ``Authorization``.

        Raises
        ------
        Unauthenticated
        """
        scheme, _, key = (credentials or "").partition(" ")
        key_id, _, secret = key.strip().partition(".")
        lock = self._locks.current().get(key_id, _NO_LOCK)
        opened = hmac.compare_digest(digest(lock.salt, secret), lock.digest)
        if opened and scheme.lower() == _SCHEME:
            return lock.client
        got = "a wrong key" if credentials else "no credentials"
        raise Unauthenticated(f"The request has {got}; expected the header Authorization: Bearer <key>.")


def _lock(key: Key) -> _Lock:
    models = None if key.models is None else frozenset(key.models)
    return _Lock(bytes.fromhex(key.salt), bytes.fromhex(key.sha256), Client(key.id, models, key.admin))
