"""Requests to networks: shapes, datatypes and values."""

from typing import Any

import numpy as np
import pytest

from model.datatypes import Datatype
from model.errors import InvalidInput
from model.signature import Column, Inputs, Layout, Output, Signature
from model.signature.tensors import Tensors
from tests.unit.signature.sending import request, tensor


def network(*columns: Column) -> Inputs:
    outputs = (Output(name="y", method="y", datatype=Datatype.FP32),)
    return Inputs(Signature(layout=Layout.TENSORS, named=True, inputs=columns, outputs=outputs))


IMAGE = Column(name="image", datatype=Datatype.FP32, dtype="float32", shape=(-1, 2, 2))
TOKENS = Column(name="tokens", datatype=Datatype.INT64, dtype="int64", shape=(-1, 3))
BOTH = network(IMAGE, TOKENS)
PIXELS = tensor("image", "FP32", [1, 2, 3, 4], (1, 2, 2))
WORDS = tensor("tokens", "INT64", [7, 8, 9], (1, 3))


def decode(inputs: Inputs, *tensors: Any) -> dict[str, Any]:
    table = inputs.decode(request(*tensors))
    assert isinstance(table, Tensors)
    return table.arrays


def test_each_is_of_its_own_rank_and_datatype() -> None:
    arrays = decode(BOTH, WORDS, PIXELS)
    assert {name: (array.shape, array.dtype.name) for name, array in arrays.items()} == {
        "image": ((1, 2, 2), "float32"),
        "tokens": ((1, 3), "int64"),
    }


def test_a_lone_one_is_taken_by_any_name() -> None:
    assert decode(network(IMAGE), tensor("input-0", "FP64", [1, 2, 3, 4], (1, 2, 2)))["image"].dtype == np.float32


def test_single_values_may_lie() -> None:
    single = network(Column(name="x", datatype=Datatype.FP32, dtype="float32", shape=(-1, 1)))
    assert decode(single, tensor("x", "FP32", [1.0, 2.0]))["x"].shape == (2, 1)


@pytest.mark.parametrize(
    ("tensors", "sentence"),
    [
        ([PIXELS], "Input 'tokens' is missing; expected image, tokens."),
        ([PIXELS, WORDS, WORDS], "Input 'tokens' is sent twice; expected once."),
        ([PIXELS, tensor("words", "INT64", [1])], "Input 'words' is unknown; expected image, tokens."),
        ([tensor("image", "FP32", [1.0], (1, 1)), WORDS], "Input 'image' has shape [1, 1]; expected [-1, 2, 2]."),
        ([tensor("image", "FP32", [1.0] * 6, (1, 2, 3)), WORDS], "shape [1, 2, 3]; expected [-1, 2, 2]"),
        ([tensor("image", "FP32", [], (0, 2, 2)), WORDS], "Input 'image' holds no values; expected at least one row."),
        ([tensor("image", "BOOL", [True] * 4, (1, 2, 2)), WORDS], "Input 'image' is sent as BOOL; expected FP32."),
        ([tensor("image", "FP64", [np.nan] * 4, (1, 2, 2)), WORDS], "holds a missing value (null or NaN)"),
        ([tensor("image", "FP64", [np.inf] * 4, (1, 2, 2)), WORDS], "holds infinity; expected finite numbers"),
        ([tensor("image", "FP64", [1e300] * 4, (1, 2, 2)), WORDS], "holds 1e+300, which FP32 does not hold"),
        ([PIXELS, tensor("tokens", "FP64", [1.0, 2.5, 3.0], (1, 3))], "holds 2.5, which INT64 does not hold"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(tensors: Any, sentence: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        BOTH.decode(request(*tensors))
    assert sentence in str(caught.value)


def test_strings_are_none_but_strings() -> None:
    texts = network(Column(name="text", datatype=Datatype.BYTES, dtype="object", shape=(-1,)))
    assert decode(texts, tensor("text", "BYTES", ["a", "b"]))["text"].tolist() == ["a", "b"]
    with pytest.raises(InvalidInput, match=r"missing value \(null\)"):
        texts.decode(request(tensor("text", "BYTES", ["a", None])))


def test_rows_are_counted_and_repeated() -> None:
    table = Tensors({"x": np.array([[1.0], [2.0]])})
    assert len(table) == 2
    assert table.repeated(5).arrays["x"].ravel().tolist() == [1, 2, 1, 2, 1]
    assert len(Tensors({"x": np.array(1.0)})) == 1
