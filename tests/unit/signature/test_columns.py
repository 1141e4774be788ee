"""What a column takes, by its datatype and dtype; each refusal names the column, and the row where there is one."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from model.datatypes import Datatype
from model.errors import InvalidInput
from model.signature.columns import ColumnReader
from model.signature.schema import Column
from tests.unit.signature.sending import tensor


def column(datatype: str, dtype: str, **more: Any) -> Column:
    return Column(name="c", datatype=Datatype(datatype), dtype=dtype, **more)


FLOAT = column("FP64", "float64")
WHOLE = column("INT64", "int64", missing=True)
FLAG = column("BOOL", "bool")
STRING = column("BYTES", "object")
DATE = column("BYTES", "datetime64[ns]", missing=True)
ISLAND = column("BYTES", "category", missing=True, categories=("Biscoe", "Dream"))
RANK = column("INT64", "category", missing=True, categories=(1, 2, 3))


def read(of: Column, datatype: str, values: Any) -> npt.NDArray[Any]:
    sent = tensor("c", datatype, values)
    return ColumnReader(of).read(sent, sent.data)


def refusal(of: Column, datatype: str, values: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        read(of, datatype, values)
    return str(caught.value)


class TestDatatype:
    @pytest.mark.parametrize(
        ("of", "datatype", "values", "sentence"),
        [
            (FLOAT, "BYTES", ["1.5"], "Column 'c' is sent as BYTES; expected a number (FP64)."),
            (WHOLE, "BYTES", ["1", None], "Column 'c' is sent as BYTES; expected a number (INT64)."),
            (FLOAT, "BOOL", [True], "Column 'c' is sent as BOOL; expected a number (FP64)."),
            (FLAG, "INT64", [1], "Column 'c' is sent as INT64; expected BOOL."),
            (FLAG, "BYTES", ["true"], "Column 'c' is sent as BYTES; expected BOOL."),
            (STRING, "FP64", [1.5], "Column 'c' is sent as FP64; expected BYTES."),
            (STRING, "BOOL", [True], "Column 'c' is sent as BOOL; expected BYTES."),
            (DATE, "INT64", [20240131], "Column 'c' is sent as INT64; expected BYTES."),
            (ISLAND, "INT64", [1], "Column 'c' is sent as INT64; expected BYTES."),
            (RANK, "BYTES", ["1"], "Column 'c' is sent as BYTES; expected a number (INT64)."),
        ],
    )
    def test_of_another_kind_is_refused(self, of: Column, datatype: str, values: Any, sentence: str) -> None:
        assert refusal(of, datatype, values) == sentence

    @pytest.mark.parametrize("of", [WHOLE, DATE, ISLAND, RANK, column("BOOL", "object", missing=True)])
    @pytest.mark.parametrize("datatype", ["FP64", "INT64", "BYTES", "BOOL"])
    def test_does_not_matter_where_every_value_is_missing(self, of: Column, datatype: str) -> None:
        assert pd.isna(pd.Series(read(of, datatype, [None, None]))).all()

    @pytest.mark.parametrize("of", [FLOAT, FLAG, STRING])
    @pytest.mark.parametrize("datatype", ["FP64", "BYTES", "BOOL"])
    def test_of_missing_values_does_not_allow_them(self, of: Column, datatype: str) -> None:
        got = refusal(of, datatype, [None])
        assert got.startswith("Column 'c' has a missing value (null")
        assert " in row 0; expected a " in got


class TestNumbers:
    def test_are_float64_in_a_column_of_floats(self) -> None:
        for datatype in ("FP16", "FP32", "INT8", "UINT64"):
            values = read(FLOAT, datatype, [1, 2])
            assert (str(values.dtype), values.tolist()) == ("float64", [1.0, 2.0])

    @pytest.mark.parametrize("datatype", ["INT8", "INT64", "UINT8", "UINT64"])
    def test_stay_integers_in_a_column_of_integers(self, datatype: str) -> None:
        values = read(WHOLE, datatype, [1, 2])
        assert (str(values.dtype), values.tolist()) == ("int64", [1, 2])

    def test_beyond_int64_become_floats(self) -> None:
        values = read(WHOLE, "UINT64", [2**63, 1])
        assert (str(values.dtype), values.tolist()) == ("float64", [2.0**63, 1.0])
        assert read(WHOLE, "UINT64", [2**63 - 1]).dtype == np.int64

    def test_with_a_fraction_fit_a_column_of_integers(self) -> None:
        assert read(WHOLE, "FP64", [1.5]).tolist() == [1.5]

    def test_with_a_missing_one_are_floats_in_a_column_of_integers(self) -> None:
        values = read(WHOLE, "INT64", [1, None])
        assert values.dtype == np.float64
        np.testing.assert_array_equal(values, [1.0, np.nan])

    def test_missing_are_refused_by_row(self) -> None:
        sentence = "Column 'c' has a missing value (null or NaN) in row 1; expected a finite number."
        assert refusal(FLOAT, "FP64", [1.0, np.nan, np.nan]) == sentence
        assert refusal(FLOAT, "INT64", [1, None]) == sentence

    @pytest.mark.parametrize("of", [FLOAT, column("FP64", "float64", missing=True), WHOLE, RANK])
    @pytest.mark.parametrize("value", [np.inf, -np.inf])
    def test_infinite_are_refused_by_row_always(self, of: Column, value: float) -> None:
        assert refusal(of, "FP64", [1.0, value]) == "Column 'c' has infinity in row 1; expected a finite number."

    def test_are_named_by_the_first_bad_row_that_is_not_allowed(self) -> None:
        holed = column("FP64", "float64", missing=True)
        assert refusal(holed, "FP64", [np.nan, 1.0, np.inf]).startswith("Column 'c' has infinity in row 2")

    def test_outside_the_range_of_training_are_taken(self) -> None:
        seen = column("FP64", "float64", minimum=0.0, maximum=1.0)
        assert read(seen, "FP64", [-5.0, 5.0]).tolist() == [-5.0, 5.0]


class TestBooleans:
    def test_stay_booleans(self) -> None:
        values = read(FLAG, "BOOL", [True, False])
        assert (str(values.dtype), values.tolist()) == ("bool", [True, False])

    def test_are_objects_where_some_were_missing_in_training(self) -> None:
        values = read(column("BOOL", "object", missing=True), "BOOL", [True, False])
        assert (str(values.dtype), values.tolist()) == ("object", [True, False])

    @pytest.mark.parametrize("dtype", ["bool", "object"])
    def test_with_a_missing_one_are_objects(self, dtype: str) -> None:
        values = read(column("BOOL", dtype, missing=True), "BOOL", [True, None])
        assert values.dtype == object
        assert values[0] is True
        assert np.isnan(values[1])

    def test_of_a_matrix_with_a_missing_one_elsewhere_stay_booleans(self) -> None:
        values = ColumnReader(FLAG).read(tensor("x", "BOOL", [True]), np.array([True, False], dtype=object))
        assert (str(values.dtype), values.tolist()) == ("bool", [True, False])

    def test_missing_are_refused_by_row(self) -> None:
        assert (
            refusal(FLAG, "BOOL", [True, None]) == "Column 'c' has a missing value (null) in row 1; expected a value."
        )


class TestStrings:
    def test_empty_are_values(self) -> None:
        assert read(STRING, "BYTES", ["", "nan", "None"]).tolist() == ["", "nan", "None"]

    def test_missing_are_nan_where_they_were_in_training(self) -> None:
        values = read(column("BYTES", "object", missing=True, missing_as="nan"), "BYTES", ["x", None])
        assert isinstance(values[1], float)
        assert np.isnan(values[1])

    def test_missing_are_none_where_they_were_in_training(self) -> None:
        values = read(column("BYTES", "object", missing=True, missing_as="none"), "BYTES", ["x", None])
        assert values.tolist() == ["x", None]

    def test_missing_are_refused_by_row(self) -> None:
        assert (
            refusal(STRING, "BYTES", ["x", None]) == "Column 'c' has a missing value (null) in row 1; expected a value."
        )

    def test_not_seen_in_training_are_taken(self) -> None:
        assert read(column("BYTES", "object", categories=("x",)), "BYTES", ["y"]).tolist() == ["y"]

    def test_of_the_client_are_not_written_into(self) -> None:
        sent = tensor("c", "BYTES", ["x", None])
        ColumnReader(column("BYTES", "object", missing=True)).read(sent, sent.data)
        assert sent.data.tolist() == ["x", None]


class TestCategories:
    def test_have_the_dtype_of_training(self) -> None:
        values = pd.Series(read(ISLAND, "BYTES", ["Dream"]))
        assert values.dtype == pd.CategoricalDtype(["Biscoe", "Dream"])
        assert values.tolist() == ["Dream"]

    @pytest.mark.parametrize("datatype", ["INT64", "FP64", "UINT8"])
    def test_of_numbers_come_in_any_numeric_datatype(self, datatype: str) -> None:
        values = pd.Series(read(RANK, datatype, [3, 1]))
        assert values.dtype == pd.CategoricalDtype([1, 2, 3])
        assert values.tolist() == [3, 1]

    def test_of_booleans_are_booleans(self) -> None:
        values = pd.Series(read(column("BOOL", "category", categories=(False, True)), "BOOL", [True]))
        assert values.dtype == pd.CategoricalDtype([False, True])
        assert values.tolist() == [True]

    def test_missing_are_allowed_as_the_column_says(self) -> None:
        assert pd.Series(read(ISLAND, "BYTES", ["Dream", None])).isna().tolist() == [False, True]
        strict = column("BYTES", "category", categories=("Dream",))
        assert refusal(strict, "BYTES", [None]) == "Column 'c' has a missing value (null) in row 0; expected a value."
        ranks = column("INT64", "category", categories=(1, 2))
        assert refusal(ranks, "INT64", [1, None]).startswith("Column 'c' has a missing value (null or NaN) in row 1")

    def test_not_seen_in_training_are_values_for_the_estimator_to_judge(self) -> None:
        values = pd.Series(read(ISLAND, "BYTES", ["Mars", "Dream", None, "Mars"]))
        assert values.tolist()[:2] == ["Mars", "Dream"]
        assert values.isna().tolist() == [False, False, True, False]
        assert values.cat.categories.tolist() == ["Biscoe", "Dream", "Mars"]


class TestDates:
    @pytest.mark.parametrize(
        ("text", "date"),
        [
            ("2024-02-29", "2024-02-29"),
            ("2024-02-29T06:30:00", "2024-02-29 06:30"),
            ("2024-02-29 06:30", "2024-02-29 06:30"),
            ("20240229", "2024-02-29"),
            ("2024-02-29T06:30:00.123456789", "2024-02-29 06:30:00.123456789"),
            ("2024-02-29T06:30:00Z", "2024-02-29 06:30"),
            ("2024-02-29T06:30:00+02:00", "2024-02-29 04:30"),
        ],
    )
    def test_are_read_from_iso_8601_and_brought_to_utc(self, text: str, date: str) -> None:
        values = read(DATE, "BYTES", [text, "2024-01-01"])
        assert values.dtype == "datetime64[ns]"
        assert values[0] == np.datetime64(date, "ns")
        assert values[1] == np.datetime64("2024-01-01", "ns")

    @pytest.mark.parametrize(
        "text",
        [
            "31.01.2024",
            "01/31/2024",
            "2024-02-30",
            "2024-13-01",
            "",
            " ",
            "now",
            "today",
            "NaT",
            "null",
            "nan",
            "x",
            "9999-01-01",
        ],
    )
    def test_otherwise_are_refused_by_row(self, text: str) -> None:
        assert refusal(DATE, "BYTES", ["2024-01-01", text]) == (
            f"Column 'c' has {text!r} in row 1; expected an ISO-8601 date such as 2024-01-31 or 2024-01-31T23:59:59Z."
        )

    def test_missing_are_allowed_as_the_column_says(self) -> None:
        assert np.isnat(read(DATE, "BYTES", [None, "2024-01-01"])).tolist() == [True, False]
        strict = column("BYTES", "datetime64[ns]")
        assert refusal(strict, "BYTES", [None]) == "Column 'c' has a missing value (null) in row 0; expected a value."
