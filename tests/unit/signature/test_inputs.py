"""The rules of the table: which tensors make it, which are refused, and with what sentence."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from model.datatypes import Datatype
from model.errors import InvalidInput
from model.signature import Column, Inputs, Layout, Output, Signature
from model.tensors import InferRequest, Tensor
from tests.unit.signature.sending import request, standing, tensor

OUTPUTS = (Output(name="predict", method="predict"),)


def signature(layout: Layout, *columns: Column, named: bool = True) -> Signature:
    return Signature(layout=layout, named=named, inputs=columns, outputs=OUTPUTS)


def number(name: str, **more: Any) -> Column:
    return Column(name=name, **more)


def unnamed(width: int, **more: Any) -> Signature:
    return signature(Layout.ARRAY, *(number(str(i), **more) for i in range(width)), named=False)


def refusal(inputs: Inputs, sent: InferRequest) -> str:
    with pytest.raises(InvalidInput) as caught:
        inputs.decode(sent)
    return str(caught.value)


MATRIX = Inputs(signature(Layout.ARRAY, number("a"), number("b", missing=True)))
UNNAMED = Inputs(unnamed(3))
TEXT = Inputs(
    signature(Layout.TEXT, Column(name="text", datatype=Datatype.BYTES, dtype="object"), named=False),
)
A = tensor("a", "FP64", [1.0, 2.0])
B = tensor("b", "FP64", [3.0, 4.0])


class TestColumns:
    def test_are_ordered_by_name(self) -> None:
        np.testing.assert_array_equal(MATRIX.decode(request(B, A)), [[1.0, 3.0], [2.0, 4.0]])

    @pytest.mark.parametrize("sent", [[A, B], standing([A, B]), [A, *standing([B])]])
    def test_may_lie_or_stand(self, sent: list[Tensor]) -> None:
        np.testing.assert_array_equal(MATRIX.decode(request(*sent)), [[1.0, 3.0], [2.0, 4.0]])

    def test_missing_is_refused_by_name(self) -> None:
        assert refusal(MATRIX, request(A, content_type="pd")) == "Column 'b' is missing; expected a, b."
        assert refusal(MATRIX, request(A)) == "Column 'b' is missing; expected a, b."

    def test_surplus_is_refused_by_name(self) -> None:
        other = tensor("c", "FP64", [1.0, 2.0])
        assert refusal(MATRIX, request(A, other, B)) == "Column 'c' is unknown; expected a, b."

    def test_sent_twice_is_refused_by_name(self) -> None:
        assert refusal(MATRIX, request(A, B, A)) == "Column 'a' is sent twice; expected once."

    def test_of_differing_length_are_refused(self) -> None:
        long = tensor("b", "FP64", [1.0, 2.0, 3.0])
        sentence = "Column 'b' has 3 rows where 'a' has 2; expected as many in every column."
        assert refusal(MATRIX, request(A, long)) == sentence
        assert refusal(MATRIX, request(long, A)) == sentence

    def test_of_another_shape_are_refused(self) -> None:
        wide = tensor("b", "FP64", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], (2, 3))
        assert refusal(MATRIX, request(A, wide)) == "Column 'b' has shape [2, 3]; expected [n] or [n, 1]."

    def test_named_in_a_refusal_are_not_too_many(self) -> None:
        inputs = Inputs(signature(Layout.ARRAY, *(number(f"f{i}") for i in range(23))))
        expected = f"expected {', '.join(f'f{i}' for i in range(20))} and 3 more."
        assert refusal(inputs, request(tensor("f0", "FP64", [1.0]))) == f"Column 'f1' is missing; {expected}"

    def test_no_tensor_at_all_is_a_missing_column(self) -> None:
        assert refusal(MATRIX, request()) == "Column 'a' is missing; expected a, b."

    def test_without_rows_are_refused(self) -> None:
        empty = tensor("b", "FP64", [])
        assert (
            refusal(MATRIX, request(empty, tensor("a", "FP64", [])))
            == "The request has no rows; expected at least one."
        )
        assert refusal(MATRIX, request(A, empty)) == "The request has no rows; expected at least one."

    @pytest.mark.parametrize("datatype", ["FP64", "FP32", "FP16", "INT8", "UINT64", "INT64"])
    def test_of_any_numeric_datatype_fit_a_number(self, datatype: str) -> None:
        table = MATRIX.decode(request(tensor("a", datatype, [1, 2]), B))
        assert isinstance(table, np.ndarray)
        assert table.dtype == np.float64
        assert table[:, 0].tolist() == [1.0, 2.0]

    @pytest.mark.parametrize("datatype", ["BYTES", "BOOL"])
    def test_without_any_value_fit_whatever_their_datatype(self, datatype: str) -> None:
        table = MATRIX.decode(request(A, tensor("b", datatype, [None, None])))
        assert isinstance(table, np.ndarray)
        assert table.dtype == np.float64
        np.testing.assert_array_equal(table, [[1.0, np.nan], [2.0, np.nan]])

    def test_missing_or_infinite_are_refused_by_row(self) -> None:
        holed = tensor("a", "FP64", [1.0, np.nan])
        assert refusal(MATRIX, request(holed, B)) == (
            "Column 'a' has a missing value (null or NaN) in row 1; expected a finite number."
        )
        infinite = tensor("b", "FP64", [np.nan, np.inf])
        assert refusal(MATRIX, request(A, infinite)) == "Column 'b' has infinity in row 1; expected a finite number."


class TestMatrix:
    def test_with_a_missing_or_infinite_value_is_refused_by_column_and_row(self) -> None:
        table = MATRIX.decode(request(tensor("x", "FP64", [1.0, np.nan], (1, 2))))
        np.testing.assert_array_equal(table, [[1.0, np.nan]])
        holed = tensor("x", "FP64", [1.0, np.nan, np.nan, 1.0], (2, 2))
        assert refusal(MATRIX, request(holed)) == (
            "Column 'a' has a missing value (null or NaN) in row 1; expected a finite number."
        )
        infinite = tensor("x", "FP32", [1.0, 2.0, 3.0, 1.0, -np.inf, 3.0], (2, 3))
        assert refusal(UNNAMED, request(infinite)) == "Column '1' has infinity in row 1; expected a finite number."

    @pytest.mark.parametrize("name", ["input-0", "anything", "a"])
    def test_may_have_any_name(self, name: str) -> None:
        table = MATRIX.decode(request(tensor(name, "FP64", [1.0, 3.0, 2.0, 4.0], (2, 2))))
        np.testing.assert_array_equal(table, [[1.0, 3.0], [2.0, 4.0]])

    def test_of_integers_becomes_floats(self) -> None:
        table = UNNAMED.decode(request(tensor("x", "INT32", [1, 2, 3], (1, 3))))
        assert isinstance(table, np.ndarray)
        assert (str(table.dtype), table.tolist()) == ("float64", [[1.0, 2.0, 3.0]])

    def test_of_another_width_is_refused(self) -> None:
        wide = tensor("x", "FP64", [1.0] * 8, (2, 4))
        assert refusal(UNNAMED, request(wide)) == "Input 'x' has shape [2, 4]; expected [n, 3]."
        assert refusal(MATRIX, request(wide)) == (
            "Input 'x' has shape [2, 4] and is no column; expected [n, 2], or one tensor per column: a, b."
        )

    def test_of_three_dimensions_is_refused(self) -> None:
        cube = tensor("x", "FP64", [1.0] * 6, (2, 3, 1))
        assert refusal(UNNAMED, request(cube)) == "Input 'x' has shape [2, 3, 1]; expected [n, 3]."

    def test_of_one_dimension_is_refused_where_there_are_many_columns(self) -> None:
        vector = tensor("x", "FP64", [1.0, 2.0, 3.0])
        assert refusal(UNNAMED, request(vector)) == "Input 'x' has shape [3]; expected [n, 3]."
        assert refusal(MATRIX, request(vector)) == "Column 'x' is unknown; expected a, b."

    def test_of_one_dimension_fits_a_single_column(self) -> None:
        table = Inputs(unnamed(1)).decode(request(tensor("x", "FP64", [1.0, 2.0])))
        np.testing.assert_array_equal(table, [[1.0], [2.0]])

    def test_is_single_where_columns_have_no_names(self) -> None:
        sentence = "The request has 2 inputs; expected a single tensor of shape [n, 3]."
        assert refusal(UNNAMED, request(A, B)) == sentence
        assert refusal(UNNAMED, request(A, B, content_type="pd")) == sentence

    def test_is_single_where_the_content_type_says_so(self) -> None:
        assert refusal(MATRIX, request(A, B, content_type="np")) == (
            "The request has 2 inputs; expected a single tensor of shape [n, 2]."
        )

    def test_of_strings_is_refused_by_the_columns_name(self) -> None:
        words = tensor("x", "BYTES", ["1", "2", "3"], (1, 3))
        assert refusal(UNNAMED, request(words)) == "Column '0' is sent as BYTES; expected a number (FP64)."

    def test_lies_in_memory_as_the_estimator_was_fitted_on_it(self) -> None:
        rows = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
        array = UNNAMED.decode(request(tensor("x", "FP64", rows, (2, 3))))
        columns = MATRIX.decode(request(tensor("x", "FP64", rows, (3, 2))))
        assert isinstance(array, np.ndarray)
        assert isinstance(columns, np.ndarray)
        assert array.flags.c_contiguous
        assert columns.flags.f_contiguous

    def test_is_a_copy_that_the_estimator_may_write_into(self) -> None:
        body = tensor("x", "FP64", [1.0, 2.0, 3.0], (1, 3))
        body.data.flags.writeable = False
        table = UNNAMED.decode(request(body))
        assert isinstance(table, np.ndarray)
        assert table.flags.writeable
        assert not np.shares_memory(table, body.data)

    def test_becomes_a_frame_where_the_estimator_takes_frames(self) -> None:
        inputs = Inputs(signature(Layout.FRAME, number("a"), number("b")))
        table = inputs.decode(request(tensor("x", "INT64", [1, 3, 2, 4], (2, 2))))
        pd.testing.assert_frame_equal(table, pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}))  # type: ignore[arg-type]

    def test_keeps_integers_where_the_estimator_was_fitted_on_such(self) -> None:
        inputs = Inputs(
            signature(Layout.FRAME, number("a"), number("n", datatype=Datatype.INT64, dtype="int64")),
        )
        table = inputs.decode(request(tensor("x", "INT64", [1, 3, 2, 4], (2, 2))))
        pd.testing.assert_frame_equal(table, pd.DataFrame({"a": [1.0, 2.0], "n": [3, 4]}))  # type: ignore[arg-type]


class TestContentType:
    def test_unknown_is_refused(self) -> None:
        assert refusal(MATRIX, request(A, B, content_type="csv")) == (
            "The content_type is 'csv'; expected 'pd' (one tensor per column) or 'np' (a single tensor)."
        )

    def test_that_is_no_string_is_refused(self) -> None:
        sent = request(A, B)
        sent.parameters["content_type"] = True
        assert refusal(MATRIX, sent).startswith("The content_type is true; expected 'pd'")

    def test_pd_reads_columns(self) -> None:
        table = MATRIX.decode(request(B, A, content_type="pd"))
        np.testing.assert_array_equal(table, [[1.0, 3.0], [2.0, 4.0]])

    def test_pd_reads_a_matrix_of_a_model_without_names(self) -> None:
        table = UNNAMED.decode(request(tensor("x", "FP64", [1.0, 2.0, 3.0], (1, 3)), content_type="pd"))
        np.testing.assert_array_equal(table, [[1.0, 2.0, 3.0]])

    def test_pd_refuses_a_matrix_where_columns_have_names(self) -> None:
        sent = request(tensor("x", "FP64", [1.0, 2.0], (1, 2)), content_type="pd")
        assert refusal(MATRIX, sent) == "Column 'x' is unknown; expected a, b."


class TestText:
    @pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
    def test_lies_or_stands(self, shape: tuple[int, ...]) -> None:
        table = TEXT.decode(request(tensor("any", "BYTES", ["one", ""], shape)))
        assert isinstance(table, np.ndarray)
        assert table.shape == (2,)
        assert table.tolist() == ["one", ""]

    def test_has_one_column(self) -> None:
        wide = tensor("any", "BYTES", ["a", "b"], (1, 2))
        assert refusal(TEXT, request(wide)) == "Input 'any' has shape [1, 2]; expected [n]."

    def test_is_no_number(self) -> None:
        numbers = tensor("any", "FP64", [1.0])
        assert refusal(TEXT, request(numbers)) == "Column 'text' is sent as FP64; expected BYTES."

    def test_missing_is_refused_by_row(self) -> None:
        sent = tensor("any", "BYTES", ["one", None])
        assert refusal(TEXT, request(sent)) == "Column 'text' has a missing value (null) in row 1; expected a value."


class TestObjects:
    inputs = Inputs(
        signature(
            Layout.OBJECTS,
            Column(name="0", datatype=Datatype.BYTES, dtype="object", missing=True),
            Column(name="1", datatype=Datatype.INT64, dtype="int64", missing=True),
        )
    )

    def test_of_several_types_come_by_position_as_name(self) -> None:
        table = self.inputs.decode(request(tensor("1", "INT64", [7]), tensor("0", "BYTES", ["x"])))
        assert isinstance(table, np.ndarray)
        assert table.dtype == object
        assert table.tolist() == [["x", 7]]
        assert type(table[0, 1]) is int

    def test_hold_nan_for_what_is_missing(self) -> None:
        table = self.inputs.decode(request(tensor("1", "INT64", [None]), tensor("0", "BYTES", [None])))
        assert isinstance(table, np.ndarray)
        assert [type(value) for value in table[0]] == [float, float]
        assert np.isnan(table.astype(float)).all()


class TestUnknownColumns:
    """Columns of an artifact without a manifest: any datatype goes, and the estimator judges."""

    inputs = Inputs(
        signature(
            Layout.FRAME,
            Column(name="a", datatype=None, dtype="object", missing=True),
            Column(name="b", datatype=None, dtype="object", missing=True),
        )
    )

    def decode(self, *tensors: Tensor) -> pd.DataFrame:
        table = self.inputs.decode(request(*tensors))
        assert isinstance(table, pd.DataFrame)
        return table

    @pytest.mark.parametrize(
        ("datatype", "dtype", "values"), [("FP64", "float64", [1.0]), ("INT64", "int64", [1]), ("BOOL", "bool", [True])]
    )
    def test_stay_as_they_were_sent(self, datatype: str, dtype: str, values: list[Any]) -> None:
        frame = self.decode(tensor("a", datatype, values), tensor("b", "BYTES", ["x"]))
        assert frame.dtypes.astype(str).tolist() == [dtype, "object"]
        assert frame["a"].tolist() == values

    def test_of_floats_stay_floats_when_all_is_missing(self) -> None:
        frame = self.decode(tensor("a", "FP64", [None]), tensor("b", "INT64", [None]))
        assert frame.dtypes.astype(str).tolist() == ["float64", "float64"]
        assert frame.isna().all(axis=None)

    def test_of_strings_hold_nan_for_what_is_missing(self) -> None:
        frame = self.decode(tensor("a", "BYTES", ["x", None]), tensor("b", "BOOL", [None, True]))
        assert frame["a"].tolist() == ["x", pytest.approx(np.nan, nan_ok=True)]
        assert frame["b"].tolist() == [pytest.approx(np.nan, nan_ok=True), True]

    @pytest.mark.parametrize("datatype", ["FP64", "FP32"])
    def test_hold_no_infinity(self, datatype: str) -> None:
        sent = request(tensor("a", datatype, [1.0, -np.inf]), tensor("b", "BYTES", ["x", "y"]))
        assert refusal(self.inputs, sent) == "Column 'a' has infinity in row 1; expected a finite number."

    def test_may_be_written_into(self) -> None:
        body = tensor("a", "BOOL", [True])
        body.data.flags.writeable = False
        frame = self.decode(body, tensor("b", "BYTES", ["x"]))
        assert frame["a"].to_numpy().flags.writeable
