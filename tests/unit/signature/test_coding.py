"""Rows as numbers: what has a code gets one, and what has none goes to the estimator as it came."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from model.datatypes import Datatype
from model.errors import InvalidInput
from model.signature import Column, Inputs, Layout, Output, Signature
from model.signature.coding import Coding
from model.tensors import Tensor
from tests.unit.signature.sending import request, tensor

COLUMNS = (
    Column(name="length", missing=True),
    Column(name="eggs", datatype=Datatype.INT64, dtype="int64"),
    Column(name="island", datatype=Datatype.BYTES, dtype="object", missing=True),
    Column(name="tagged", datatype=Datatype.BOOL, dtype="bool"),
    Column(name="rank", datatype=Datatype.INT64, dtype="category", categories=(1, 2, 3), missing=True),
)
SIGNATURE = Signature(layout=Layout.FRAME, named=True, inputs=COLUMNS, outputs=(Output(name="p", method="predict"),))
KNOWN = {"island": ("Biscoe", "Dream", None), "tagged": (False, True), "rank": (1, 2, 3, None)}
CODED = Inputs(SIGNATURE, Coding(SIGNATURE, KNOWN))
PLAIN = Inputs(SIGNATURE)


def sent(**changed: Tensor) -> list[Tensor]:
    tensors = {
        "length": tensor("length", "FP64", [40.5, np.nan]),
        "eggs": tensor("eggs", "INT64", [2, 3]),
        "island": tensor("island", "BYTES", ["Dream", None]),
        "tagged": tensor("tagged", "BOOL", [True, False]),
        "rank": tensor("rank", "INT64", [3, 1]),
    }
    return list((tensors | changed).values())


def test_values_become_their_positions() -> None:
    matrix = CODED.decode(request(*sent()))
    np.testing.assert_array_equal(matrix, [[40.5, 2, 1, 1, 2], [np.nan, 3, 2, 0, 0]])


def test_the_table_as_fitted_is_what_the_request_makes_without_codes() -> None:
    table = CODED.as_fitted(CODED.decode(request(*sent())))
    assert isinstance(table, pd.DataFrame)
    pd.testing.assert_frame_equal(table, PLAIN.decode(request(*sent())))  # type: ignore[arg-type]


@pytest.mark.parametrize("rows", [1, 2, 100])
def test_any_number_of_rows(rows: int) -> None:
    many = [Tensor(t.name, t.datatype, np.resize(t.data, rows)) for t in sent()]
    table = CODED.as_fitted(CODED.decode(request(*many)))
    pd.testing.assert_frame_equal(table, PLAIN.decode(request(*many)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "other",
    [
        tensor("island", "BYTES", ["Dream", "Mars"]),
        tensor("rank", "INT64", [3, 9]),
        tensor("eggs", "INT64", [2**60 + 1, 1]),
        tensor("eggs", "INT64", [2**60 + 1] + [1] * 99),
        tensor("rank", "FP64", [1.0, np.nan]),
    ],
)
def test_what_has_no_code_goes_as_it_came(other: Tensor) -> None:
    rows = len(other.data)
    tensors = [Tensor(t.name, t.datatype, np.resize(t.data, rows)) for t in sent(**{other.name: other})]
    table = CODED.decode(request(*tensors))
    pd.testing.assert_frame_equal(table, PLAIN.decode(request(*tensors)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        tensor("length", "FP64", [np.inf, 1.0]),
        tensor("length", "FP64", [np.inf] + [1.0] * 99),
        tensor("eggs", "FP64", [np.nan, 1.0]),
        tensor("length", "BYTES", ["1", "2"]),
        tensor("island", "FP64", [1.0, 2.0]),
        tensor("tagged", "INT64", [0, 1]),
        tensor("tagged", "BOOL", [True, None]),
    ],
)
def test_what_is_refused_is_refused_in_the_same_words(wrong: Tensor) -> None:
    rows = len(wrong.data)
    tensors = [Tensor(t.name, t.datatype, np.resize(t.data, rows)) for t in sent(**{wrong.name: wrong})]
    with pytest.raises(InvalidInput) as plain:
        PLAIN.decode(request(*tensors))
    with pytest.raises(InvalidInput) as coded:
        CODED.decode(request(*tensors))
    assert str(coded.value) == str(plain.value)


NUMBERS = Signature(
    layout=Layout.FRAME,
    named=True,
    inputs=(Column(name="a", missing=True), Column(name="b", datatype=Datatype.INT64, dtype="int64")),
    outputs=SIGNATURE.outputs,
)


@pytest.mark.parametrize("values", [[1.5, 2.5], [np.nan, 1.0]])
def test_a_frame_of_numbers_needs_no_frame(values: Any) -> None:
    inputs = Inputs(NUMBERS, Coding(NUMBERS, {}))
    columns = request(tensor("a", "FP64", values), tensor("b", "INT64", [3, 4]))
    np.testing.assert_array_equal(inputs.decode(columns), np.column_stack([values, [3, 4]]))
    matrix = request(tensor("x", "FP64", [[values[0], 3.0], [values[1], 4.0]], (2, 2)))
    np.testing.assert_array_equal(inputs.decode(matrix), np.column_stack([values, [3, 4]]))
    table = inputs.as_fitted(inputs.decode(columns))
    assert isinstance(table, pd.DataFrame)
    assert table.dtypes.tolist() == [np.float64, np.int64]


def test_without_a_coding_a_table_is_as_fitted() -> None:
    table = PLAIN.decode(request(*sent()))
    assert PLAIN.as_fitted(table) is table
