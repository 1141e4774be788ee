"""JSON elements become arrays strictly by datatype, or the request is refused by a sentence that names the tensor."""

from typing import Any

import numpy as np
import pytest

from model.codec.elements import decode_elements
from model.datatypes import FLOATS, INTEGERS, NUMPY_DTYPES, Datatype
from model.errors import InvalidInput


def decode(datatype: str, data: list[Any], shape: list[Any] | None = None) -> np.ndarray:
    return decode_elements("age", Datatype(datatype), [len(data)] if shape is None else shape, data)


def refusal(datatype: str, data: Any, shape: Any = None) -> str:
    with pytest.raises(InvalidInput) as caught:
        decode(datatype, data, shape)
    message = str(caught.value)
    assert "'age'" in message
    return message


@pytest.mark.parametrize("datatype", sorted(INTEGERS))
def test_every_integer_datatype_holds_its_bounds(datatype: Datatype) -> None:
    bounds = np.iinfo(NUMPY_DTYPES[datatype])
    array = decode(datatype, [int(bounds.min), int(bounds.max)])
    assert array.dtype == NUMPY_DTYPES[datatype]
    assert array.tolist() == [bounds.min, bounds.max]


@pytest.mark.parametrize("datatype", sorted(INTEGERS))
def test_every_integer_datatype_refuses_what_is_just_out_of_its_bounds(datatype: Datatype) -> None:
    bounds = np.iinfo(NUMPY_DTYPES[datatype])
    for value in (int(bounds.min) - 1, int(bounds.max) + 1):
        message = refusal(datatype, [0, value])
        assert f"{value}, which is out of range for {datatype} ({bounds.min} to {bounds.max})" in message


@pytest.mark.parametrize(
    ("datatype", "value"), [("INT8", 300), ("UINT8", -1), ("UINT64", 2**64), ("INT64", 2**63), ("INT64", float(2**64))]
)
def test_an_integer_out_of_range_is_refused(datatype: str, value: float) -> None:
    assert datatype in refusal(datatype, [value])


def test_64_bit_integers_are_exact() -> None:
    assert decode("UINT64", [2**63 + 1, 2**64 - 1]).tolist() == [2**63 + 1, 2**64 - 1]
    assert decode("INT64", [-(2**63), 2**53 + 1]).tolist() == [-(2**63), 2**53 + 1]


def test_whole_floats_are_integers() -> None:
    array = decode("INT32", [1.0, 2, -3.0])
    assert array.dtype == np.int32
    assert array.tolist() == [1, 2, -3]


@pytest.mark.parametrize("value", [1.7, -0.5, 1e-300])
def test_a_fraction_in_an_integer_tensor_is_refused(value: float) -> None:
    assert f"{value!r}, which is not a whole number; INT32 takes integers" in refusal("INT32", [1, value])


def test_a_float_beyond_the_exact_range_is_no_64_bit_integer() -> None:
    # A JSON parser reads -9223372036854775809 as this double, which is another number.
    assert "too large to be exact" in refusal("INT64", [-9.223372036854776e18])
    assert decode("INT64", [float(2**53)]).tolist() == [2**53]


def test_a_number_that_overflows_a_float_datatype_is_refused() -> None:
    assert "1e+39, which is out of range for FP32" in refusal("FP32", [0.5, 1e39])
    assert "70000, which is out of range for FP16 (-65504.0 to 65504.0)" in refusal("FP16", [70000])
    assert "an integer of 2001 bits, which is out of range for FP64" in refusal("FP64", [1, 2**2000])


@pytest.mark.parametrize("datatype", sorted(FLOATS))
def test_floats_take_integers_too(datatype: Datatype) -> None:
    array = decode(datatype, [1, 2.5])
    assert array.dtype == NUMPY_DTYPES[datatype]
    assert array.tolist() == [1.0, 2.5]


def test_long_float_data_are_decoded_as_short_ones_are() -> None:
    values = np.linspace(-1, 1, 1000).tolist()
    array = decode("FP64", values)
    assert array.tolist() == values
    assert array.flags.writeable


@pytest.mark.parametrize("datatype", ["FP64", "FP32", "INT64"])
@pytest.mark.parametrize("usual", [0, 7])
def test_a_boolean_among_many_numbers_is_refused(datatype: str, usual: int) -> None:
    for value, shown in ((True, "true"), (False, "false")):
        assert f"holds {shown} at position 90; {datatype} takes" in refusal(
            datatype, [usual] * 90 + [value] + [usual] * 9
        )


def test_many_floats_and_integers_are_rounded_as_each_would_be() -> None:
    values = [0.1, 2**53 + 1, -(2**63), 2**64 - 1, -0.0] * 20
    assert decode("FP64", values).tobytes() == np.array([float(value) for value in values]).tobytes()


def test_a_float_that_is_too_small_for_its_datatype_is_zero() -> None:
    assert decode("FP16", [1e-30]).tolist() == [0.0]


