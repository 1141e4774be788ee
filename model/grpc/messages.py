"""The messages of a stream: each with its length before it, and compressed where it says so."""

import asyncio
import zlib
from typing import Final

from model.errors import InvalidInput, ServingError, TooLarge, UnsupportedEncoding
from model.inflation import inflate

PREFIX_BYTES: Final = 5
"""Of a mark, 1 where the message is compressed, and of its length."""
ENCODINGS: Final = "identity,deflate,gzip"

_WBITS: Final = {b"gzip": 16 + zlib.MAX_WBITS, b"deflate": zlib.MAX_WBITS}


class MessageReader:
    """
    Takes messages out of the data of a stream, as they come.

    Parameters
    ----------
    max_bytes : int
        Of a message, as it travels and decompressed.
    encoding : bytes
        The stream's ``grpc-encoding``.
    """

    __slots__ = ("_buffer", "_encoding", "_max_bytes")

    def __init__(self, max_bytes: int, encoding: bytes) -> None:
        self._max_bytes = max_bytes
        self._encoding = encoding
        self._buffer = bytearray()

    @property
    def empty(self) -> bool:
        """Whether no part of a message is left."""
        return not self._buffer

    def clear(self) -> None:
        """Drop what has come in part."""
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[bool, bytes]]:
        """
        Return the messages that are whole now, each with whether it is compressed.

        Raises
        ------
        TooLarge
            A message says that it will be over the limit; it is not waited for.
        InvalidInput
            A mark that is neither 0 nor 1.
        """
        if not self._buffer and len(data) >= PREFIX_BYTES and self._size(data) == len(data):
            return [(bool(data[0]), data[PREFIX_BYTES:])]  # as nearly all come
        self._buffer += data
        messages = []
        while len(self._buffer) >= PREFIX_BYTES and len(self._buffer) >= (size := self._size(self._buffer)):
            messages.append((bool(self._buffer[0]), bytes(self._buffer[PREFIX_BYTES:size])))
            del self._buffer[:size]
        return messages

    async def decompress(self, content: bytes) -> bytes:
        """
        Decompress a message slice by slice, so that neither memory nor the event loop is taken by what inflates.

        Raises
        ------
        TooLarge
        InvalidInput
            It is no such stream.
        UnsupportedEncoding
        ServingError
            The stream names no compression; INTERNAL, as gRPC's document on compression wants it.
        """
        if self._encoding == b"identity":
            raise ServingError("The message is marked as compressed, but grpc-encoding names no compression.")
        wbits = _WBITS.get(self._encoding)
        if wbits is None:
            raise UnsupportedEncoding(
                f"The message is compressed, by grpc-encoding {_name(self._encoding)}; expected one of {ENCODINGS}."
            )
        stream = zlib.decompressobj(wbits)
        message = bytearray()
        left: bytes | None = content
        while left is not None and not stream.eof:
            try:
                left = inflate(stream, left, message, self._max_bytes)
            except zlib.error as error:
                raise InvalidInput(f"The message is no valid {_name(self._encoding)} stream.") from error
            if len(message) > self._max_bytes:
                raise self._too_large("more once decompressed")
            if not stream.eof:
                await asyncio.sleep(0)
        if not stream.eof:
            raise InvalidInput(f"The message ends before its {_name(self._encoding)} stream does.")
        return bytes(message)

    def _size(self, data: bytes | bytearray) -> int:
        if data[0] > 1:
            raise InvalidInput("A message begins with a mark that is neither 0 nor 1.")
        length = int.from_bytes(data[1:PREFIX_BYTES])
        if length > self._max_bytes:
            raise self._too_large(f"{length} bytes")
        return PREFIX_BYTES + length

    def _too_large(self, got: str) -> TooLarge:
        return TooLarge(f"The message has {got}; expected at most {self._max_bytes} bytes, so send fewer rows at once.")


def framed(message: bytes) -> bytes:
    """Return a message as it travels, which is not compressed."""
    return b"\0" + len(message).to_bytes(PREFIX_BYTES - 1) + message


def _name(encoding: bytes) -> str:
    return repr(encoding[:40].decode("latin-1"))
