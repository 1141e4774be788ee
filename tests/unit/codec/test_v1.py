"""The V1 body: datatypes are inferred, rows are lists or objects, predictions are nested by row."""

import sys
from typing import Any

import numpy as np
import orjson
import pytest

from model.codec import elements
from model.codec.v1 import decode_request, encode_response
from model.datatypes import Datatype
from model.errors import InvalidInput
from model.tensors import InferResponse, Tensor


def read(document: Any, *columns: str) -> dict[str, tuple[str, Any]]:
    """Name to datatype and data."""
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    request = decode_request(body, model_name="m", columns=columns)
    assert request.model_name == "m"
    return {tensor.name: (tensor.datatype, tensor.data.tolist()) for tensor in request.inputs}


def refusal(document: Any, *columns: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        read(document, *columns)
    return str(caught.value)


@pytest.mark.parametrize("key", ["instances", "inputs"])
def test_rows_of_numbers_are_one_tensor(key: str) -> None:
    assert read({key: [[1.5, 2], [3, 4]]}) == {"input-0": ("FP64", [[1.5, 2.0], [3.0, 4.0]])}


@pytest.mark.parametrize(
    ("rows", "datatype"),
    [
        ([[1, 2], [3, 4]], "INT64"),
        ([[1, 2], [3, 2**63]], "UINT64"),
        ([[-1, 2], [3, 2**63]], "FP64"),
        ([[True, False]], "BOOL"),
        ([["a", "b"]], "BYTES"),
        ([[True, None]], "BOOL"),
        ([["a", None]], "BYTES"),
    ],
)
def test_the_datatype_is_that_of_the_values(rows: Any, datatype: str) -> None:
    assert read({"instances": rows}) == {"input-0": (datatype, rows)}


def test_null_among_numbers_is_nan() -> None:
    request = decode_request(b'{"instances": [[1, null], [2.5, 3]]}')
    np.testing.assert_array_equal(request.inputs[0].data, [[1.0, np.nan], [2.5, 3.0]])


def test_nulls_alone_are_fp64() -> None:
    (tensor,) = decode_request(b'{"instances": [[null], [null]]}').inputs
    assert tensor.datatype is Datatype.FP64
    assert np.isnan(tensor.data).all()


def test_numbers_stay_one_tensor_where_the_columns_are_known() -> None:
    assert read({"instances": [[1.5, 2.5]]}, "a", "b") == {"input-0": ("FP64", [[1.5, 2.5]])}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[5, "m"], [6, "f"]], {"age": ("INT64", [5, 6]), "sex": ("BYTES", ["m", "f"])}),
        ([["a", "b"]], {"age": ("BYTES", ["a"]), "sex": ("BYTES", ["b"])}),
        ([[True, "b"]], {"age": ("BOOL", [True]), "sex": ("BYTES", ["b"])}),
    ],
)
def test_rows_of_more_than_numbers_are_one_tensor_per_column(rows: Any, expected: Any) -> None:
    assert read({"instances": rows}, "age", "sex") == expected


def test_a_missing_value_may_be_a_strings_so_columns_are_kept_apart() -> None:
    inputs = decode_request(b'{"instances": [[1.5, null]]}', columns=["age", "sex"]).inputs
    assert [(tensor.name, tensor.datatype) for tensor in inputs] == [("age", "FP64"), ("sex", "FP64")]
    assert np.isnan(inputs[1].data).all()


@pytest.mark.parametrize("columns", [(), ("age",), ("age", "sex", "x")])
def test_mixed_rows_that_no_columns_fit_are_refused(columns: tuple[str, ...]) -> None:
    assert "of shape [1, 2], mix numbers, strings or booleans" in refusal({"instances": [[5, "m"]]}, *columns)


def test_a_column_of_two_kinds_is_refused_by_name() -> None:
    assert "Column 'sex' holds both 'm' and 5" in refusal({"instances": [[1, "m"], [2, 5]]}, "age", "sex")
    assert "Column 'sex' holds both true and 1.5" in refusal({"instances": [[1, True], [2, 1.5]]}, "age", "sex")


def test_single_values_are_rows_of_one() -> None:
    assert read({"instances": ["good", "bad"]}) == {"input-0": ("BYTES", ["good", "bad"])}
    assert read({"instances": ["good", "bad"]}, "text") == {"text": ("BYTES", ["good", "bad"])}


def test_deeper_lists_keep_their_shape() -> None:
    assert read({"instances": [[[1], [2]]]}) == {"input-0": ("INT64", [[[1], [2]]])}