@pytest.mark.parametrize(
    ("datatype", "value", "wanted"),
    [
        ("FP64", True, "true at position 1; FP64 takes numbers"),
        ("FP32", "1.5", "'1.5' at position 1; FP32 takes numbers"),
        ("FP64", {}, "an object at position 1; FP64 takes numbers"),
        ("INT64", False, "false at position 1; INT64 takes integers"),
        ("UINT8", "7", "'7' at position 1; UINT8 takes integers"),
        ("BOOL", 1, "1 at position 1; BOOL takes true or false"),
        ("BOOL", "false", "'false' at position 1; BOOL takes true or false"),
        ("BYTES", 5, "5 at position 1; BYTES takes strings"),
        ("BYTES", True, "true at position 1; BYTES takes strings"),
        ("BYTES", ["a"], "a list at position 1; BYTES takes strings"),
    ],
)
def test_an_element_of_another_kind_is_refused(datatype: str, value: Any, wanted: str) -> None:
    good = {"BOOL": True, "BYTES": "a"}.get(datatype, 1)
    assert wanted in refusal(datatype, [good, value])


def test_null_is_nan_in_floats() -> None:
    np.testing.assert_array_equal(decode("FP32", [None, 1.5]), np.array([np.nan, 1.5], dtype=np.float32))


def test_null_makes_integers_float64() -> None:
    array = decode("INT8", [None, 7, 8.0])
    assert array.dtype == np.float64
    np.testing.assert_array_equal(array, [np.nan, 7.0, 8.0])


def test_nulls_alone_are_nan_in_an_integer_tensor() -> None:
    np.testing.assert_array_equal(decode("INT64", [None, None]), [np.nan, np.nan])


def test_null_does_not_lift_the_range_of_integers() -> None:
    assert "300, which is out of range for INT8" in refusal("INT8", [None, 300])


def test_null_beside_an_integer_that_float64_would_change_is_refused() -> None:
    assert "holds null beside an integer over 2**53" in refusal("INT64", [None, 2**53 + 1])
    assert "holds null beside an integer over 2**53" in refusal("INT64", [None, -(2**63)])


@pytest.mark.parametrize(("datatype", "value"), [("BOOL", True), ("BYTES", "a")])
def test_null_is_none_in_booleans_and_strings(datatype: str, value: Any) -> None:
    array = decode(datatype, [value, None])
    assert array.dtype == object
    assert array.tolist() == [value, None]


def test_strings_keep_what_they_hold() -> None:
    texts = ["", "\x00", "a\ud800b", "žluťoučký 🐎"]
    assert decode("BYTES", texts).tolist() == texts


@pytest.mark.parametrize("data", [[1, 2, 3, 4, 5, 6], [[1, 2], [3, 4], [5, 6]]])
def test_flat_and_nested_data_are_the_same_row_major_array(data: list[Any]) -> None:
    assert decode("INT64", data, [3, 2]).tolist() == [[1, 2], [3, 4], [5, 6]]


def test_three_dimensions_nest() -> None:
    data = [[["a"], ["b"]], [["c"], ["d"]]]
    assert decode("BYTES", data, [2, 2, 1]).tolist() == data


@pytest.mark.parametrize(
    ("data", "shape"),
    [
        ([[1, 2], [3]], [2, 2]),
        ([[1, 2], 3], [2, 2]),
        ([[1, 2], [3, 4]], [4]),
        ([[1, 2], [3, 4]], [2, 2, 1]),
        ([[1, 2, 3], [4, 5, 6]], [3, 2]),
        ([[[1, 2]], [[3, 4]]], [2, 2]),
        ([[1], [2]], [1, 2]),
        ([1, [2]], [2]),
        ([[[]]], [1, 1, 1]),
    ],
)
def test_data_nested_otherwise_than_the_shape_are_refused(data: list[Any], shape: list[int]) -> None:
    assert refusal("FP64", data, shape)


@pytest.mark.parametrize(("data", "shape"), [([1, 2, 3], [2, 2]), ([1], [10**9, 10**9]), ([], [1])])
def test_a_number_of_elements_other_than_the_shape_says_is_refused(data: list[Any], shape: list[int]) -> None:
    assert f"holds {len(data)} values where its shape {shape} needs" in refusal("FP64", data, shape)


@pytest.mark.parametrize(
    ("shape", "got"),
    [
        ([], "0 dimensions"),
        ([1] * 66, "66 dimensions"),
        ([0, 3], "a dimension of 0"),
        ([-1, 3], "-1 as a dimension"),
        ([True], "true as a dimension"),
        ([1.0], "1.0 as a dimension"),
        (["1"], "'1' as a dimension"),
        ([None], "null as a dimension"),
        ("3", "'3' as its shape"),
        (3, "3 as its shape"),
        ({}, "an object as its shape"),
    ],
)
def test_a_bad_shape_is_refused(shape: Any, got: str) -> None:
    assert f"has {got}" in refusal("FP64", [1.0], shape)


def test_32_dimensions_are_allowed() -> None:
    assert decode("FP64", [1.0], [1] * 32).shape == (1,) * 32


def test_a_long_or_odd_value_is_quoted_in_short() -> None:
    assert len(refusal("FP64", ["x" * 10**6])) < 300
    assert "\n" not in refusal("FP64", ["a\nb"])
    assert "a value that JSON does not know" in refusal("FP64", [object()])
