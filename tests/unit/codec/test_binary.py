"""Raw bytes become arrays only where they fill the declared shape to the byte."""

import struct
from collections.abc import Sequence

import numpy as np
import pytest

from model.codec.binary import Buffer, decode_raw, encode_raw
from model.datatypes import NUMPY_DTYPES, Datatype
from model.errors import InvalidInput, ServingError
from model.tensors import Tensor

FIXED = sorted(set(Datatype) - {Datatype.BYTES})


def decode(datatype: Datatype, shape: Sequence[int], buffer: Buffer) -> np.ndarray:
    return decode_raw("age", datatype, shape, buffer)


def refusal(datatype: Datatype, shape: Sequence[int], buffer: Buffer) -> str:
    with pytest.raises(InvalidInput) as caught:
        decode(datatype, shape, buffer)
    assert "'age'" in str(caught.value)
    return str(caught.value)


def strings(*texts: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


@pytest.mark.parametrize("datatype", FIXED)
def test_fixed_size_elements_are_little_endian(datatype: Datatype) -> None:
    array = np.array([[0, 1, 1], [1, 0, 1]], dtype=NUMPY_DTYPES[datatype])
    decoded = decode(datatype, [2, 3], array.tobytes())
    assert decoded.dtype == NUMPY_DTYPES[datatype]
    np.testing.assert_array_equal(decoded, array)


def test_numbers_are_read_in_place() -> None:
    buffer = bytearray(np.arange(4.0).tobytes())
    decoded = decode(Datatype.FP64, [4], memoryview(buffer))
    buffer[:8] = np.float64(7.0).tobytes()
    assert decoded[0] == 7.0


def test_numbers_at_an_odd_address_are_aligned() -> None:
    buffer = b"{" + np.arange(4.0).tobytes()
    decoded = decode(Datatype.FP64, [4], memoryview(buffer)[1:])
    assert decoded.flags.aligned
    assert decoded.tolist() == [0.0, 1.0, 2.0, 3.0]


def test_nan_and_infinity_pass() -> None:
    array = np.array([np.nan, np.inf, -np.inf], dtype=np.float32)
    np.testing.assert_array_equal(decode(Datatype.FP32, [3], array.tobytes()), array)


@pytest.mark.parametrize("datatype", FIXED)
@pytest.mark.parametrize("surplus", [-1, 1])
def test_a_byte_too_few_or_too_many_is_refused(datatype: Datatype, surplus: int) -> None:
    needed = 6 * NUMPY_DTYPES[datatype].itemsize
    message = refusal(datatype, [2, 3], bytes(needed + surplus))
    assert f"comes with {needed + surplus} bytes; {datatype} of shape [2, 3] needs {needed}" in message


def test_a_byte_that_is_no_boolean_is_refused() -> None:
    assert "holds the byte 2; BOOL takes 0 and 1" in refusal(Datatype.BOOL, [3], b"\x00\x02\x01")


def test_strings_are_length_and_utf8() -> None:
    decoded = decode(Datatype.BYTES, [2, 2], strings(b"", b"a", "žluť".encode(), b"\x00"))
    assert decoded.dtype == object
    assert decoded.tolist() == [["", "a"], ["žluť", "\x00"]]


@pytest.mark.parametrize(
    "buffer",
    [
        b"",
        b"\x01\x00\x00",
        strings(b"abc"),
        strings(b"abc") + b"\xff\xff\xff\xff",
        strings(b"abc") + b"\x02\x00\x00\x00a",
    ],
)
def test_strings_that_end_early_or_lie_about_their_length_are_refused(buffer: bytes) -> None:
    assert "too few for 2 strings" in refusal(Datatype.BYTES, [2], buffer)


def test_a_length_that_leaves_no_room_for_the_next_is_refused() -> None:
    assert "too few for 2 strings" in refusal(Datatype.BYTES, [2], struct.pack("<I", 100) + b"abcdef")


def test_bytes_behind_the_last_string_are_refused() -> None:
    assert "its 1 strings end after 5" in refusal(Datatype.BYTES, [1], strings(b"a") + b"b")


@pytest.mark.parametrize("text", [b"\xff", b"\xc3", b"\xed\xa0\x80"])
def test_a_string_that_is_not_utf8_is_refused(text: bytes) -> None:
    assert "not UTF-8" in refusal(Datatype.BYTES, [1], strings(text))


@pytest.mark.parametrize("datatype", [Datatype.FP64, Datatype.BYTES])
def test_a_shape_larger_than_any_body_is_refused_at_once(datatype: Datatype) -> None:
    assert refusal(datatype, [10**9, 10**9], bytes(16))


@pytest.mark.parametrize("shape", [[], [0], [-1], [1] * 66])
def test_a_bad_shape_is_refused(shape: list[int]) -> None:
    assert refusal(Datatype.FP64, shape, bytes(8))


def test_an_output_in_column_order_is_written_in_row_order() -> None:
    data = np.asfortranarray([[1.0, 2.0], [3.0, 4.0]])
    assert encode_raw(Tensor("y", Datatype.FP64, data)) == np.array([1.0, 2.0, 3.0, 4.0]).tobytes()


@pytest.mark.parametrize(
    ("datatype", "data"),
    [
        (Datatype.BYTES, np.array(["a", None], dtype=object)),
        (Datatype.BOOL, np.array([True, None], dtype=object)),
        (Datatype.INT64, np.array([1.0, np.nan])),
    ],
)
def test_a_missing_value_that_raw_data_cannot_mark_is_refused(datatype: Datatype, data: np.ndarray) -> None:
    with pytest.raises(InvalidInput, match=f"'y' holds a missing value, for which raw {datatype} has no mark"):
        encode_raw(Tensor("y", datatype, data))


def test_text_that_is_not_unicode_is_the_models_fault() -> None:
    with pytest.raises(ServingError, match="'y' holds text that is not valid Unicode") as caught:
        encode_raw(Tensor("y", Datatype.BYTES, np.array(["\ud800"], dtype=object)))
    assert not isinstance(caught.value, InvalidInput)
