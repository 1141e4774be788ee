"""A request's body: within its limit whatever the client declares, decompressed as a stream."""

import asyncio
import zlib
from typing import Final

from model.errors import InvalidInput, TooLarge, UnsupportedEncoding
from model.inflation import inflate
from model.rest.head import Headers
from model.rest.upload import Upload

Body = bytes | bytearray

_GZIP: Final = 16 + zlib.MAX_WBITS
_ZLIB: Final = zlib.MAX_WBITS
_RAW: Final = -zlib.MAX_WBITS


async def read_body(upload: Upload, headers: Headers, max_bytes: int) -> Body:
    """
    Read and decompress the body.

    Parameters
    ----------
    upload : Upload
    headers : dict
    max_bytes : int
        Limit of the body as sent, and of the body decompressed.

    Returns
    -------
    bytes or bytearray

    Raises
    ------
    TooLarge
        The declared length, what has come, or what it decompresses to is over the limit.
    UnsupportedEncoding
        A Content-Encoding other than gzip, deflate and identity.
    InvalidInput
        The compressed stream is corrupt or ends early.
    """
    declared = headers.get(b"content-length")
    if declared is not None and declared.isdigit() and int(declared[:20]) > max_bytes:
        raise _too_large(max_bytes, f"{declared[:20].decode()} bytes")
    encoding = headers.get(b"content-encoding")
    decoder = None if encoding is None else _decoder(encoding, max_bytes)
    if decoder is not None:
        return await _decompressed(decoder, upload)
    piece = upload.take() if upload.whole else await upload.read()
    return piece if upload.ended and len(piece) <= max_bytes else await _collected(piece, upload, max_bytes)


async def _collected(piece: bytes, upload: Upload, max_bytes: int) -> bytearray:
    body = bytearray(piece)
    while len(body) <= max_bytes:
        if upload.ended:
            return body
        body += await upload.read()
    raise _too_large(max_bytes, "more")


async def _decompressed(decoder: "_Decoder", upload: Upload) -> bytearray:
    while not upload.ended:
        left = decoder.feed(await upload.read())
        while left is not None:
            await asyncio.sleep(0)
            left = decoder.feed(left)
    return decoder.finish()


def _decoder(encoding: bytes, max_bytes: int) -> "_Decoder | None":
    name = encoding.strip().lower().decode("latin-1")
    if name in {"", "identity"}:
        return None
    if name in {"gzip", "x-gzip"}:
        return _Decoder("gzip", max_bytes)
    if name == "deflate":
        return _Decoder("deflate", max_bytes)
    raise UnsupportedEncoding(f"Content-Encoding is {name[:40]!r}; expected gzip, deflate or identity.")


class _Decoder:
    """
    Decompresses slice by slice, so that neither memory nor the event loop is taken by a few bytes that inflate.

    Parameters
    ----------
    encoding : {"gzip", "deflate"}
        ``deflate`` is the zlib format by RFC 9110; bare deflate streams, which some clients send, are told by their
        first two bytes.
    max_bytes : int
    """

    def __init__(self, encoding: str, max_bytes: int) -> None:
        self._encoding = encoding
        self._max_bytes = max_bytes
        self._head = b""
        self._stream: zlib._Decompress | None = None
        self._body = bytearray()

    def feed(self, data: bytes) -> bytes | None:
        """Decompress a slice's worth of ``data``, and return what to feed next, or None once it has all of it."""
        if self._stream is None:
            self._head = data = self._head + data
            if len(data) < 2:  # noqa: PLR2004 -- both formats tell themselves by two bytes
                return None
            self._stream = zlib.decompressobj(self._format())
        elif self._stream.eof and data:
            self._stream = self._next_member()
        return self._inflate(self._stream, data)

    def finish(self) -> bytearray:
        """Return the whole body, once all of it was fed."""
        if self._head if self._stream is None else not self._stream.eof:
            raise InvalidInput(f"The body ends before its {self._encoding} stream does; send all of it.")
        return self._body

    def _format(self) -> int:
        if self._encoding == "gzip":
            return _GZIP
        return _ZLIB if self._head[0] & 0x0F == zlib.DEFLATED and int.from_bytes(self._head[:2]) % 31 == 0 else _RAW

    def _next_member(self) -> "zlib._Decompress":
        """Gzip files may be concatenated, by RFC 1952; nothing may follow a deflate stream."""
        if self._encoding != "gzip":
            raise InvalidInput("The body goes on after its deflate stream has ended; send the stream alone.")
        return zlib.decompressobj(_GZIP)

    def _inflate(self, stream: "zlib._Decompress", data: bytes) -> bytes | None:
        try:
            left = inflate(stream, data, self._body, self._max_bytes)
        except zlib.error as error:
            raise InvalidInput(f"The body is no valid {self._encoding} stream.") from error
        if len(self._body) > self._max_bytes:
            raise _too_large(self._max_bytes, "more once decompressed")
        return left


def _too_large(max_bytes: int, got: str) -> TooLarge:
    return TooLarge(f"The body has {got}; expected at most {max_bytes} bytes, so send fewer rows at once.")
