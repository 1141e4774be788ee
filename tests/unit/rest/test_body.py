import asyncio
import gzip
import tracemalloc
import zlib

import pytest

from model.errors import InvalidInput, TooLarge, UnsupportedEncoding
from model.rest.body import read_body
from model.rest.upload import Upload

DATA = bytes(range(256)) * 40
pytestmark = pytest.mark.asyncio


def upload(*pieces: bytes) -> Upload:
    """Return a body of which a piece comes whenever it is read."""
    remaining = list(pieces)

    def want_more() -> None:
        body.feed(remaining.pop(0))
        if not remaining:
            body.end()

    body = Upload(want_more)
    return body


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


async def test_a_single_chunk_is_passed_on_as_it_is() -> None:
    assert await read_body(upload(DATA), {}, len(DATA)) is DATA


async def test_chunks_are_joined() -> None:
    assert await read_body(upload(b"a", b"", b"bc", b""), {}, 3) == b"abc"


@pytest.mark.parametrize("size", [1, 2, 3, 1000, 1 << 20])
@pytest.mark.parametrize(
    ("encoding", "compressed"),
    [
        (b"gzip", gzip.compress(DATA)),
        (b"GZip ", gzip.compress(DATA)),
        (b"x-gzip", gzip.compress(DATA)),
        (b"gzip", gzip.compress(DATA[:5000]) + gzip.compress(DATA[5000:])),
        (b"deflate", zlib.compress(DATA)),
        (b"deflate", raw_deflate(DATA)),
        (b"identity", DATA),
        (b"", DATA),
    ],
)
async def test_decompresses_in_whatever_pieces_it_comes(encoding: bytes, compressed: bytes, size: int) -> None:
    body = await read_body(upload(*pieces(compressed, size)), {b"content-encoding": encoding}, len(DATA))
    assert body == DATA


@pytest.mark.parametrize("surplus", [0, 5, 100, 300])
async def test_a_body_may_end_about_where_a_slice_does(surplus: int) -> None:
    data = bytes((1 << 20) + surplus)
    body = await read_body(upload(raw_deflate(data)), {b"content-encoding": b"deflate"}, 8 << 20)
    assert body == data


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate", b"identity"])
async def test_no_body_is_an_empty_one_in_every_encoding(encoding: bytes) -> None:
    assert await read_body(upload(b""), {b"content-encoding": encoding}, 10) == b""


@pytest.mark.parametrize("encoding", [b"br", b"zstd", b"gzip, gzip", b"\xff"])
async def test_refuses_other_encodings(encoding: bytes) -> None:
    with pytest.raises(UnsupportedEncoding, match="expected gzip, deflate or identity"):
        await read_body(upload(DATA), {b"content-encoding": encoding}, len(DATA))


@pytest.mark.parametrize(
    ("encoding", "stream", "message"),
    [
        (b"gzip", gzip.compress(DATA)[:-1], "ends before its gzip stream"),
        (b"gzip", gzip.compress(DATA)[:1], "ends before its gzip stream"),
        (b"gzip", b"no gzip at all", "no valid gzip stream"),
        (b"gzip", gzip.compress(DATA)[:-8] + bytes(8), "no valid gzip stream"),
        (b"gzip", gzip.compress(DATA) + b"rubbish", "no valid gzip stream"),
        (b"deflate", zlib.compress(DATA)[:-1], "ends before its deflate stream"),
        (b"deflate", b"\xff\xff\xff", "no valid deflate stream"),
        (b"deflate", zlib.compress(DATA) + b"more", "goes on after its deflate stream"),
        (b"deflate", raw_deflate(DATA)[:-3], "ends before its deflate stream"),
    ],
)
@pytest.mark.parametrize("size", [1, 1 << 20])
async def test_refuses_a_corrupt_or_truncated_stream(encoding: bytes, stream: bytes, message: str, size: int) -> None:
    with pytest.raises(InvalidInput, match=message):
        await read_body(upload(*pieces(stream, size)), {b"content-encoding": encoding}, 1 << 20)


async def test_a_declared_length_over_the_limit_is_refused_unread() -> None:
    body = Upload(lambda: pytest.fail("read"))
    with pytest.raises(TooLarge, match="has 11 bytes; expected at most 10 bytes"):
        await read_body(body, {b"content-length": b"11"}, 10)
    with pytest.raises(TooLarge):
        await read_body(body, {b"content-length": b"9" * 5000}, 10)


@pytest.mark.parametrize("chunks", [[b"x" * 11], [b"x" * 10, b"x"], [b"x" * 6, b"x" * 6, b"never read"]])
async def test_what_comes_over_the_limit_is_refused(chunks: list[bytes]) -> None:
    with pytest.raises(TooLarge):
        await read_body(upload(*chunks), {}, 10)


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate"])
async def test_the_limit_holds_for_what_is_decompressed(encoding: bytes) -> None:
    compress = gzip.compress if encoding == b"gzip" else zlib.compress
    headers = {b"content-encoding": encoding}
    assert await read_body(upload(compress(DATA)), headers, len(DATA)) == DATA
    with pytest.raises(TooLarge, match="once decompressed"):
        await read_body(upload(compress(DATA)), headers, len(DATA) - 1)


async def test_a_bomb_takes_no_more_memory_than_the_limit() -> None:
    bomb = gzip.compress(bytes(200 << 20), 9)
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            await read_body(upload(bomb), {b"content-encoding": b"gzip"}, 4 << 20)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


async def test_what_comes_later_is_waited_for() -> None:
    body = Upload(lambda: None)
    reading = asyncio.create_task(read_body(body, {}, 3))
    for piece in (b"a", b"b", b"c"):
        await asyncio.sleep(0)
        assert not reading.done()
        body.feed(piece)
    body.end()
    assert await reading == b"abc"


async def test_a_body_that_nobody_wants_is_not_kept() -> None:
    body = Upload(lambda: None)
    body.feed(b"abc")
    assert body.held_bytes == 3
    body.drop()
    body.feed(b"def")
    assert body.held_bytes == 0
