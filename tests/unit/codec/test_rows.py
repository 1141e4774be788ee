"""The short way in: objects of columns, and an answer per row."""

from typing import Any

import numpy as np
import orjson
import pytest

from model.codec.rows import decode_rows, encode_rows
from model.datatypes import Datatype
from model.errors import InvalidInput
from model.signature import Column, Inputs, Layout, Output, Signature
from model.tensors import Tensor

LABEL = Tensor("predict", Datatype.BYTES, np.array(["yes", "no"], dtype=object))


def refusal(body: bytes) -> str:
    with pytest.raises(InvalidInput) as caught:
        decode_rows(body)
    return str(caught.value)


def test_one_object_is_one_row() -> None:
    request, single = decode_rows(b'{"age": 5, "sex": "m", "w": null}', model_name="m", model_version="3")
    assert single
    assert (request.model_name, request.model_version) == ("m", "3")
    assert [(t.name, t.datatype, t.data.shape) for t in request.inputs] == [
        ("age", "INT64", (1,)),
        ("sex", "BYTES", (1,)),
        ("w", "FP64", (1,)),
    ]


def test_a_list_is_as_many_rows() -> None:
    request, single = decode_rows(b'[{"age": 5, "sex": null}, {"sex": "m", "age": 6.5}]')
    assert not single
    assert [t.data.tolist() for t in request.inputs] == [[5.0, 6.5], [None, "m"]]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"5", "The body is 5; expected an object of column names and values"),
        (b"[]", "The body is an empty list"),
        (b"{}", "rows[0] is an object without keys"),
        (b'[{"a": 1}, [1]]', "rows[1] is a list"),
        (b'[{"a": 1}, {"a": 1}, {"b": 1}]', "rows[0] has no 'b', which other rows have"),
        (b'[{"a": 1, "b": 1}, {"a": 1}]', "rows[1] has no 'b', which other rows have"),
        (b'{"a": [1]}', "Column 'a' holds a list; expected a number, a string, true, false or null"),
        (b'[{"a": 1}, {"a": "x"}]', "Column 'a' holds both 1 and 'x'"),
        (b'[{"a": true}, {"a": 1}]', "Column 'a' holds both true and 1"),
        (b'[{"a": null}, {"a": 9007199254740993}]', "holds null beside an integer over 2**53"),
        (b'{"a": 1, "a": 2}', "The key 'a' comes twice"),
        (b'[{"a": 1}, {"a": 1, "\\u0061": 2}]', "The key 'a' comes twice"),
        (b'{"a": NaN}', "holds NaN or Infinity"),
        (b'{"a": 1e999}', "too large"),
    ],
)
def test_a_malformed_body_is_refused(body: bytes, sentence: str) -> None:
    assert sentence in refusal(body)


def test_an_answer_per_row() -> None:
    body = encode_rows(
        LABEL,
        model_name="m",
        model_version="3",
        probabilities=np.array([[0.25, 0.75], [np.nan, 1.0]]),
        labels=["no", "yes"],
    )
    assert orjson.loads(body) == [
        {"prediction": "yes", "probabilities": {"no": 0.25, "yes": 0.75}, "model": "m", "version": "3"},
        {"prediction": "no", "probabilities": {"no": None, "yes": 1.0}, "model": "m", "version": "3"},
    ]


def test_what_is_absent_is_left_out_of_a_single_answer() -> None:
    value = Tensor("predict", Datatype.FP64, np.array([np.nan]))
    assert encode_rows(value, model_name="m", single=True) == b'{"prediction":null,"model":"m"}'


def test_a_prediction_of_several_outputs_is_a_list() -> None:
    value = Tensor("predict", Datatype.INT64, np.array([[1, 2]]))
    assert orjson.loads(encode_rows(value, model_name="m"))[0]["prediction"] == [1, 2]


@pytest.mark.parametrize(
    ("labels", "keys"),
    [
        ([0, 1], ["0", "1"]),
        (np.array([0, 1]), ["0", "1"]),
        ([False, True], ["false", "true"]),
        (np.array([False, True]), ["false", "true"]),
        (np.array(["a", "b"]), ["a", "b"]),
        ([0.5, 1.5], ["0.5", "1.5"]),
    ],
)
def test_class_labels_are_keys_as_json_spells_them(labels: Any, keys: list[str]) -> None:
    value = Tensor("predict", Datatype.INT64, np.array([1]))
    body = encode_rows(value, model_name="m", probabilities=np.array([[0.0, 1.0]]), labels=labels, single=True)
    assert list(orjson.loads(body)["probabilities"]) == keys


def test_an_infinite_value_is_refused() -> None:
    good, bad = np.array([1.0]), np.array([np.inf])
    with pytest.raises(InvalidInput, match="'predict' holds an infinite value"):
        encode_rows(Tensor("predict", Datatype.FP64, bad), model_name="m")
    with pytest.raises(InvalidInput, match="'predict_proba' holds an infinite value"):
        encode_rows(Tensor("predict", Datatype.FP64, good), model_name="m", probabilities=bad[:, None], labels=["a"])


def test_a_key_is_a_column_by_its_name_even_if_it_is_the_only_one() -> None:
    request, _ = decode_rows(b'{"plaec": "north"}')
    assert request.parameters == {"content_type": "pd"}
    place = Column(name="place", datatype=Datatype.BYTES, dtype="object")
    signature = Signature(
        layout=Layout.FRAME, named=True, inputs=(place,), outputs=(Output(name="predict", method="predict"),)
    )
    with pytest.raises(InvalidInput, match=r"^Column 'plaec' is unknown; expected place"):
        Inputs(signature).decode(request)
