from collections.abc import Callable, Sequence
from math import prod
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from model.codec.binary import encode_raw
from model.datatypes import FLOATS, INTEGERS, NUMPY_DTYPES, Datatype
from model.errors import InvalidInput, ServingError
from model.grpc import open_inference_pb2 as pb
from model.grpc.codec import decode_request, encode_response, is_raw
from model.tensors import InferResponse, Tensor

FIELDS: Final = {
    Datatype.BOOL: "bool_contents",
    **dict.fromkeys([Datatype.INT8, Datatype.INT16, Datatype.INT32], "int_contents"),
    Datatype.INT64: "int64_contents",
    **dict.fromkeys([Datatype.UINT8, Datatype.UINT16, Datatype.UINT32], "uint_contents"),
    Datatype.UINT64: "uint64_contents",
    Datatype.FP32: "fp32_contents",
    Datatype.FP64: "fp64_contents",
    Datatype.BYTES: "bytes_contents",
}
TYPED: Final = sorted(FIELDS)


def typed_request(datatype: str, shape: Sequence[int], values: Sequence[Any], field: str = "") -> pb.ModelInferRequest:
    contents = pb.InferTensorContents(**{field or FIELDS[Datatype(datatype)]: values})
    request = pb.ModelInferRequest(model_name="m")
    request.inputs.add(name="x", datatype=datatype, shape=shape, contents=contents)
    return request


def raw_request(datatype: str, shape: Sequence[int], *buffers: bytes) -> pb.ModelInferRequest:
    request = pb.ModelInferRequest(model_name="m", raw_input_contents=buffers)
    request.inputs.add(name="x", datatype=datatype, shape=shape)
    return request


def decoded(request: pb.ModelInferRequest) -> npt.NDArray[Any]:
    """Send a request over the wire and read its only input."""
    (tensor,) = decode_request(pb.ModelInferRequest.FromString(request.SerializeToString())).inputs
    return tensor.data


def answered(*tensors: Tensor, raw: bool) -> pb.ModelInferResponse:
    message = encode_response(InferResponse("m", "1", tensors, "id"), raw=raw)
    return pb.ModelInferResponse.FromString(message.SerializeToString())


def refusal(request: pb.ModelInferRequest) -> str:
    with pytest.raises(InvalidInput) as caught:
        decode_request(request)
    return str(caught.value)


EXAMPLES: Final[dict[Datatype, list[Any]]] = {
    Datatype.BOOL: [True, False],
    Datatype.FP32: [1.5, -2.25],
    Datatype.FP64: [0.1, 1e300],
    Datatype.BYTES: ["Adélie", ""],
    **{d: [np.iinfo(NUMPY_DTYPES[d]).min, np.iinfo(NUMPY_DTYPES[d]).max] for d in INTEGERS},
}


@pytest.mark.parametrize("datatype", TYPED)
def test_contents_of_every_datatype_are_read(datatype: Datatype) -> None:
    values = EXAMPLES[datatype]
    sent = [value.encode() for value in values] if datatype is Datatype.BYTES else values
    data = decoded(typed_request(datatype, [2, 1], sent))
    assert data.dtype == NUMPY_DTYPES[datatype]
    assert data.tolist() == np.array(values, NUMPY_DTYPES[datatype]).reshape(2, 1).tolist()
    assert data.flags.aligned


@pytest.mark.parametrize("datatype", [*TYPED, Datatype.FP16])
def test_raw_contents_of_every_datatype_are_read(datatype: Datatype) -> None:
    data = np.array(EXAMPLES.get(datatype, [0.5, -1]), NUMPY_DTYPES[datatype]).reshape(2, 1)
    read = decoded(raw_request(datatype, [2, 1], encode_raw(Tensor("x", datatype, data))))
    assert read.dtype == data.dtype
    assert read.tolist() == data.tolist()


def test_the_whole_request_is_read() -> None:
    request = typed_request("INT64", [1], [7])
    request.model_version, request.id = "3", "q"
    request.parameters["deep"].bool_param = True
    request.inputs[0].parameters["content_type"].string_param = "pd"
    request.outputs.add(name="predict").parameters["n"].int64_param = -2
    request.outputs.add(name="predict_proba").parameters["cut"].double_param = 0.5
    request.outputs[1].parameters["big"].uint64_param = 2**64 - 1
    read = decode_request(request)
    assert (read.model_name, read.model_version, read.id) == ("m", "3", "q")
    assert read.parameters == {"deep": True}
    assert read.inputs[0].name == "x"
    assert read.inputs[0].datatype is Datatype.INT64
    assert read.inputs[0].parameters == {"content_type": "pd"}
    assert [(output.name, output.parameters) for output in read.outputs] == [
        ("predict", {"n": -2}),
        ("predict_proba", {"cut": 0.5, "big": 2**64 - 1}),
    ]


