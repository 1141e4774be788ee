"""The V2 request body: what the protocol demands is read, all else is refused by a sentence that names the field."""

from typing import Any

import numpy as np
import orjson
import pytest

from model.codec.v2 import decode_request
from model.datatypes import Datatype
from model.errors import InvalidInput
from model.tensors import InferRequest, RequestedOutput


def tensor(**fields: Any) -> dict[str, Any]:
    return {"name": "age", "shape": [2], "datatype": "FP64", "data": [1.5, 2.5], **fields}


def binary(binary_data_size: Any, **fields: Any) -> dict[str, Any]:
    item = tensor(parameters={"binary_data_size": binary_data_size}, **fields)
    if "data" not in fields:
        del item["data"]
    return item


def without(key: str) -> dict[str, Any]:
    return {k: v for k, v in tensor().items() if k != key}


def read(document: Any, tail: bytes = b"", *, split: bool = False) -> InferRequest:
    head = document if isinstance(document, bytes) else orjson.dumps(document)
    return decode_request(
        head + tail, model_name="m", model_version="3", json_length=len(head) if tail or split else None
    )


def refusal(document: Any, tail: bytes = b"", *, split: bool = False) -> str:
    with pytest.raises(InvalidInput) as caught:
        read(document, tail, split=split)
    return str(caught.value)


def test_the_path_says_which_model() -> None:
    request = read({"model_name": "other", "inputs": [tensor()]})
    assert (request.model_name, request.model_version) == ("m", "3")


def test_a_request_of_inputs_alone() -> None:
    request = read({"inputs": [tensor()]})
    (age,) = request.inputs
    assert (age.name, age.datatype, age.data.tolist(), age.parameters) == ("age", Datatype.FP64, [1.5, 2.5], {})
    assert (request.id, request.parameters, list(request.outputs)) == ("", {}, [])


def test_a_request_of_all_fields() -> None:
    request = read(
        {
            "id": "42",
            "parameters": {"content_type": "pd", "binary_data_output": True, "n": 1, "x": 0.5},
            "inputs": [
                tensor(parameters={"content_type": "np"}),
                tensor(name="sex", datatype="BYTES", data=["f", "m"]),
            ],
            "outputs": [{"name": "predict"}, {"name": "predict_proba", "parameters": {"binary_data": False}}],
        }
    )
    assert request.id == "42"
    assert request.parameters == {"content_type": "pd", "binary_data_output": True, "n": 1, "x": 0.5}
    assert [item.name for item in request.inputs] == ["age", "sex"]
    assert request.inputs[0].parameters == {"content_type": "np"}
    assert request.outputs == [RequestedOutput("predict"), RequestedOutput("predict_proba", {"binary_data": False})]


def test_keys_that_the_protocol_does_not_know_are_ignored() -> None:
    request = read({"inputs": [tensor(unit="years")], "trace": {"a": [1]}, "outputs": [{"name": "y", "x": None}]})
    assert request.inputs[0].data.tolist() == [1.5, 2.5]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_body_is_any_bytes(kind: type) -> None:
    body = kind(orjson.dumps({"inputs": [tensor()]}))
    assert decode_request(body, model_name="m", model_version="", json_length=None).inputs[0].name == "age"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "The body is empty or not UTF-8"),
        (b'{"inputs": "\xff"}', "The body is empty or not UTF-8"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        (b'{"inputs": [', "not valid JSON at line 1, column 13"),
        (b'{"inputs":\n }', "not valid JSON at line 2, column 2"),
        (b'{"inputs": ["\\ud800"]}', "not valid JSON at line 1"),
        (b'{"inputs": [NaN]}', "holds NaN or Infinity at line 1, column 13"),
        (b'{"inputs": [-Infinity]}', "holds NaN or Infinity at line 1, column 14"),
        (b'{"inputs": [1e999]}', "holds a number at line 1, column 13 that is too large"),
        (b'{"inputs": [' + b"9" * 5000 + b"]}", "that is too large"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"[]", "The body is a list; expected a JSON object"),
        (b"null", "The body is null"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes, sentence: str) -> None:
    assert sentence in refusal(body)


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({}, "The body has no inputs"),
        ({"inputs": []}, "The body has an empty list as its inputs"),
        ({"inputs": {}}, "The body has an object as its inputs"),
        ({"inputs": None}, "The body has null as its inputs"),
        ({"inputs": [5]}, "inputs[0] is 5; expected an object"),
        ({"inputs": [tensor(), without("name")]}, "inputs[1] has no name"),
        ({"inputs": [tensor(name=5)]}, "inputs[0] has 5 as its name"),
        ({"inputs": [tensor(name="")]}, "inputs[0] has '' as its name"),
        ({"inputs": [without("shape")]}, "Input 'age' has no shape"),
        ({"inputs": [without("datatype")]}, "Input 'age' has no datatype; expected one of BOOL, UINT8"),
        ({"inputs": [tensor(datatype="FLOAT")]}, "Input 'age' has 'FLOAT' as its datatype"),
        ({"inputs": [tensor(datatype="fp64")]}, "Input 'age' has 'fp64' as its datatype"),
        ({"inputs": [tensor(datatype=["FP64"])]}, "Input 'age' has a list as its datatype"),
        ({"inputs": [without("data")]}, "Input 'age' has no data"),
        ({"inputs": [tensor(data=1.5)]}, "Input 'age' has 1.5 as its data"),
        ({"inputs": [tensor(data=None)]}, "Input 'age' has null as its data"),
        ({"inputs": [tensor(), tensor(name="b"), tensor()]}, "Input 'age' comes twice"),
        ({"inputs": [tensor(parameters=[])]}, "Input 'age' has a list as its parameters"),
        ({"inputs": [tensor(parameters={"a": {}})]}, "Input 'age' has an object as its parameter 'a'"),
        ({"inputs": [tensor()], "id": 5}, "The body has 5 as its id; expected a string"),
        ({"inputs": [tensor()], "id": None}, "The body has null as its id"),
        ({"inputs": [tensor()], "parameters": None}, "The body has null as its parameters"),
        ({"inputs": [tensor()], "parameters": {"a": None}}, "The body has null as its parameter 'a'"),
        ({"inputs": [tensor()], "parameters": {"binary_data_output": 1}}, "1 as its parameter binary_data_output"),
        ({"inputs": [tensor()], "outputs": {}}, "The body has an object as its outputs"),
        ({"inputs": [tensor()], "outputs": ["y"]}, "outputs[0] is 'y'; expected an object with a name"),
        ({"inputs": [tensor()], "outputs": [{}]}, "outputs[0] has no name"),
        ({"inputs": [tensor()], "outputs": [{"name": 5}]}, "outputs[0] has 5 as its name"),
        ({"inputs": [tensor()], "outputs": [{"name": "y"}, {"name": "y"}]}, "Output 'y' comes twice"),
        ({"inputs": [tensor()], "outputs": [{"name": "y", "parameters": 1}]}, "Output 'y' has 1 as its parameters"),
        (
            {"inputs": [tensor()], "outputs": [{"name": "y", "parameters": {"binary_data": "no"}}]},
            "Output 'y' has 'no' as its parameter binary_data",
        ),
    ],
)
def test_a_wrong_field_is_refused_by_name(document: Any, sentence: str) -> None:
    assert sentence in refusal(document)


