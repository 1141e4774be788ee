import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from training.columns import Kind
from training.errors import DataError
from training.validation.inference import Evidence


def evidence(*chunks: Any) -> Evidence:
    found, position = Evidence("c"), 0
    for cells in chunks:
        index = pd.RangeIndex(position, position + len(cells))
        found.add(cells.set_axis(index) if isinstance(cells, pd.Series) else pd.Series(cells, index, dtype=object))
        position += len(cells)
    return found


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "-2.5", "1e3", np.nan], Kind.NUMBER),
        (["true", "FALSE", np.nan], Kind.BOOLEAN),
        (["1", "0"], Kind.NUMBER),
        (["1", "two"], Kind.CATEGORY),
        (["yes", "no"], Kind.CATEGORY),
        ([f"{i}x" for i in range(100)], Kind.CATEGORY),
        (["2024-01-31", "2024-02-01T12:30:00+01:00", np.nan], Kind.DATE),
        (["2024-01-31", "soon"], Kind.CATEGORY),
        ([1, 2.5, Decimal("3.5"), None], Kind.NUMBER),
        ([True, False, None], Kind.BOOLEAN),
        ([dt.date(2024, 1, 31), None], Kind.DATE),
        (pd.Series([1, 2]), Kind.NUMBER),
        (pd.Series([True, False]), Kind.BOOLEAN),
        (pd.Series(pd.to_datetime(["2024-01-31"])), Kind.DATE),
    ],
)
def test_a_kind_is_told_from_the_cells(cells: Any, kind: Kind) -> None:
    assert evidence(cells).kind() is kind
    assert evidence(cells[:1], cells[1:]).kind() is kind


def test_all_chunks_are_taken_into_account() -> None:
    assert evidence(["1", "2"], ["three"]).kind() is Kind.CATEGORY
    assert evidence(["true"], ["maybe"]).kind() is Kind.CATEGORY
    assert evidence([np.nan], [np.nan]).empty


def test_too_many_texts_must_be_declared() -> None:
    found = evidence([f"{i}x" for i in range(60)], [f"{i}x" for i in range(50, 101)])
    assert found.kind(most_distinct=None) is Kind.CATEGORY
    with pytest.raises(DataError) as caught:
        found.kind()
    assert str(caught.value) == (
        "column 'c' holds more than 100 distinct texts, too many for a category; "
        "declare it under columns as category or text, or list it under drop"
    )


@pytest.mark.parametrize(
    ("chunks", "sentence"),
    [
        (
            [["1"] * 20, ["2", "n/k"]],
            "column 'c' mixes numbers and other texts, such as '1' in row 1 and 'n/k' in row 22; ",
        ),
        ([["n/k"], ["7"] * 20], "column 'c' mixes numbers and other texts, such as '7' in row 2 and 'n/k' in row 1; "),
        ([[1, 2, "x"]], "column 'c' mixes numbers and texts, such as '1' in row 1 and 'x' in row 3; "),
        ([[1.5], ["x"]], "column 'c' mixes numbers and texts, such as '1.5' in row 1 and 'x' in row 2; "),
        ([[True, 1]], "column 'c' mixes truth values and numbers, such as 'true' in row 1 and '1' in row 2; "),
    ],
)
def test_mixed_cells_must_be_declared(chunks: list[list[object]], sentence: str) -> None:
    with pytest.raises(DataError) as caught:
        evidence(*chunks).kind()
    assert str(caught.value) == f"{sentence}declare it under columns: what is not of its kind is then quarantined"


def test_a_list_is_no_value() -> None:
    with pytest.raises(DataError) as caught:
        evidence([[1, 2], [3]]).kind()
    assert str(caught.value) == (
        "column 'c' holds lists or objects, such as [1, 2] in row 1; "
        "expected single values; list it under drop, or take it apart in the source"
    )


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["0", "1"], Kind.NUMBER),
        (["true", "false"], Kind.BOOLEAN),
        (["0.5", "1.5"], Kind.CATEGORY),
        (["a", "1"], Kind.CATEGORY),
        (pd.Series([0.0, 1.0]), Kind.NUMBER),
        (pd.Series([0.5, 1.0]), Kind.CATEGORY),
        (pd.Series([True, False]), Kind.BOOLEAN),
        (pd.Series(pd.to_datetime(["2024-01-31"])), Kind.CATEGORY),
    ],
)
def test_labels_are_whole_numbers_booleans_or_texts(cells: Any, kind: Kind) -> None:
    assert evidence(cells).label_kind() is kind