@pytest.mark.parametrize("last", [2.5, 1, 2**53 + 1, None, True, "m", [1.0], {}])
@pytest.mark.parametrize("columns", [(), ("a", "b"), ("a",)])
def test_many_rows_are_read_as_few_are(last: Any, columns: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    def outcome() -> str:
        try:
            return repr(read({"instances": [[5, 1.5]] * 40 + [[0.5, last]]}, *columns))
        except InvalidInput as refused:
            return str(refused)

    at_once = outcome()
    monkeypatch.setattr(elements, "_WORTH_PACKING", sys.maxsize)
    assert outcome() == at_once


OBJECTS = [{"age": 5, "sex": "m", "ok": True, "w": None}, {"w": None, "age": 6.5, "sex": None, "ok": False}]


def test_objects_are_one_tensor_per_key() -> None:
    inputs = {tensor.name: tensor for tensor in decode_request(orjson.dumps({"instances": OBJECTS})).inputs}
    assert [(name, tensor.datatype) for name, tensor in inputs.items()] == [
        ("age", "FP64"),
        ("sex", "BYTES"),
        ("ok", "BOOL"),
        ("w", "FP64"),
    ]
    assert inputs["sex"].data.tolist() == ["m", None]
    assert np.isnan(inputs["w"].data).all()
    assert all(tensor.data.shape == (2,) for tensor in inputs.values())


@pytest.mark.parametrize(
    "instances",
    [
        [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}],
        [{"a": [1, 2], "b": ["x", "y"]}],
        [[{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]],
    ],
)
def test_objects_come_as_sklearnserver_takes_them(instances: Any) -> None:
    assert read({"instances": instances}) == {"a": ("INT64", [1, 2]), "b": ("BYTES", ["x", "y"])}


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({}, "The body has no instances"),
        ({"instances": [[1]], "inputs": [[1]]}, "both instances and inputs"),
        ({"instances": []}, "an empty list as its instances"),
        ({"inputs": {"a": 1}}, "an object as its inputs"),
        ({"instances": [[1, 2], [3]]}, "nested otherwise than its shape [2, 2]"),
        ({"instances": [[1], 2]}, "nested otherwise"),
        ({"instances": [[]]}, "a dimension of 0"),
        ({"instances": [[[1]], [[[2]]]]}, "a list beside single values"),
        ({"instances": [1, {"a": 1}]}, "an object beside single values"),
        ({"instances": [[{}], 1]}, "nested otherwise"),
        ({"instances": [{"a": 1}, 5]}, "instances[1] is 5; expected an object"),
        ({"instances": [{"a": 1}, {"a": 1, "b": 2}]}, "instances[0] has no 'b'"),
        ({"instances": [{"a": 1, "b": 2}, {"b": 1}]}, "instances[1] has no 'a'"),
        ({"instances": [{}]}, "instances[0] is an object without keys"),
        ({"instances": [{"a": [1, 2], "b": [1]}]}, "lists of 1 to 2 values"),
        ({"instances": [{"a": [], "b": []}]}, "lists of 0 to 0 values"),
        ({"instances": [{"a": [1], "b": 1}]}, "Column 'a' holds a list"),
        ({"instances": [{"a": {"0": 1}}]}, "Column 'a' holds an object"),
    ],
)
def test_a_malformed_body_is_refused(document: Any, sentence: str) -> None:
    assert sentence in refusal(document)


def test_more_dimensions_than_numpy_has_are_refused() -> None:
    assert "dimensions in its shape" in refusal(b'{"instances":' + b"[" * 66 + b"1" + b"]" * 66 + b"}")


def test_a_key_that_comes_twice_is_refused() -> None:
    assert "The key 'age' comes twice" in refusal(b'{"instances": [{"age": 1, "age": 2}]}')


def test_a_colon_in_text_is_no_key() -> None:
    assert read({"instances": [{"at": "12:30"}]}) == {"at": ("BYTES", ["12:30"])}


def test_a_deep_key_that_nobody_reads_does_not_crash_the_look_for_repeats() -> None:
    deep = b'{"instances": [{"age": 1}], "x": ' + b'{"a":' * 1000 + b"1" + b"}" * 1000 + b"}"
    if sys.version_info < (3, 12):  # whose own reader of JSON goes less deep than that of requests
        assert "nested too deeply" in refusal(deep)
    else:
        assert read(deep) == {"age": ("INT64", [1])}


def test_predictions_are_nested_by_row() -> None:
    matrix = Tensor("predict_proba", Datatype.FP64, np.array([[0.25, 0.75], [np.nan, 1.0]]))
    body = encode_response(InferResponse("m", "1", [matrix]))
    assert orjson.loads(body) == {"predictions": [[0.25, 0.75], [None, 1.0]]}


def test_labels_are_a_flat_list() -> None:
    labels = Tensor("predict", Datatype.BYTES, np.array(["a", "b"], dtype=object))
    assert encode_response(InferResponse("m", "1", [labels])) == b'{"predictions":["a","b"]}'


def test_several_outputs_are_an_object_per_row() -> None:
    outputs = [Tensor("y", Datatype.INT64, np.array([1, 2])), Tensor("p", Datatype.FP64, np.array([[0.5], [1.0]]))]
    body = encode_response(InferResponse("m", "1", outputs))
    assert orjson.loads(body) == {"predictions": [{"y": 1, "p": [0.5]}, {"y": 2, "p": [1.0]}]}


def test_an_infinite_prediction_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'y' holds an infinite value"):
        encode_response(InferResponse("m", "1", [Tensor("y", Datatype.FP64, np.array([np.inf]))]))
