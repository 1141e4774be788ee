import numpy as np
import pandas as pd
import pytest

from training.columns import Kind, convert, infer, labels
from training.errors import DataError


def column(*values: str | float) -> "pd.Series[str]":
    return pd.Series(list(values), name="c", dtype=object)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-2.5", "1e3", np.nan], Kind.NUMBER),
        (["true", "FALSE", np.nan], Kind.BOOLEAN),
        (["1", "0"], Kind.NUMBER),
        (["1", "two"], Kind.CATEGORY),
        (["yes", "no"], Kind.CATEGORY),
        ([str(i) + "x" for i in range(100)], Kind.CATEGORY),
    ],
)
def test_a_kind_is_told_from_the_values(values: list[str | float], kind: Kind) -> None:
    assert infer(column(*values)) is kind


def test_too_many_texts_must_be_declared() -> None:
    with pytest.raises(DataError) as caught:
        infer(column(*(f"{i}x" for i in range(101))))
    assert str(caught.value) == (
        "column 'c' holds 101 distinct texts, more than the 100 of a category; "
        "declare it under columns as category or text, or list it under drop"
    )


def test_numbers_become_float64() -> None:
    values = convert(column("1", np.nan, "2.5"), Kind.NUMBER)
    assert values.dtype == np.float64
    np.testing.assert_array_equal(values, [1.0, np.nan, 2.5])


def test_booleans_become_bool() -> None:
    values = convert(column("True", "no", "1"), Kind.BOOLEAN)
    assert values.dtype == bool
    assert values.tolist() == [True, False, True]


def test_booleans_with_missing_values_become_objects() -> None:
    values = convert(column("true", np.nan), Kind.BOOLEAN)
    assert values.dtype == object
    assert values[0] is True
    assert np.isnan(values[1])


def test_categories_and_texts_stay_as_written() -> None:
    assert convert(column("007", "8"), Kind.CATEGORY).tolist() == ["007", "8"]
    assert convert(column("007", "8"), Kind.TEXT).tolist() == ["007", "8"]


@pytest.mark.parametrize(
    ("values", "kind", "sentence"),
    [
        (["1", "x"], Kind.NUMBER, "column 'c' has 'x' in row 2; expected a finite number"),
        (["inf", "1"], Kind.NUMBER, "column 'c' has 'inf' in row 1; expected a finite number"),
        (["true", "2"], Kind.BOOLEAN, "column 'c' has '2' in row 2; expected true or false"),
    ],
)
def test_a_value_of_another_kind_is_named(values: list[str], kind: Kind, sentence: str) -> None:
    with pytest.raises(DataError) as caught:
        convert(column(*values), kind)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (["0", "1"], None, [0, 1]),
        (["true", "false"], None, [True, False]),
        (["0.5", "1.5"], None, ["0.5", "1.5"]),
        (["a", "1"], None, ["a", "1"]),
        (["01", "02"], Kind.CATEGORY, ["01", "02"]),
        (["1.0", "2.0"], Kind.NUMBER, [1, 2]),
        (["yes", "no"], Kind.BOOLEAN, [True, False]),
    ],
)
def test_labels_are_whole_numbers_booleans_or_texts(
    values: list[str], kind: Kind | None, expected: list[int | bool | str]
) -> None:
    found = labels(column(*values), kind).tolist()
    assert found == expected
    assert {type(value) for value in found} == {type(expected[0])}


def test_a_fraction_is_no_label() -> None:
    with pytest.raises(DataError, match=r"column 'c' has '1\.5' in row 2; expected a whole number"):
        labels(column("1", "1.5"), Kind.NUMBER)
