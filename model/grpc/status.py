"""How a call ends: gRPC's statuses, and the headers that carry them."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Final
from urllib.parse import quote

from model.errors import ServingError
from model.grpc.messages import ENCODINGS

Header = tuple[bytes, bytes]

HEAD: Final[Sequence[Header]] = (
    (b":status", b"200"),
    (b"content-type", b"application/grpc"),
    (b"grpc-accept-encoding", ENCODINGS.encode()),
)
"""Of every answer, whatever the call's status."""
OK: Final[Header] = (b"grpc-status", b"0")

# A status travels in a header, percent-encoded, and gRPC begins to refuse headers over 8 KiB.
_LONGEST_DETAILS: Final = 2_000
_LONGEST_DETAILS_NOT_ASCII: Final = 600
_UNESCAPED: Final = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


class Status(IntEnum):
    """
    The statuses of errors.

    References
    ----------
    "Status codes and their use in gRPC".
    """

    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


def trailers_of(error: ServingError) -> list[Header]:
    """Return the trailers that end a call with an error, and with the time after which to try again."""
    details = quote(_cut(str(error)), safe=_UNESCAPED, errors="replace").encode()
    trailers = [(b"grpc-status", b"%d" % Status[error.grpc_status]), (b"grpc-message", details)]
    if error.retry_after_seconds is not None:
        trailers.append((b"retry-after", b"%d" % error.retry_after_seconds))
    return trailers


def _cut(details: str) -> str:
    longest = _LONGEST_DETAILS if details.isascii() else _LONGEST_DETAILS_NOT_ASCII
    return details if len(details) <= longest else f"{details[: longest - 1]}…"