def test_a_request_without_inputs_is_read_for_the_signature_to_refuse() -> None:
    assert decode_request(pb.ModelInferRequest(model_name="m")).inputs == []


def test_nan_in_contents_stays_a_missing_value() -> None:
    assert np.isnan(decoded(typed_request("FP32", [2], [float("nan"), 1]))).tolist() == [True, False]


def test_fields_of_a_newer_protocol_do_not_shift_the_values() -> None:
    request = typed_request("FP64", [1, 2], [1.5, 2.5])
    request.inputs[0].contents.MergeFromString(b"\xf2\x01\x07unknown")
    assert b"unknown" in request.SerializeToString()
    assert decoded(request).tolist() == [[1.5, 2.5]]


@pytest.mark.parametrize("count", [1, 15, 16, 17, 2047, 2048, 2049, 300_000])
def test_contents_of_any_length_go_there_and_back(count: int) -> None:
    values = np.arange(count) / 8
    assert decoded(typed_request("FP64", [count], values.tolist())).tolist() == values.tolist()
    (output,) = answered(Tensor("y", Datatype.FP64, values), raw=False).outputs
    assert output.contents.fp64_contents[:] == values.tolist()


@pytest.mark.parametrize(
    ("datatype", "field"),
    [(datatype, field) for datatype in TYPED for field in sorted({*FIELDS.values()}) if field != FIELDS[datatype]],
)
def test_values_in_another_datatypes_field_are_refused(datatype: Datatype, field: str) -> None:
    value = b"1" if field == "bytes_contents" else 1
    sentence = refusal(typed_request(datatype, [1], [value], field))
    assert sentence == f"Input 'x' comes with {field}; {datatype} takes {FIELDS[datatype]}."


def test_values_in_two_fields_are_refused() -> None:
    request = typed_request("FP32", [1], [1.0])
    request.inputs[0].contents.int_contents.append(1)
    assert "int_contents and fp32_contents" in refusal(request)


def test_fp16_is_refused_in_contents() -> None:
    assert "send it in raw_input_contents" in refusal(typed_request("FP16", [1], [1.0], "fp32_contents"))


