"""Whatever is sent, a codec answers with tensors or a refusal; and what it writes it reads again unchanged."""

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from model.codec import rows, v1, v2
from model.codec.binary import decode_raw, encode_raw
from model.codec.elements import convert, decode_elements, element_types
from model.codec.json_tensor import tensor_from_json, tensor_to_json
from model.datatypes import FLOATS, NUMPY_DTYPES, Datatype
from model.errors import InvalidInput
from model.tensors import InferRequest, InferResponse, Tensor

DATATYPES = st.sampled_from(Datatype)
SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
INTEGERS_64 = st.integers(-(2**63), 2**64 - 1)
SCALARS = st.one_of(st.none(), st.booleans(), INTEGERS_64, st.floats(), st.text())
ELEMENTS = (
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.integers(-128, 127),
    INTEGERS_64,
    st.sampled_from([0, 1, 0.0, -0.0, 1.0]),
    st.booleans(),
    st.none(),
    st.text(max_size=3),
    st.just([1.0]),
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
)


@st.composite
def tensors(draw: st.DrawFn, *, infinity: bool = False, null: bool = False) -> Tensor:
    datatype = draw(DATATYPES)
    shape = draw(SHAPES)
    if datatype is Datatype.BYTES:
        elements: st.SearchStrategy[Any] = TEXT | st.none() if null else TEXT
        flat = draw(st.lists(elements, min_size=prod(shape), max_size=prod(shape)))
        return Tensor("x", datatype, np.array(flat, dtype=object).reshape(shape))
    options = {"allow_infinity": infinity} if datatype in FLOATS else None
    return Tensor("x", datatype, draw(hnp.arrays(NUMPY_DTYPES[datatype], shape, elements=options)))


def assert_same(got: Tensor, expected: Tensor) -> None:
    assert (got.name, got.datatype, got.data.shape) == (expected.name, expected.datatype, expected.data.shape)
    assert got.data.dtype == expected.data.dtype
    np.testing.assert_array_equal(got.data, expected.data)


def nested(data: np.ndarray) -> Any:
    return orjson.loads(orjson.dumps(data.tolist()))


def reads_or_refuses(read: Callable[[], object]) -> None:
    sentence = "Read."
    try:
        read()
    except InvalidInput as refusal:
        sentence = str(refusal)
    assert sentence.endswith(".")
    assert "\n" not in sentence


@given(tensors(null=True))
def test_a_tensor_in_flat_json_comes_back(tensor: Tensor) -> None:
    assert_same(tensor_from_json(orjson.loads(orjson.dumps(tensor_to_json(tensor)))), tensor)


@st.composite
def many_elements(draw: st.DrawFn) -> list[Any]:
    """Enough of them to be packed at once, now and then with another kind among them."""
    kinds = draw(st.lists(st.sampled_from(ELEMENTS), min_size=1, max_size=2))
    common = draw(st.lists(kinds[0], min_size=64, max_size=80))
    return draw(st.permutations(common + draw(st.lists(kinds[-1], max_size=2))))


@given(DATATYPES, many_elements())
def test_many_elements_are_read_as_with_a_look_at_each(datatype: Datatype, flat: list[Any]) -> None:
    def outcome(read: Callable[[], Any]) -> tuple[Any, bytes] | str:
        try:
            array = read()
        except InvalidInput as refusal:
            return str(refusal)
        return array.dtype, array.tolist() if array.dtype == object else array.tobytes()

    at_once = outcome(lambda: decode_elements("x", datatype, [len(flat)], flat))
    assert at_once == outcome(lambda: convert("x", datatype, flat, element_types(flat)))


@given(tensors(null=True))
def test_a_tensor_in_nested_json_comes_back(tensor: Tensor) -> None:
    assert_same(tensor_from_json({**tensor_to_json(tensor), "data": nested(tensor.data)}), tensor)


