"""The JSON schemas of what a network takes: tensors of any rank, not rows of columns."""

from math import prod
from typing import Any, Final

from model.datatypes import FLOATS, INTEGERS, Datatype
from model.rest.schemas import Schema, array, closed, reference
from model.signature.schema import Column, Signature

_MOST_EXAMPLES: Final = 1000
"""Values beyond which a tensor is described without an example."""


def network_takes(body: str, signature: Signature) -> bool:
    """Whether a network can be asked by a body: those of rows hold single values, or one tensor."""
    scalars = all((column.shape or ())[1:] in {(), (1,)} for column in signature.inputs)
    return body == "InferRequest" or scalars or (body == "V1Instances" and len(signature.inputs) == 1)


def network_schema(body: str, signature: Signature) -> Schema:
    """
    Describe a body for a network.

    Parameters
    ----------
    body : {"InferRequest", "V1Instances", "Rows"}
    signature : Signature
        Of the layout of tensors.
    """
    if body == "InferRequest":
        return _infer_schema(signature)
    single = len(signature.inputs) == 1
    instance = _nested(signature.inputs[0]) if single else _row(signature)
    if body == "V1Instances":
        return closed({"instances": array(instance, minItems=1)})
    row = _row(signature)
    return {"anyOf": [row, array(row, minItems=1)]}


def _infer_schema(signature: Signature) -> Schema:
    inputs = [_tensor(column) for column in signature.inputs]
    count = len(inputs)
    fixed = {"type": "array", "prefixItems": inputs, "items": False, "minItems": count, "maxItems": count}
    outputs = array(closed({"name": {"enum": [output.name for output in signature.outputs]}}))
    schema: Schema = {"type": "object", "properties": {"inputs": fixed, "outputs": outputs}, "required": ["inputs"]}
    if all(_size(column) <= _MOST_EXAMPLES for column in signature.inputs):
        schema["examples"] = [{"inputs": [_example(column) for column in signature.inputs]}]
    return schema


def _tensor(column: Column) -> Schema:
    return closed(
        {
            "name": {"const": column.name},
            "shape": {"const": _shape(column)},
            "datatype": {"const": str(column.datatype)},
            "data": array(_value(column.datatype), minItems=_size(column), maxItems=_size(column)),
        },
        {"parameters": reference("Parameters")},
    )


def _row(signature: Signature) -> Schema:
    return closed({column.name: _nested(column) for column in signature.inputs})


def _nested(column: Column) -> Schema:
    """Describe the values of one row, list in list."""
    schema = _value(column.datatype)
    for size in reversed((column.shape or ())[1:]):
        schema = array(schema) if size == -1 else array(schema, minItems=size, maxItems=size)
    return schema


def _example(column: Column) -> dict[str, Any]:
    value: Any = {Datatype.BYTES: "text", Datatype.BOOL: False}.get(column.datatype or Datatype.FP32, 0)
    data = [value] * _size(column)
    return {"name": column.name, "shape": _shape(column), "datatype": str(column.datatype), "data": data}


def _value(datatype: Datatype | None) -> Schema:
    if datatype in INTEGERS:
        return {"type": "integer"}
    if datatype in FLOATS:
        return {"type": "number"}
    return {"type": "boolean" if datatype is Datatype.BOOL else "string"}


def _shape(column: Column) -> list[int]:
    """Return the shape of one row."""
    return [1 if size == -1 else size for size in column.shape or ()]


def _size(column: Column) -> int:
    return prod(_shape(column))
