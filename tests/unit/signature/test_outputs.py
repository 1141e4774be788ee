"""Which outputs a request gets, and how an estimator's answers become tensors."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from model.datatypes import Datatype
from model.errors import InvalidInput
from model.signature import Column, Layout, Output, Outputs, Signature
from model.signature.outputs import encode, methods_of
from model.tensors import RequestedOutput, Tensor

PREDICT = Output(name="predict", method="predict", datatype=Datatype.BYTES)
FIRST = Output(name="predict_proba_0", method="predict_proba", index=0, shape=(-1, 2))
SECOND = Output(name="predict_proba_1", method="predict_proba", index=1, shape=(-1, 3))
SIGNATURE = Signature(layout=Layout.ARRAY, named=False, inputs=(Column(name="0"),), outputs=(PREDICT, FIRST, SECOND))


def encoded(answer: Any, output: Output | None = None) -> Tensor:
    (tensor,) = encode([output or Output(name="predict", method="predict")], {"predict": answer})
    return tensor


def names(outputs: tuple[Output, ...]) -> list[str]:
    return [output.name for output in outputs]


class TestSelection:
    def test_is_the_first_output_by_default(self) -> None:
        assert names(Outputs(SIGNATURE).select(())) == ["predict"]

    def test_is_the_operators_choice_by_name(self) -> None:
        assert names(Outputs(SIGNATURE, "predict_proba_1").select(())) == ["predict_proba_1"]

    def test_is_every_target_of_the_operators_method(self) -> None:
        assert names(Outputs(SIGNATURE, "predict_proba").select(())) == ["predict_proba_0", "predict_proba_1"]

    def test_is_the_first_output_where_the_operators_choice_is_not_there(self) -> None:
        assert names(Outputs(SIGNATURE, "transform").select(())) == ["predict"]

    def test_is_what_the_request_names_in_its_order(self) -> None:
        chosen = Outputs(SIGNATURE).select([RequestedOutput("predict_proba_1"), RequestedOutput("predict")])
        assert names(chosen) == ["predict_proba_1", "predict"]

    def test_refuses_an_unknown_name(self) -> None:
        with pytest.raises(InvalidInput) as caught:
            Outputs(SIGNATURE).select([RequestedOutput("predict"), RequestedOutput("proba")])
        assert (
            str(caught.value) == "Output 'proba' is unknown; expected one of predict, predict_proba_0, predict_proba_1."
        )

    def test_runs_each_method_once(self) -> None:
        assert methods_of([FIRST, PREDICT, SECOND]) == ("predict_proba", "predict")


class TestEncoding:
    @pytest.mark.parametrize(
        ("answer", "datatype", "dtype"),
        [
            (np.array([1.5, 2.5]), "FP64", "float64"),
            (np.array([1.5, 2.5], dtype=np.float32), "FP64", "float64"),
            (np.array([1, 2], dtype=np.int32), "INT64", "int64"),
            (np.array([1, 2], dtype=np.uint8), "INT64", "int64"),
            (np.array([True, False]), "BOOL", "bool"),
            (np.array(["a", "b"]), "BYTES", "object"),
            (np.array(["a", "b"], dtype=object), "BYTES", "object"),
            (np.array([1, 2], dtype=object), "INT64", "int64"),
            (np.array([1, 2.5], dtype=object), "FP64", "float64"),
            (np.array([True, False], dtype=object), "BOOL", "bool"),
            (np.array([np.str_("a"), "b"], dtype=object), "BYTES", "object"),
            (pd.Series([1.5, 2.5]), "FP64", "float64"),
            (pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}), "FP64", "float64"),
            ([1.5, 2.5], "FP64", "float64"),
        ],
    )
    def test_finds_the_datatype_of_an_answer(self, answer: Any, datatype: str, dtype: str) -> None:
        tensor = encoded(answer)
        assert (tensor.name, tensor.datatype, str(tensor.data.dtype)) == ("predict", datatype, dtype)
        assert tensor.data.flags.c_contiguous
        assert tensor.data.tolist() == np.asarray(answer).tolist()

    def test_of_strings_is_python_strings(self) -> None:
        for answer in (np.array(["é", "b"]), np.array([np.str_("é"), "b"], dtype=object)):
            assert [type(value) for value in encoded(answer).data] == [str, str]

    def test_of_mixed_labels_is_strings(self) -> None:
        tensor = encoded(np.array(["a", 1, 2.5, None], dtype=object))
        assert (tensor.datatype, tensor.data.tolist()) == (Datatype.BYTES, ["a", "1", "2.5", "None"])

    def test_of_mixed_labels_stays_strings_where_rows_hold_numbers_alone(self) -> None:
        tensor = encoded(np.array([1, 2], dtype=object), PREDICT)
        assert (tensor.datatype, tensor.data.tolist()) == (Datatype.BYTES, ["1", "2"])

    def test_of_dates_is_iso_8601(self) -> None:
        tensor = encoded(np.array(["2024-02-29T06:30"], dtype="datetime64[s]"))
        assert (tensor.datatype, tensor.data.tolist()) == (Datatype.BYTES, ["2024-02-29T06:30:00"])

    def test_keeps_nan_and_infinity(self) -> None:
        np.testing.assert_array_equal(encoded(np.array([np.nan, -np.inf])).data, [np.nan, -np.inf])

    @pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_array, sparse.coo_matrix])
    def test_fills_in_sparse_answers(self, form: Any) -> None:
        tensor = encoded(form(np.array([[0.0, 1.0], [2.0, 0.0]])))
        assert (tensor.datatype, tensor.data.tolist()) == (Datatype.FP64, [[0.0, 1.0], [2.0, 0.0]])

    def test_takes_a_target_of_a_list_of_answers(self) -> None:
        answers = {"predict_proba": [np.array([[0.1, 0.9]]), np.array([[0.2, 0.3, 0.5]])], "predict": np.array(["x"])}
        tensors = encode([SECOND, PREDICT, FIRST], answers)
        assert [(t.name, t.data.tolist()) for t in tensors] == [
            ("predict_proba_1", [[0.2, 0.3, 0.5]]),
            ("predict", ["x"]),
            ("predict_proba_0", [[0.1, 0.9]]),
        ]

    def test_lays_out_rows_one_after_another(self) -> None:
        tensor = encoded(np.asfortranarray(np.arange(6.0).reshape(2, 3)))
        assert tensor.data.flags.c_contiguous
        assert tensor.data.tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