@given(tensors(infinity=True))
def test_a_raw_tensor_comes_back(tensor: Tensor) -> None:
    data = decode_raw("x", tensor.datatype, tensor.data.shape, encode_raw(tensor))
    assert_same(Tensor("x", tensor.datatype, data), tensor)


@given(tensors(), tensors(), st.booleans())
def test_an_answer_is_readable_as_a_request(first: Tensor, second: Tensor, binary: bool) -> None:  # noqa: FBT001
    second.name = "y"
    asked = InferRequest("m", "", [], parameters={"binary_data_output": binary})
    body, json_length = v2.encode_response(InferResponse("m", "1", [first, second], id="7"), asked)
    length = len(body) if json_length is None else json_length
    document = orjson.loads(body[:length])
    document["inputs"] = document.pop("outputs")
    head = orjson.dumps(document)
    request = v2.decode_request(
        head + body[length:], model_name="m", model_version="", json_length=len(head) if binary else None
    )
    assert request.id == "7"
    for got, expected in zip(request.inputs, (first, second), strict=True):
        assert_same(got, expected)


def read_v2(body: bytes, json_length: int | None = None) -> InferRequest:
    return v2.decode_request(body, model_name="m", model_version="", json_length=json_length)


READERS = [read_v2, v1.decode_request, rows.decode_rows]


@pytest.mark.parametrize("read", READERS)
@given(body=st.binary())
def test_arbitrary_bytes_are_read_or_refused(read: Callable[[bytes], object], body: bytes) -> None:
    reads_or_refuses(lambda: read(body))


@pytest.mark.parametrize("read", READERS)
@given(document=JSON)
def test_arbitrary_json_is_read_or_refused(read: Callable[[bytes], object], document: Any) -> None:
    reads_or_refuses(lambda: read(dumped(document)))


def dumped(document: Any) -> bytes:
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError:  # lone surrogates
        return repr(document).encode()


@given(
    name=JSON,
    shape=st.lists(st.integers(-1, 3) | st.just(10**9), max_size=4) | JSON,
    datatype=DATATYPES | JSON,
    data=st.lists(SCALARS, max_size=9) | st.lists(st.lists(SCALARS, max_size=3), max_size=3) | JSON,
)
def test_arbitrary_tensor_fields_are_read_or_refused(name: Any, shape: Any, datatype: Any, data: Any) -> None:
    for title in (name, "x"):
        item = {"name": title, "shape": shape, "datatype": datatype, "data": data}
        reads_or_refuses(partial(tensor_from_json, item))


@given(
    datatype=DATATYPES,
    shape=SHAPES | st.lists(st.integers(-1, 10**9), max_size=4),
    buffer=st.binary(max_size=64)
    | st.lists(TEXT.map(lambda text: len(text).to_bytes(4, "little") + text.encode())).map(b"".join),
)
def test_arbitrary_raw_bytes_are_read_or_refused(datatype: Datatype, shape: list[int], buffer: bytes) -> None:
    reads_or_refuses(lambda: decode_raw("x", datatype, shape, buffer))


@given(size=st.integers(-2, 40) | SCALARS, tail=st.binary(max_size=40), offset=st.integers(-3, 3))
def test_arbitrary_binary_sizes_are_read_or_refused(size: Any, tail: bytes, offset: int) -> None:
    head = dumped(
        {"inputs": [{"name": "x", "shape": [2], "datatype": "INT32", "parameters": {"binary_data_size": size}}]}
    )
    reads_or_refuses(lambda: read_v2(head + tail, len(head) + offset))


@given(values=st.lists(SCALARS, min_size=1, max_size=6), names=st.sets(TEXT, max_size=3))
def test_arbitrary_rows_are_read_or_refused(values: list[Any], names: set[str]) -> None:
    objects = dumped([dict.fromkeys(names, value) for value in values])
    reads_or_refuses(lambda: rows.decode_rows(objects))
    lists = dumped({"instances": [[value] * len(names) for value in values]})
    reads_or_refuses(lambda: v1.decode_request(lists, columns=sorted(names)))
