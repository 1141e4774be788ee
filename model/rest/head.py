"""What a request's head has to be beside what the parser checks: one version, one host, one way to tell the body's end."""

import re
from typing import Final, NamedTuple

HEAD_MOST_BYTES: Final = 65_536
"""Of the request line and the headers; Envoy allows 60 KiB."""

# RFC 3986's host and port. Names outside it lead proxies to different servers.
_HOST: Final = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]*)?")
_LINE_EXTRA_BYTES: Final = 4
"""Colon, space and the end of the line."""

_BAD_REQUEST: Final = 400
_HEAD_TOO_LARGE: Final = 431
_NOT_IMPLEMENTED: Final = 501
_VERSION_NOT_SUPPORTED: Final = 505

HeaderList = list[tuple[bytes, bytes]]
"""As they came, but for the names, which are in lower case."""
Headers = dict[bytes, bytes]
"""Of a repeated header the last value."""


class Fault(NamedTuple):
    """Why a request is refused before it reaches the application; the connection can't be used any more."""

    status: int
    message: str


INVALID: Final = Fault(_BAD_REQUEST, "The request is not valid HTTP/1.1.")
OVERLONG: Final = Fault(_HEAD_TOO_LARGE, f"The request line and headers are over {HEAD_MOST_BYTES} bytes.")


def fault_in(version: str, headers: HeaderList, fields: Headers) -> Fault | None:
    """
    Return what is wrong with a head that the parser has let pass, or None.

    Parameters
    ----------
    version : str
        Of HTTP, such as ``1.1``.
    headers : list of (name, value)
    fields : dict
        The same without repetition.

    References
    ----------
    RFC 9112, "HTTP/1.1", sections 2.3, 3.2 and 6.1.
    """
    if version not in {"1.1", "1.0"}:
        return Fault(_VERSION_NOT_SUPPORTED, f"The request is of HTTP/{version}; expected HTTP/1.1.")
    if b"transfer-encoding" in fields:
        fault = _coding_fault(version, headers)
        if fault is not None:
            return fault
    host = fields.get(b"host")
    if host is None:
        return None if version == "1.0" else Fault(_BAD_REQUEST, "The request has no Host header; expected one.")
    if len(fields) < len(headers) and sum(name == b"host" for name, _ in headers) > 1:
        return Fault(_BAD_REQUEST, "The request has several Host headers; expected one.")
    if not _HOST.fullmatch(host):
        return Fault(_BAD_REQUEST, "The Host header is no host; expected a name or an address, and perhaps a port.")
    return None


def is_overlong(target: bytes, headers: HeaderList) -> bool:
    """Whether a head, which has come whole, is over the limit."""
    lines = sum(len(name) + len(value) + _LINE_EXTRA_BYTES for name, value in headers)
    return len(target) + lines > HEAD_MOST_BYTES


def _coding_fault(version: str, headers: HeaderList) -> Fault | None:
    """Refuse what some servers would read by its chunks and others by its length or by another coding."""
    if version == "1.0":
        return Fault(_BAD_REQUEST, "The request of HTTP/1.0 has a Transfer-Encoding; expected a Content-Length.")
    codings = [value.strip().lower() for name, value in headers if name == b"transfer-encoding"]
    if codings != [b"chunked"]:
        return Fault(_NOT_IMPLEMENTED, "The Transfer-Encoding is not read here; expected chunked alone.")
    return None
