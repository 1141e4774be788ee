import asyncio
import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import InvalidInput, TooLarge, UnsupportedEncoding
from model.grpc.messages import MessageReader, framed

MOST = 1000


def reader(encoding: bytes = b"identity") -> MessageReader:
    return MessageReader(MOST, encoding)


def decompressed(content: bytes, encoding: bytes) -> bytes:
    return asyncio.run(reader(encoding).decompress(content))


@given(st.lists(st.binary(max_size=20), max_size=5), st.lists(st.integers(1, 30)))
def test_messages_are_whole_however_they_come(messages: list[bytes], cuts: list[int]) -> None:
    came = reader()
    data = b"".join(framed(message) for message in messages)
    taken = []
    for size in [*cuts, len(data)]:
        taken += came.feed(data[:size])
        data = data[size:]
    assert taken == [(False, message) for message in messages]
    assert came.empty


def test_a_message_without_its_end_is_not_given() -> None:
    came = reader()
    assert came.feed(framed(b"whole")[:-1]) == []
    assert not came.empty


@pytest.mark.parametrize("size", [MOST + 1, 2**32 - 1])
def test_a_message_that_says_it_is_too_large_is_not_waited_for(size: int) -> None:
    with pytest.raises(TooLarge, match=f"{size} bytes; expected at most {MOST}"):
        reader().feed(b"\0" + size.to_bytes(4) + b"x")


def test_a_message_at_the_limit_is_taken() -> None:
    assert reader().feed(framed(bytes(MOST))) == [(False, bytes(MOST))]


def test_a_mark_that_is_none_is_invalid() -> None:
    with pytest.raises(InvalidInput, match="neither 0 nor 1"):
        reader().feed(b"\2" + framed(b"x")[1:])


@pytest.mark.parametrize(("encoding", "compress"), [(b"gzip", gzip.compress), (b"deflate", zlib.compress)])
def test_a_compressed_message_is_read(encoding: bytes, compress: Callable[[bytes], bytes]) -> None:
    content = compress(b"a message")
    assert reader(encoding).feed(b"\1" + framed(content)[1:]) == [(True, content)]
    assert decompressed(content, encoding) == b"a message"


@pytest.mark.parametrize("size", [MOST, MOST + 1])
def test_what_a_message_inflates_to_has_the_same_limit(size: int) -> None:
    content = gzip.compress(bytes(size))
    if size <= MOST:
        assert decompressed(content, b"gzip") == bytes(size)
        return
    with pytest.raises(TooLarge, match="more once decompressed"):
        decompressed(content, b"gzip")


@pytest.mark.parametrize("content", [b"", b"no gzip", gzip.compress(b"a message", mtime=0)[:-9]])
def test_a_stream_that_is_damaged_is_invalid(content: bytes) -> None:
    with pytest.raises(InvalidInput, match="gzip"):
        decompressed(content, b"gzip")


def test_another_compression_is_unimplemented() -> None:
    with pytest.raises(UnsupportedEncoding, match="'snappy'; expected one of identity,deflate,gzip") as refused:
        decompressed(b"x", b"snappy")
    assert refused.value.grpc_status == "UNIMPLEMENTED"
