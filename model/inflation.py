"""Decompression by slices, within a limit: a few bytes that inflate take neither the memory nor the event loop."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import zlib

_SLICE_BYTES: Final = 1 << 20
"""What is decompressed before others get their turn on the event loop; about 2 ms."""


def inflate(stream: "zlib._Decompress", data: bytes, inflated: bytearray, max_bytes: int) -> bytes | None:
    """
    Decompress a slice's worth of data.

    Parameters
    ----------
    stream : zlib decompressor
    data : bytes
    inflated : bytearray
        Takes what it decompresses to, at most a byte more than is allowed, which is enough to know.
    max_bytes : int
        That are allowed.

    Returns
    -------
    bytes or None
        What to feed next, or has come after the stream's end; None once it has all of ``data``.

    Raises
    ------
    zlib.error
        The data is no such stream.
    """
    most = min(max_bytes - len(inflated) + 1, _SLICE_BYTES)  # Zero would mean no limit.
    piece = stream.decompress(data, most)
    inflated += piece
    left = stream.unused_data or stream.unconsumed_tail
    # A full slice may leave something within zlib even where all input is consumed.
    return left if left or (len(piece) == most and not stream.eof) else None
