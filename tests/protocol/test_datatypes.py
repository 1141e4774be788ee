"""Every datatype over every encoding, into models that answer with what they were given."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tests.protocol import zoo
from tests.protocol.encodings import DTYPES, Ask, Sent
from tests.protocol.wires import WIRES, Clients, carries

BOUNDS = {name: np.iinfo(dtype) for name, dtype in DTYPES.items() if "INT" in name}
INT64_MAX = 2**63 - 1


@dataclass(frozen=True)
class Case:
    """Values of a datatype, the model they are for, and the datatype they are to come back in."""

    datatype: str
    values: tuple[Any, ...]
    model: str
    answered: str

    def __str__(self) -> str:
        return f"{self.datatype}-{self.model}"


INTEGERS = [
    Case(name, (bounds.min, 0, min(bounds.max, INT64_MAX)), "echo_integers", "INT64") for name, bounds in BOUNDS.items()
]
INTEGERS_AS_FLOATS = [Case(name, (bounds.min, 0, bounds.max), "echo_floats", "FP64") for name, bounds in BOUNDS.items()]
FLOATS = [
    Case("FP16", (0.5, -65504.0, 6.103515625e-05), "echo_floats", "FP64"),
    Case("FP32", (0.10000000149011612, -3.4028234663852886e38, 1.401298464324817e-45), "echo_floats", "FP64"),
    Case("FP64", (0.1, -1.7976931348623157e308, 5e-324), "echo_floats", "FP64"),
    Case("FP16", (2.0, -3.0), "echo_integers", "FP64"),
    Case("FP32", (1.5, -3.0), "echo_integers", "FP64"),
    Case("FP64", (1.5, -3.0), "echo_integers", "FP64"),
    Case("UINT64", (2**64 - 1, 0), "echo_integers", "FP64"),
]
OTHERS = [
    Case("BOOL", (True, False, True), "echo_booleans", "BOOL"),
    Case("BYTES", ("", "ä", "🐟", "a\0b", "x" * 5000), "echo_strings", "BYTES"),
]
CASES = [*INTEGERS, *INTEGERS_AS_FLOATS, *FLOATS, *OTHERS]


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_column_of_each_datatype_comes_back_as_it_was_sent(clients: Clients, case: Case, wire: str) -> None:
    request = Ask(case.model, (Sent("value", case.datatype, (len(case.values),), case.values),))
    if not carries(wire, request):
        assert (wire, case.datatype) == ("grpc_contents", "FP16")
        return
    got = WIRES[wire](clients, request).outputs["transform"]
    assert (got.datatype, got.shape) == (case.answered, (len(case.values), 1))
    assert list(got.values) == own_answer(case)


def own_answer(case: Case) -> list[Any]:
    estimator = zoo.subject(case.model).estimator
    dtype: Any = {"INT64": "int64", "FP64": "float64", "BOOL": "bool", "BYTES": object}[case.answered]
    answer: list[Any] = estimator.transform(np.array(case.values, dtype=dtype)).tolist()
    return answer


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("datatype", [name for name in DTYPES if name != "BOOL"])
def test_a_matrix_may_be_of_any_numeric_datatype(clients: Clients, datatype: str, wire: str) -> None:
    request = Ask("echo_array", (Sent("any name", datatype, (2, 2), (1, 2, 3, 4)),))
    if not carries(wire, request):
        assert (wire, datatype) == ("grpc_contents", "FP16")
        return
    got = WIRES[wire](clients, request).outputs["transform"]
    assert (got.datatype, got.shape, got.values) == ("FP64", (2, 2), (1.0, 2.0, 3.0, 4.0))


@pytest.mark.parametrize("datatype", ["FP16", "FP32", "FP64"])
@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(("model", "shape"), [("echo_floats", (4,)), ("echo_array", (2, 2))])
def test_a_missing_float_is_null_in_json_and_nan_in_bytes(
    clients: Clients, model: str, shape: tuple[int, ...], wire: str, datatype: str
) -> None:
    values = (0.5, None, -2.0, 4.0)
    request = Ask(model, (Sent("value", datatype, shape, values),))
    if not carries(wire, request):
        assert (wire, datatype) == ("grpc_contents", "FP16")
        return
    got = WIRES[wire](clients, request).outputs["transform"]
    np.testing.assert_array_equal(np.array(got.values), np.array(values, dtype=float))
