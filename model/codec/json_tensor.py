"""One tensor as the JSON object that the V2 protocol describes."""

from typing import Any, Final, NamedTuple

from model.codec.elements import decode_elements
from model.codec.values import plain_values
from model.codec.wording import shown
from model.datatypes import Datatype
from model.errors import InvalidInput
from model.tensors import Parameters, Tensor

_DATATYPES: Final = {datatype.value: datatype for datatype in Datatype}
_SCALARS: Final = frozenset({str, int, float, bool})


class Header(NamedTuple):
    """What stands before a tensor's data: all its fields but shape and data."""

    name: str
    datatype: Datatype
    parameters: Parameters


def tensor_from_json(item: Any, index: int = 0) -> Tensor:
    """
    Read a tensor whose data are in JSON.

    Parameters
    ----------
    item : object
        Expected is a dict of name, shape, datatype, data and maybe parameters; other keys are ignored.
    index : int
        Position among the inputs, for messages about a tensor without a name.

    Returns
    -------
    Tensor

    Raises
    ------
    InvalidInput
        A field is missing or wrong; the message names it.

    References
    ----------
    Open Inference Protocol v2, "Request Input".
    """
    return with_data(read_header(item, index), item)


def tensor_to_json(tensor: Tensor) -> dict[str, Any]:
    """
    Write a tensor as a dict of plain Python values.

    Parameters
    ----------
    tensor : Tensor

    Returns
    -------
    dict
        As ``tensor_from_json`` reads it; data are flat in row-major order, a missing value is None.

    Raises
    ------
    InvalidInput
        A value is infinite.
    """
    item = describe(tensor)
    item["data"] = plain_values(tensor)
    return item


def describe(tensor: Tensor) -> dict[str, Any]:
    """
    Write all of a tensor but its data.

    Parameters
    ----------
    tensor : Tensor

    Returns
    -------
    dict
        Name, datatype, shape, and parameters if there are any.
    """
    item: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype.value, "shape": list(tensor.data.shape)}
    if tensor.parameters:
        item["parameters"] = dict(tensor.parameters)
    return item


def read_header(item: Any, index: int) -> Header:
    """
    Read all of a tensor but its shape and data.

    Parameters
    ----------
    item : object
        As for ``tensor_from_json``.
    index : int
        Position among the inputs, for messages.

    Returns
    -------
    Header

    Raises
    ------
    InvalidInput
        Not an object, without a name, of an unknown datatype, or with parameters that are none.
    """
    name = read_name(item, "inputs", index)
    datatype = item.get("datatype")
    known = _DATATYPES.get(datatype) if type(datatype) is str else None
    if known is None:
        got = f"{shown(datatype)} as its datatype" if "datatype" in item else "no datatype"
        raise InvalidInput(f"Input {shown(name)} has {got}; expected one of {', '.join(_DATATYPES)}.")
    return Header(name, known, read_parameters(item, "Input", name))


def with_data(header: Header, item: dict[str, Any]) -> Tensor:
    """
    Complete a tensor by the shape and data of its JSON object.

    Parameters
    ----------
    header : Header
    item : dict
        Where `header` was read from.

    Returns
    -------
    Tensor

    Raises
    ------
    InvalidInput
        No data, or data that do not fit shape and datatype.
    """
    data = item.get("data")
    if type(data) is not list:
        got = "no data" if "data" not in item else f"{shown(data)} as its data"
        raise InvalidInput(f"Input {shown(header.name)} has {got}; expected a list.")
    shape: Any = item.get("shape")
    array = decode_elements(header.name, header.datatype, shape, data)
    return Tensor(header.name, header.datatype, array, header.parameters)


def read_name(item: Any, field: str, index: int) -> str:
    """
    Read the name of an object.

    Parameters
    ----------
    item : object
        Expected is a dict with a name.
    field : str
    index : int
        Where in the body it stands, for the message.

    Returns
    -------
    str

    Raises
    ------
    InvalidInput
        Not an object, or without a name that is a string.
    """
    if type(item) is not dict:
        raise InvalidInput(f"{field}[{index}] is {shown(item)}; expected an object with a name.")
    name = item.get("name")
    if type(name) is not str or not name:
        got = f"{shown(name)} as its name" if "name" in item else "no name"
        raise InvalidInput(f"{field}[{index}] has {got}; expected a string that is not empty.")
    return name


def read_parameters(item: dict[str, Any], kind: str, name: str = "") -> Parameters:
    """
    Read the parameters of a request, an input or a requested output.

    Parameters
    ----------
    item : dict
    kind, name : str
        What `item` is, for the message.

    Returns
    -------
    dict
        Empty when there are none.

    Raises
    ------
    InvalidInput
        Not an object, or a value that is no string, number or boolean.
    """
    if "parameters" not in item:
        return {}
    parameters = item["parameters"]
    owner = f"{kind} {shown(name)}" if name else kind
    if type(parameters) is not dict:
        raise InvalidInput(f"{owner} has {shown(parameters)} as its parameters; expected an object.")
    for key, value in parameters.items():
        if type(value) not in _SCALARS:
            raise InvalidInput(
                f"{owner} has {shown(value)} as its parameter {shown(key)}; expected a string, number or boolean."
            )
    return parameters