def test_an_integer_that_json_parsers_round_is_not_taken_for_another() -> None:
    for literal in (b"-9223372036854775809", b"18446744073709551616", b"9223372036854775808"):
        body = b'{"inputs":[{"name":"age","shape":[1],"datatype":"INT64","data":[' + literal + b"]}]}"
        assert "'age'" in refusal(body)


def test_binary_inputs_follow_in_order() -> None:
    items = [
        binary(16),
        tensor(name="json"),
        binary(6, name="sex", datatype="BYTES", shape=[1, 1]),
        binary(2, name="b", datatype="BOOL"),
    ]
    tail = np.array([1.5, 2.5]).tobytes() + b"\x02\x00\x00\x00ab" + b"\x00\x01"
    request = read({"inputs": items}, tail)
    assert [item.data.tolist() for item in request.inputs] == [[1.5, 2.5], [1.5, 2.5], [["ab"]], [False, True]]
    assert request.inputs[0].parameters == {}


def test_a_length_that_covers_all_of_the_body_leaves_no_tail() -> None:
    assert read({"inputs": [tensor()]}, split=True).inputs[0].data.tolist() == [1.5, 2.5]


@pytest.mark.parametrize(
    ("items", "tail", "sentence"),
    [
        ([binary(-1)], bytes(16), "Input 'age' has -1 as its binary_data_size"),
        ([binary(binary_data_size=True)], bytes(16), "Input 'age' has true as its binary_data_size"),
        ([binary(16.0)], bytes(16), "Input 'age' has 16.0 as its binary_data_size"),
        ([binary("16")], bytes(16), "Input 'age' has '16' as its binary_data_size"),
        ([binary(16, data=[1.5, 2.5])], bytes(16), "Input 'age' has both data and binary_data_size"),
        ([binary(16)], bytes(15), "Input 'age' has 16 as its binary_data_size, but 15 bytes are left"),
        ([binary(16)], bytes(17), "The body has 1 bytes behind the JSON"),
        ([tensor()], bytes(16), "The body has 16 bytes behind the JSON"),
        ([binary(8)], bytes(8), "Input 'age' comes with 8 bytes; FP64 of shape [2] needs 16"),
        (
            [binary(16), binary(16, name="b")],
            bytes(16),
            "Input 'b' has 16 as its binary_data_size, but 0 bytes are left",
        ),
        ([binary(10**18)], bytes(16), "but 16 bytes are left"),
        ([binary(16, shape=None)], bytes(16), "Input 'age' has no shape"),
    ],
)
def test_sizes_that_do_not_add_up_are_refused(items: list[Any], tail: bytes, sentence: str) -> None:
    assert sentence in refusal({"inputs": items}, tail)


def test_a_binary_size_without_the_header_is_refused() -> None:
    assert "no header Inference-Header-Content-Length" in refusal({"inputs": [binary(16)]})


@pytest.mark.parametrize("length", [-1, 10**6])
def test_a_json_length_that_is_not_in_the_body_is_refused(length: int) -> None:
    with pytest.raises(InvalidInput, match=f"Inference-Header-Content-Length is {length}; the body has 2 bytes"):
        decode_request(b"{}", model_name="m", model_version="", json_length=length)
