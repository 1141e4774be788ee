"""The V2 answer: absent fields are left out, missing values are null, binary outputs stand behind the JSON."""

from typing import Any

import numpy as np
import orjson
import pytest

from model.codec.json_tensor import tensor_from_json, tensor_to_json
from model.codec.v2 import encode_response
from model.datatypes import Datatype
from model.errors import InvalidInput, ServingError
from model.tensors import InferRequest, InferResponse, RequestedOutput, Tensor

LABELS = Tensor("predict", Datatype.BYTES, np.array(["yes", "no"], dtype=object))
SCORES = Tensor("predict_proba", Datatype.FP64, np.array([[0.25, 0.75], [np.nan, 1.0]]))


def request(*outputs: RequestedOutput, **parameters: Any) -> InferRequest:
    return InferRequest("m", "", [], outputs, parameters=parameters)


def test_a_whole_answer_in_json() -> None:
    response = InferResponse("m", "3", [LABELS, SCORES], id="42")
    body, json_length = encode_response(response, request())
    assert json_length is None
    assert orjson.loads(body) == {
        "model_name": "m",
        "model_version": "3",
        "id": "42",
        "outputs": [
            {"name": "predict", "datatype": "BYTES", "shape": [2], "data": ["yes", "no"]},
            {"name": "predict_proba", "datatype": "FP64", "shape": [2, 2], "data": [0.25, 0.75, None, 1.0]},
        ],
    }


def test_what_is_absent_is_left_out() -> None:
    body, _ = encode_response(InferResponse("m", "", [LABELS]), request())
    assert set(orjson.loads(body)) == {"model_name", "outputs"}


def test_an_outputs_own_parameters_are_written() -> None:
    output = Tensor("y", Datatype.INT64, np.array([1]), {"content_type": "np"})
    body, _ = encode_response(InferResponse("m", "", [output]), request())
    assert orjson.loads(body)["outputs"][0]["parameters"] == {"content_type": "np"}


@pytest.mark.parametrize(
    ("asked", "binary"),
    [
        (request(), set()),
        (request(binary_data_output=False), set()),
        (request(binary_data_output=True), {"predict", "predict_proba"}),
        (request(RequestedOutput("predict"), binary_data_output=True), {"predict", "predict_proba"}),
        (request(RequestedOutput("predict", {"binary_data": False}), binary_data_output=True), {"predict_proba"}),
        (request(RequestedOutput("predict", {"binary_data": True})), {"predict"}),
    ],
)
def test_an_outputs_word_about_binary_data_goes_before_the_requests(asked: InferRequest, binary: set[str]) -> None:
    body, json_length = encode_response(InferResponse("m", "", [LABELS, SCORES]), asked)
    outputs = orjson.loads(body[:json_length])["outputs"]
    assert {output["name"] for output in outputs if "data" not in output} == binary
    sizes = [output["parameters"]["binary_data_size"] for output in outputs if output["name"] in binary]
    assert len(body) - (len(body) if json_length is None else json_length) == sum(sizes)


def test_binary_outputs_follow_in_order() -> None:
    asked = request(binary_data_output=True)
    body, json_length = encode_response(InferResponse("m", "", [LABELS, SCORES]), asked)
    assert body[json_length:] == b"\x03\x00\x00\x00yes\x02\x00\x00\x00no" + SCORES.data.tobytes()


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinity_is_refused_in_json_and_sent_in_binary(value: float) -> None:
    response = InferResponse("m", "", [Tensor("y", Datatype.FP64, np.array([value]))])
    with pytest.raises(InvalidInput, match="'y' holds an infinite value, for which JSON has no token; ask for binary"):
        encode_response(response, request())
    body, json_length = encode_response(response, request(binary_data_output=True))
    assert np.frombuffer(body[json_length:])[0] == value


def test_text_that_is_not_unicode_is_the_models_fault() -> None:
    response = InferResponse("m", "", [Tensor("y", Datatype.BYTES, np.array(["\ud800"], dtype=object))])
    with pytest.raises(ServingError, match="holds a value that JSON can't hold") as caught:
        encode_response(response, request())
    assert not isinstance(caught.value, InvalidInput)


def test_a_tensor_as_an_object_of_plain_values() -> None:
    item = tensor_to_json(SCORES)
    assert item == {
        "name": "predict_proba",
        "datatype": "FP64",
        "shape": [2, 2],
        "data": [0.25, 0.75, None, 1.0],
    }
    assert [type(value) for value in item["data"]] == [float, float, type(None), float]
    np.testing.assert_array_equal(tensor_from_json(item).data, SCORES.data)


def test_a_tensors_parameters_go_both_ways() -> None:
    tensor = Tensor("x", Datatype.BOOL, np.array([True, None], dtype=object), {"content_type": "np"})
    again = tensor_from_json(tensor_to_json(tensor))
    assert (again.parameters, again.data.tolist()) == ({"content_type": "np"}, [True, None])
