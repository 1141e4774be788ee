"""TensorFlow Serving's V1 body as KServe's sklearnserver takes it, which names no datatypes."""

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

from model.codec.columns import columns_of_rows, infer_column, infer_datatype
from model.codec.document import Body, parse_object, refuse_repeated_keys, write
from model.codec.elements import convert, element_types, plain_numbers
from model.codec.shapes import MAX_DIMENSIONS, check_shape, flatten
from model.codec.values import nested_values
from model.codec.wording import shown
from model.datatypes import Datatype
from model.errors import InvalidInput
from model.tensors import InferRequest, InferResponse, Tensor

_TENSOR: Final = "input-0"
_PLAIN_NUMBERS: Final = frozenset({int, float})
_MATRIX: Final = 2


def decode_request(
    body: Body,
    *,
    model_name: str = "",
    model_version: str = "",
    columns: Sequence[str] = (),
) -> InferRequest:
    """
    Read the body of a V1 prediction request.

    Parameters
    ----------
    body : bytes-like
        ``{"instances": […]}``, or ``inputs`` for ``instances``: rows that are lists, single values or objects.
    model_name, model_version : str
        From the path.
    columns : sequence of str
        The model's columns in order; they name the positions of rows that are not all numbers.

    Returns
    -------
    InferRequest
        Objects become one (n,) tensor per key. Lists become one tensor ``input-0`` in the shape they have; but where
        they hold more than plain numbers, and are as long as `columns`, one (n,) tensor per column; single values are the
        one column's where there is only one.

    Raises
    ------
    InvalidInput
        Not JSON, no rows, ragged rows, a key missing or twice, or values of different kinds in one column.

    References
    ----------
    KServe, "V1 Protocol".
    """
    document = parse_object(body)
    instances = _instances(document)
    if type(instances[0]) is not dict:
        return InferRequest(model_name, model_version, _from_lists(instances, columns))
    inputs = _from_objects(instances)
    refuse_repeated_keys(body, len(document) + sum(map(len, instances)))
    return InferRequest(model_name, model_version, inputs, parameters={"content_type": "pd"})


def encode_response(response: InferResponse) -> bytes:
    """
    Write the answer to a V1 prediction request.

    Parameters
    ----------
    response : InferResponse
        With outputs of as many rows each.

    Returns
    -------
    bytes
        ``{"predictions": […]}``, one per row; of several outputs each is an object by output name.

    Raises
    ------
    InvalidInput
        A value is infinite.
    ServingError
        The model answered with text that is not valid Unicode.
    """
    values = {output.name: nested_values(output.name, output.data) for output in response.outputs}
    if len(values) == 1:
        (predictions,) = values.values()
    else:
        predictions = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    return write({"predictions": predictions}, response.model_name)


def _instances(document: dict[str, Any]) -> list[Any]:
    given = [key for key in ("instances", "inputs") if key in document]
    if len(given) != 1:
        raise InvalidInput(
            f"The body has {'both instances and inputs' if given else 'no instances'}; expected one list of rows."
        )
    instances = document[given[0]]
    if type(instances) is not list or not instances:
        got = "an empty list" if instances == [] else shown(instances)
        raise InvalidInput(f"The body has {got} as its {given[0]}; expected a list of at least one row.")
    # sklearnserver also takes the rows in one more list.
    return _unwrapped(instances)


def _unwrapped(instances: list[Any]) -> list[Any]:
    wrapped = all(type(item) is list and item and type(item[0]) is dict for item in instances)
    return list(chain.from_iterable(instances)) if wrapped else instances


def _from_objects(instances: list[Any]) -> list[Tensor]:
    for index, row in enumerate(instances):
        if type(row) is not dict:
            raise InvalidInput(f"instances[{index}] is {shown(row)}; expected an object, as the first row is.")
    return columns_of_rows(list(chain.from_iterable(map(_exploded, instances))), "instances")


def _exploded(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Split an object of lists, as pandas makes a frame of, into its rows."""
    if not row or set(map(type, row.values())) != {list}:
        return [row]
    lengths = set(map(len, row.values()))
    if len(lengths) > 1 or 0 in lengths:
        raise InvalidInput(
            f"An instance holds lists of {min(lengths)} to {max(lengths)} values; expected as many in each, and one at least."
        )
    return [dict(zip(row, values, strict=True)) for values in zip(*row.values(), strict=True)]


def _from_lists(instances: list[Any], columns: Sequence[str]) -> list[Tensor]:
    shape = _shape(instances)
    check_shape(_TENSOR, shape)
    flat = flatten(_TENSOR, shape, instances)
    if len(shape) > 1 and float in map(type, flat[: shape[-1]]):  # which makes doubles of all other numbers
        numbers = plain_numbers(_TENSOR, Datatype.FP64, flat)
        if numbers is not None:
            return [Tensor(_TENSOR, Datatype.FP64, numbers.reshape(shape))]
    types = element_types(flat)
    if _by_column(shape, types, columns):
        return [infer_column(name, flat[i :: len(columns)]) for i, name in enumerate(columns)]
    return [_tensor(shape, flat, types, columns)]


def _by_column(shape: list[int], types: set[type], columns: Sequence[str]) -> bool:
    if len(shape) == 1:
        return len(columns) == 1
    return len(shape) == _MATRIX and shape[1] == len(columns) and not types <= _PLAIN_NUMBERS


def _shape(instances: list[Any]) -> list[int]:
    shape: list[int] = []
    level: Any = instances
    # One dimension too many is for check_shape to refuse.
    while type(level) is list and len(shape) <= MAX_DIMENSIONS:
        shape.append(len(level))
        level = level[0] if level else None
    return shape


def _tensor(shape: list[int], flat: list[Any], types: set[type], columns: Sequence[str]) -> Tensor:
    datatype = infer_datatype(flat, types)
    if datatype is None:
        raise InvalidInput(_not_one_kind(shape, flat, columns))
    return Tensor(_TENSOR, datatype, convert(_TENSOR, datatype, flat, types).reshape(shape))


def _not_one_kind(shape: list[int], flat: list[Any], columns: Sequence[str]) -> str:
    odd = next((value for value in flat if isinstance(value, dict | list)), None)
    if odd is not None:
        return f"The instances hold {shown(odd)} beside single values; expected rows of the same form."
    wanted = f"rows of {len(columns)} values" if columns else "objects of column names and values"
    return f"The instances, of shape {shape}, mix numbers, strings or booleans; send {wanted}."
