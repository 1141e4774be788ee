from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from tests.unit.training.validation.conftest import Run
from training.errors import ConfigurationError
from training.validation.units import convert

ReadFailures = Callable[[], list[tuple[object, ...]]]


@pytest.mark.parametrize(
    ("cell", "unit", "value"),
    [
        ("18.2 cm", "mm", 182.0),
        ("18.2cm", "cm", 18.2),
        (" -1.5e2 mm ", "cm", -15.0),
        ("2 ft", "m", 0.6096),
        ("20 °C", "degF", 68.0),
        ("1 kg/m²", "g/cm**2", 0.1),
        ("36 km / h", "m/s", 10.0),
        ("5 µg", "mg", 0.005),
        ("5 %", "dimensionless", 0.05),
        ("5 kg", "cm", np.nan),
        ("5 parrots", "cm", np.nan),
        ("cm", "cm", np.nan),
        ("5 6 cm", "cm", np.nan),
        ("5 9**9**9**9", "cm", np.nan),
        ("5 m^9^9^9^9", "cm", np.nan),
        ("__import__('os')", "cm", np.nan),
    ],
)
def test_a_number_with_a_unit_is_turned_into_that_of_its_column(cell: str, unit: str, value: float) -> None:
    np.testing.assert_allclose(convert(pd.Series([cell]), unit), [value], rtol=1e-12)


def test_a_unit_that_does_not_exist_is_said() -> None:
    with pytest.raises(ConfigurationError) as caught:
        convert(pd.Series(["5 cm"]), "parrot")
    assert str(caught.value) == "columns: 'parrot' is no unit that pint knows; expected one such as mm, kg or degC"


def test_units_may_be_mixed_in_a_column(run: Run, failures: ReadFailures) -> None:
    found = run(
        "size,kind\n18.2 cm,1\n182 mm,2\n18.2,3\n3 kg,4\n,5\n",
        task="regression",
        columns={"size": {"kind": "number", "unit": "cm", "max": 100}},
    )
    np.testing.assert_allclose(found.X["size"], [18.2, 18.2, 18.2, np.nan])
    expected = "a finite number, in cm or with a unit that fits it"
    assert failures() == [(4, "size", "kind", "3 kg", expected)]
    assert found.report["columns"]["size"]["unit"] == "cm"