@pytest.mark.parametrize(
    ("datatype", "value"),
    [("INT8", 128), ("INT8", -129), ("INT16", 2**15), ("INT16", -(2**15) - 1), ("UINT8", 256), ("UINT16", 2**16)],
)
def test_an_integer_wider_than_its_datatype_is_refused(datatype: str, value: int) -> None:
    assert "out of range" in refusal(typed_request(datatype, [3], [0, value, 0]))


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (typed_request("FP64", [2, 2], [1.0, 2.0, 3.0]), "holds 3 values where its shape [2, 2] needs 4"),
        (typed_request("FP64", [1], [1.0, 2.0]), "holds 2 values where its shape [1] needs 1"),
        (typed_request("FP64", [1], []), "comes without values; FP64 takes fp64_contents"),
        (typed_request("FP64", [0, 4], []), "has a dimension of 0"),
        (typed_request("FP64", [-1, -1], [1.0]), "has -1 as a dimension"),
        (typed_request("FP64", [], [1.0]), "has 0 dimensions"),
        (typed_request("FP64", [1] * 66, [1.0]), "has 66 dimensions"),
        (typed_request("BYTES", [1], [b"\xff"]), "not UTF-8"),
        (typed_request("FP8", [1], [1.0], "fp32_contents"), "has datatype 'FP8'; expected one of BOOL, UINT8"),
        (typed_request("", [1], [1.0], "fp32_contents"), "has datatype ''"),
        (raw_request("FP64", [1], b"\0" * 7), "comes with 7 bytes"),
        (raw_request("FP64", [2**62], b"\0" * 8), "comes with 8 bytes"),
        (raw_request("FP64", [-1], b"\0" * 8), "has -1 as a dimension"),
        (raw_request("BYTES", [1], b"\2\0\0\0a"), "too few"),
        (raw_request("FP64", [1], b"\0" * 8, b"\0" * 8), "has 1 inputs and 2 raw_input_contents"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_tensor_that_contradicts_itself_is_refused(request_: pb.ModelInferRequest, sentence: str) -> None:
    assert sentence in refusal(request_)


def test_contents_beside_raw_contents_are_refused() -> None:
    request = typed_request("FP64", [1], [1.0])
    request.raw_input_contents.append(b"\0" * 8)
    assert refusal(request) == "Input 'x' has contents beside raw_input_contents; send every input raw, or none."


def test_empty_contents_beside_raw_contents_do_no_harm() -> None:
    request = raw_request("FP64", [1], np.array([2.5]).tobytes())
    request.inputs[0].contents.SetInParent()
    assert decoded(request).tolist() == [2.5]


def test_an_input_that_comes_twice_is_refused() -> None:
    request = typed_request("FP64", [1], [1.0])
    request.inputs.add().CopyFrom(request.inputs[0])
    assert refusal(request) == "Input 'x' comes twice; send it once."


def test_an_output_asked_for_twice_is_refused() -> None:
    request = typed_request("FP64", [1], [1.0])
    request.outputs.add(name="predict")
    request.outputs.add(name="predict")
    assert refusal(request) == "Output 'predict' comes twice; send it once."


@pytest.mark.parametrize("place", ["the request", "an input", "an output"])
def test_a_parameter_without_a_value_is_refused(place: str) -> None:
    request = typed_request("FP64", [1], [1.0])
    output = request.outputs.add(name="predict")
    holders: dict[str, Any] = {"the request": request, "an input": request.inputs[0], "an output": output}
    holders[place].parameters["empty"].SetInParent()
    assert "Parameter 'empty' has no value" in refusal(request)


def test_an_answer_says_what_it_answers() -> None:
    message = answered(Tensor("y", Datatype.INT64, np.array([[1, 2]])), raw=True)
    assert (message.model_name, message.model_version, message.id) == ("m", "1", "id")
    (output,) = message.outputs
    assert (output.name, output.datatype, output.shape[:]) == ("y", "INT64", [1, 2])


def test_an_answer_carries_the_parameters_of_its_outputs() -> None:
    parameters: dict[str, Any] = {"s": "pd", "b": True, "i": -1, "u": 2**63, "f": 0.5}
    tensor = Tensor("y", Datatype.FP64, np.zeros(1), parameters)
    read = answered(tensor, raw=False).outputs[0].parameters
    chosen = {name: (value.WhichOneof("parameter_choice"), str(value)) for name, value in read.items()}
    assert {name: field for name, (field, _) in chosen.items()} == {
        "s": "string_param",
        "b": "bool_param",
        "i": "int64_param",
        "u": "uint64_param",
        "f": "double_param",
    }
    assert read["u"].uint64_param == 2**63
    assert read["f"].double_param == 0.5


@pytest.mark.parametrize("datatype", TYPED)
def test_contents_are_answered_with_contents(datatype: Datatype) -> None:
    data = np.array(EXAMPLES[datatype], NUMPY_DTYPES[datatype])
    message = answered(Tensor("y", datatype, data), raw=False)
    values = getattr(message.outputs[0].contents, FIELDS[datatype])[:]
    expected = [value.encode() for value in data] if datatype is Datatype.BYTES else data.tolist()
    assert values == expected
    assert message.raw_output_contents[:] == []


def test_raw_is_answered_raw() -> None:
    first, second = Tensor("a", Datatype.FP32, np.ones(2, "<f4")), Tensor("b", Datatype.BOOL, np.array([True]))
    message = answered(first, second, raw=True)
    assert message.raw_output_contents[:] == [encode_raw(first), b"\1"]
    assert not any(output.HasField("contents") for output in message.outputs)


def test_an_answer_with_fp16_is_raw_for_it_has_no_field() -> None:
    half, whole = Tensor("h", Datatype.FP16, np.ones(1, "<f2")), Tensor("w", Datatype.FP64, np.ones(1))
    message = answered(half, whole, raw=False)
    assert message.raw_output_contents[:] == [encode_raw(half), encode_raw(whole)]


@pytest.mark.parametrize(
    "tensor",
    [
        Tensor("y", Datatype.BYTES, np.array(["a", None], object)),
        Tensor("y", Datatype.INT64, np.array([1, np.nan])),
        Tensor("y", Datatype.BOOL, np.array([True, None], object)),
    ],
    ids=["BYTES", "INT64", "BOOL"],
)
@pytest.mark.parametrize("raw", [True, False])
def test_a_missing_value_without_a_mark_is_not_answered_as_something_else(tensor: Tensor, *, raw: bool) -> None:
    with pytest.raises(InvalidInput, match="holds a missing value"):
        answered(tensor, raw=raw)


@pytest.mark.parametrize("raw", [True, False])
def test_text_that_is_no_unicode_is_the_models_fault(*, raw: bool) -> None:
    with pytest.raises(ServingError, match="not valid Unicode"):
        answered(Tensor("y", Datatype.BYTES, np.array(["\ud800"], object)), raw=raw)


SHAPES: Final = hnp.array_shapes(max_dims=4, max_side=5)
TEXT: Final = st.text("a é🐧\0", max_size=5)


@st.composite
def tensors(draw: st.DrawFn, datatypes: Sequence[Datatype]) -> Tensor:
    datatype, shape = draw(st.sampled_from(datatypes)), draw(SHAPES)
    if datatype is Datatype.BYTES:
        strings = draw(st.lists(TEXT, min_size=prod(shape), max_size=prod(shape)))
        return Tensor("x", datatype, np.array(strings, object).reshape(shape))
    return Tensor("x", datatype, draw(hnp.arrays(NUMPY_DTYPES[datatype], shape)))


def asked_for(answer: pb.ModelInferResponse) -> pb.ModelInferRequest:
    """Turn an answer into the request that sends its outputs back."""
    request = pb.ModelInferRequest(raw_input_contents=answer.raw_output_contents)
    for output in answer.outputs:
        request.inputs.add().MergeFromString(output.SerializeToString())
    return request


@given(tensor=tensors(TYPED))
def test_what_is_written_as_contents_is_read_as_it_was(tensor: Tensor) -> None:
    check_round_trip(tensor, raw=False)


@given(tensor=tensors([*TYPED, Datatype.FP16]))
def test_what_is_written_raw_is_read_as_it_was(tensor: Tensor) -> None:
    check_round_trip(tensor, raw=True)


def check_round_trip(tensor: Tensor, *, raw: bool) -> None:
    request = asked_for(answered(tensor, raw=raw))
    assert is_raw(request) is raw
    read = decoded(request)
    assert read.dtype == tensor.data.dtype
    np.testing.assert_array_equal(read, tensor.data)  # NaN equals NaN here
    if tensor.datatype in FLOATS:
        np.testing.assert_array_equal(np.signbit(read), np.signbit(tensor.data))


SLOPPY_TEXT: Final = st.sampled_from(["x", "y", "", "FP64", "INT8", *Datatype])
SLOPPY_SHAPE: Final = st.lists(st.integers(-1, 3) | st.integers(-(2**63), 2**63 - 1), max_size=3)
VALUES: Final[dict[str, st.SearchStrategy[Any]]] = {
    "bool_contents": st.booleans(),
    "int_contents": st.integers(-(2**31), 2**31 - 1),
    "int64_contents": st.integers(-(2**63), 2**63 - 1),
    "uint_contents": st.integers(0, 2**32 - 1),
    "uint64_contents": st.integers(0, 2**64 - 1),
    "fp32_contents": st.floats(width=32),
    "fp64_contents": st.floats(),
    "bytes_contents": st.binary(max_size=3),
}
SLOPPY_CONTENTS: Final = st.fixed_dictionaries(
    {}, optional={field: st.lists(value, max_size=4) for field, value in VALUES.items()}
).map(lambda fields: pb.InferTensorContents(**fields))
SLOPPY_INPUT: Final = st.builds(
    pb.ModelInferRequest.InferInputTensor,
    name=SLOPPY_TEXT,
    datatype=SLOPPY_TEXT,
    shape=SLOPPY_SHAPE,
    contents=st.none() | SLOPPY_CONTENTS,
    parameters=st.dictionaries(SLOPPY_TEXT, st.just(pb.InferParameter()) | st.just(pb.InferParameter(int64_param=1))),
)
SLOPPY_REQUEST: Final = st.builds(
    pb.ModelInferRequest,
    inputs=st.lists(SLOPPY_INPUT, max_size=3),
    raw_input_contents=st.lists(st.binary(max_size=24), max_size=3),
)


def well_formed(tensor: Tensor) -> bool:
    return tensor.data.dtype == NUMPY_DTYPES[tensor.datatype] and tensor.data.size > 0


def decodes_or_refuses(decode: Callable[[], pb.ModelInferRequest]) -> bool:
    try:
        request = decode_request(decode())
    except InvalidInput as error:
        return bool(str(error))
    return all(map(well_formed, request.inputs))


@given(request_=SLOPPY_REQUEST)
def test_a_sloppy_request_is_read_or_refused_and_nothing_else(request_: pb.ModelInferRequest) -> None:
    assert decodes_or_refuses(lambda: request_)
