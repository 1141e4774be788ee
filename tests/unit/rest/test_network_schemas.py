"""What the OpenAPI document says of networks."""

import pytest

from model.datatypes import Datatype
from model.rest.network_schemas import network_schema, network_takes
from model.signature import Column, Layout, Output, Signature

IMAGE = Column(name="image", datatype=Datatype.FP32, dtype="float32", shape=(-1, 2, 3))
WORDS = Column(name="words", datatype=Datatype.BYTES, dtype="object", shape=(-1,))
COUNT = Column(name="count", datatype=Datatype.INT64, dtype="int64", shape=(-1, 1))
FLAG = Column(name="flag", datatype=Datatype.BOOL, dtype="bool", shape=(-1,))
LARGE = Column(name="large", datatype=Datatype.FP32, dtype="float32", shape=(-1, 3, 224, 224))


def network(*inputs: Column) -> Signature:
    outputs = (Output(name="y", method="y", datatype=Datatype.FP32),)
    return Signature(layout=Layout.TENSORS, named=True, inputs=inputs, outputs=outputs)


@pytest.mark.parametrize(
    ("inputs", "bodies"),
    [
        ((IMAGE,), {"InferRequest", "V1Instances"}),
        ((IMAGE, WORDS), {"InferRequest"}),
        ((WORDS, COUNT), {"InferRequest", "V1Instances", "Rows"}),
    ],
)
def test_rows_are_for_single_values_and_v1_for_one_tensor(inputs: tuple[Column, ...], bodies: set[str]) -> None:
    signature = network(*inputs)
    assert {body for body in ("InferRequest", "V1Instances", "Rows") if network_takes(body, signature)} == bodies


def test_an_inference_request_is_described_for_one_row_with_an_example() -> None:
    schema = network_schema("InferRequest", network(IMAGE, WORDS, FLAG))
    tensor = schema["properties"]["inputs"]["prefixItems"][0]["properties"]
    assert (tensor["shape"], tensor["datatype"]) == ({"const": [1, 2, 3]}, {"const": "FP32"})
    assert tensor["data"] == {"type": "array", "items": {"type": "number"}, "minItems": 6, "maxItems": 6}
    (example,) = schema["examples"]
    assert [item["data"] for item in example["inputs"]] == [[0] * 6, ["text"], [False]]


def test_a_large_tensor_has_no_example() -> None:
    assert "examples" not in network_schema("InferRequest", network(LARGE))


def test_instances_are_lists_in_lists() -> None:
    schema = network_schema("V1Instances", network(IMAGE))["properties"]["instances"]["items"]
    assert (schema["minItems"], schema["items"]["minItems"], schema["items"]["items"]) == (2, 3, {"type": "number"})


def test_rows_are_objects() -> None:
    row, rows = network_schema("Rows", network(WORDS, COUNT))["anyOf"]
    assert row["required"] == ["words", "count"]
    assert row["properties"]["words"] == {"type": "string"}
    assert rows["items"] == row
