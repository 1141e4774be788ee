"""What the manifest may hold as a signature."""

from typing import Any

import pytest
from pydantic import ValidationError

from model.datatypes import Datatype
from model.signature import Column, Layout, Output, Signature

PREDICT = Output(name="predict", method="predict")


def make(*names: str, outputs: tuple[Output, ...] = (PREDICT,), **more: Any) -> Signature:
    inputs = tuple(Column(name=name) for name in names)
    return Signature(layout=Layout.ARRAY, named=True, inputs=inputs, outputs=outputs, **more)


def test_names_are_in_the_order_of_the_columns() -> None:
    assert make("b", "a").names == ("b", "a")


def test_an_output_is_found_by_its_name() -> None:
    assert make("a").output("predict") is PREDICT
    assert make("a").output("transform") is None


def test_columns_are_unique() -> None:
    with pytest.raises(ValidationError, match="input names must be unique, but 'a' stands twice"):
        make("a", "b", "a")


def test_outputs_are_unique() -> None:
    with pytest.raises(ValidationError, match="output names must be unique, but 'predict' stands twice"):
        make("a", outputs=(PREDICT, PREDICT))


def test_there_is_an_input_and_an_output() -> None:
    with pytest.raises(ValidationError, match="inputs"):
        make()
    with pytest.raises(ValidationError, match="outputs"):
        make("a", outputs=())


def test_what_is_not_known_is_refused() -> None:
    with pytest.raises(ValidationError, match="colour"):
        make("a", colour="red")


def test_nothing_can_be_changed() -> None:
    signature = make("a")
    with pytest.raises(ValidationError, match="frozen"):
        signature.named = False  # type: ignore[misc]


@pytest.mark.parametrize("categories", [(1, 2), (1.0, 2.5), (True, False), ("1", "x")])
def test_categories_keep_their_types_in_json(categories: tuple[Any, ...]) -> None:
    column = Column(name="a", categories=categories)
    read = Column.model_validate_json(column.model_dump_json()).categories
    assert read == categories
    assert [type(value) for value in read or ()] == [type(value) for value in categories]


@pytest.mark.parametrize(
    ("datatypes", "numeric"),
    [
        ((Datatype.FP64, Datatype.INT64), True),
        ((Datatype.FP64, None), True),
        ((Datatype.FP64, Datatype.BOOL), False),
        ((Datatype.BYTES,), False),
    ],
)
def test_a_signature_is_numeric_where_no_column_takes_anything_else(
    datatypes: tuple[Datatype | None, ...], *, numeric: bool
) -> None:
    inputs = tuple(Column(name=str(i), datatype=datatype) for i, datatype in enumerate(datatypes))
    signature = Signature(layout=Layout.FRAME, named=True, inputs=inputs, outputs=(PREDICT,))
    assert signature.numeric is numeric
