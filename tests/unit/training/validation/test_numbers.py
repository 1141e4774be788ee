import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.validation.cells import TEXT
from training.validation.numbers import numbers_in


@given(st.lists(st.floats(allow_nan=False)), st.sampled_from([TEXT, object]))
def test_a_number_is_the_one_that_was_written(numbers: list[float], dtype: Any) -> None:
    texts = pd.Series([repr(number) for number in numbers], dtype=dtype)
    assert numbers_in(texts).tolist() == numbers


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12),
        ("+1", 1),
        ("-.5", -0.5),
        ("7.", 7),
        ("007", 7),
        ("1E+05", 1e5),
        (" 5 ", 5),
        ("5\n", 5),
        ("1e400", math.inf),
        ("-Infinity", -math.inf),
        ("inf", math.inf),
    ],
)
@pytest.mark.parametrize("beside", [[], ["x"], [" 1 ", np.nan]])
def test_what_a_text_is_depends_on_it_alone(text: str, number: float, beside: list[str]) -> None:
    found = numbers_in(pd.Series([text, *beside], dtype=TEXT))
    assert found.dtype == np.float64
    assert found[0] == number


@pytest.mark.parametrize(
    "text", ["", "-", ".", "e5", "1e", "1_000", "0x10", "1,5", "1 2", "5 cm", "\u0661", "nan", "true", "nan(0)", "1d5"]
)
@pytest.mark.parametrize("beside", ["1", "x"])
def test_what_is_no_number_is_missing(text: str, beside: str) -> None:
    found = numbers_in(pd.Series([beside, text], dtype=TEXT, index=[7, 9], name="length"))
    assert math.isnan(found[9])
    assert (found.name, list(found.index)) == ("length", [7, 9])
