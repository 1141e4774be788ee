"""The file of keys: of each its id, its salted hash and what it is for; never the key itself."""

import hashlib
import os
import secrets
import tempfile
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool, ValidationError

from model.errors import ArtifactError

_SECRET_BYTES: Final = 32
_SALT_BYTES: Final = 16
_OWNER_ONLY: Final = 0o600

KeyId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]
"""Without a dot, which parts it from the secret."""
ModelName = Annotated[str, Field(min_length=1)]


class Key(BaseModel):
    """
    What is kept of a key.

    Parameters
    ----------
    id : str
        Names the key in logs, and begins it.
    salt : str
        Hexadecimal.
    sha256 : str
        Hexadecimal digest of the salt's bytes and the secret.
    models : tuple of str or None
        The models it is for; None means all.
    admin : bool
        Whether it may load and unload them.
    created : datetime
        Information.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    id: KeyId
    salt: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    models: Annotated[tuple[ModelName, ...], Field(min_length=1)] | None = None
    admin: StrictBool = False
    created: AwareDatetime

    def to_json(self) -> bytes:
        """Return it as it is written, without what is as by default."""
        return orjson.dumps(self.model_dump(mode="json", exclude_defaults=True), option=orjson.OPT_INDENT_2)


class _Keys(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    keys: tuple[Key, ...]


def new_key(key_id: str, models: Iterable[str] = (), *, admin: bool = False) -> tuple[str, Key]:
    """
    Make a key.

    Parameters
    ----------
    key_id : str
    models : iterable of str
        None of them means all.
    admin : bool

    Returns
    -------
    str
        What its owner brings, ``<id>.<secret>``; it can't be had from what is kept.
    Key
        What is kept.

    Raises
    ------
    ArtifactError
        The id or a model's name is none.
    """
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    salt = secrets.token_bytes(_SALT_BYTES)
    try:
        key = Key(
            id=key_id,
            salt=salt.hex(),
            sha256=digest(salt, secret).hex(),
            models=tuple(models) or None,
            admin=admin,
            created=datetime.now(UTC).replace(microsecond=0),
        )
    except ValidationError as error:
        raise ArtifactError(
            f"The id is {key_id!r:.80}, for {list(models)}; expected an id of at most 63 letters, digits, dashes and "
            "underscores, and names that are not empty."
        ) from error
    return f"{key_id}.{secret}", key


def digest(salt: bytes, secret: str) -> bytes:
    """
    Hash a secret.

    Secrets are 256 random bits, which nobody finds by trying, however fast the hash. A slow one, as passwords need
    it, would protect nothing, and would let anybody who sends wrong keys keep the server busy.
    """
    return hashlib.sha256(salt + secret.encode()).digest()


def read_keys(file: Path) -> tuple[Key, ...]:
    """
    Read a file of keys.

    Raises
    ------
    ArtifactError
        It can't be read, or is no such file.
    """
    try:
        keys = _Keys.model_validate(orjson.loads(file.read_bytes())).keys
    except OSError as error:
        raise ArtifactError(f"The file of keys {file} can't be read: {error.strerror}.") from error
    except orjson.JSONDecodeError as error:
        raise ArtifactError(
            f"The file of keys {file} is not JSON; expected one that `sklearn-kserve key --file` has written."
        ) from error
    except ValidationError as error:
        raise ArtifactError(f"The file of keys {file} is none: {_fault(error)}.") from error
    key_id, count = next(iter(Counter(key.id for key in keys).most_common(1)), ("", 0))
    if count > 1:
        raise ArtifactError(f"The file of keys {file} has {count} keys of the id '{key_id}'; expected one.")
    return keys


def add_key(file: Path, key: Key) -> None:
    """
    Add a key to a file, which is made where there is none, and is at no time there in part.

    Raises
    ------
    ArtifactError
        The file is none of keys, has one of this id already, or can't be written.
    """
    kept = read_keys(file) if file.exists() else ()
    if any(other.id == key.id for other in kept):
        raise ArtifactError(f"The file of keys {file} has a key of the id '{key.id}' already; choose another id.")
    listed = b",\n".join(entry.to_json() for entry in (*kept, key))
    try:
        _replace(file.resolve(), b'{"keys": [\n' + listed + b"\n]}\n")
    except OSError as error:
        raise ArtifactError(f"The file of keys {file} can't be written: {error.strerror}.") from error


def _replace(file: Path, content: bytes) -> None:
    """Replace a file, whose owner and mode stay; a new one is its owner's alone."""
    before = file.stat() if file.exists() else None
    number, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(number, "wb") as written:
            os.fchmod(number, before.st_mode if before else _OWNER_ONLY)
            if before and (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(number, before.st_uid, before.st_gid)
            written.write(content)
            written.flush()
            os.fsync(number)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink()
        raise


def _fault(error: ValidationError) -> str:
    """Say where the first fault is and what was expected there."""
    first = error.errors()[0]
    place = ".".join(str(part + 1 if isinstance(part, int) else part) for part in first["loc"])
    return f"{place or 'the whole'}: {first['msg']}"
