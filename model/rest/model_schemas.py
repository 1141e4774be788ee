"""The JSON schemas of what one model takes, with an example of each, made from its signature."""

from typing import Any, Final

from model.datatypes import FLOATS, INTEGERS, NUMERIC, Datatype
from model.rest.schemas import STRING, Schema, array, closed, reference
from model.signature.schema import MATRIX_NAME, Column, Layout, Signature

_SCALARS: Final = ["number", "string", "boolean"]
_INT64: Final[Schema] = {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}
_ROWS_NOTE: Final = "This schema shows one row; n rows have the shape [n] or [n, 1] and n values."
_EXAMPLE_DATE: Final = "2024-05-17T12:00:00Z"
_SIGNIFICANT: Final = 4


def row_schema(signature: Signature) -> Schema:
    """Describe a row as an object: each column by its name, and nothing else."""
    return closed({column.name: value_schema(column, signature) for column in signature.inputs})


def rows_schema(signature: Signature) -> Schema:
    """Describe the body of ``/predict``: a row, or a list of rows."""
    row = row_schema(signature)
    return {"anyOf": [row, array(row, minItems=1)], "examples": [row_example(signature)]}


def row_example(signature: Signature) -> dict[str, Any]:
    """Return a row that the model answers."""
    return {column.name: example(column) for column in signature.inputs}


def instances_schema(signature: Signature) -> Schema:
    """Describe the body of a V1 prediction: rows as lists, as objects where columns have names, bare if there is one."""
    values = [value_schema(column, signature) for column in signature.inputs]
    forms = [array(_fixed(values), minItems=1)]
    if signature.named:
        forms.insert(0, array(row_schema(signature), minItems=1))
    if len(values) == 1:
        forms.append(array(values[0], minItems=1))
    row = row_example(signature)
    instances = [row] if signature.named else [list(row.values())]
    return {
        "type": "object",
        "properties": {"instances": {"anyOf": forms}},
        "required": ["instances"],
        "examples": [{"instances": instances}],
    }


def infer_schema(signature: Signature) -> Schema:
    """Describe the body of a V2 inference request."""
    outputs = [
        {
            "type": "object",
            "properties": {"name": {"const": output.name}, "parameters": _parameters(binary_data={"type": "boolean"})},
            "required": ["name"],
        }
        for output in signature.outputs
    ]
    properties = {
        "id": STRING,
        "parameters": _parameters(
            binary_data_output={"type": "boolean"}, content_type={"const": "pd" if signature.named else "np"}
        ),
        "inputs": _fixed([_tensor_schema(tensor) for tensor in _tensors(signature)]) | {"description": _ROWS_NOTE},
        "outputs": {"type": "array", "prefixItems": outputs, "items": False},
    }
    return {"type": "object", "properties": properties, "required": ["inputs"], "examples": [infer_example(signature)]}


def infer_example(signature: Signature) -> dict[str, Any]:
    """Return a V2 request that the model answers."""
    return {
        "inputs": [
            {
                "name": name,
                "shape": shape,
                "datatype": datatype.value,
                "data": [example(column, datatype) for column in columns],
            }
            for name, shape, datatype, columns, _ in _tensors(signature)
        ]
    }


def value_schema(column: Column, signature: Signature, datatype: Datatype | None = None) -> Schema:
    """Describe one value of a column, as JSON without a declared datatype or with one."""
    schema = _type_schema(column, signature, datatype)
    if column.missing:
        schema["type"] = [*_listed(schema["type"]), "null"]
    if column.categories:
        schema["description"] = "Values seen in training are among the examples; others are not refused as such."
        schema["examples"] = list(column.categories)
    elif column.minimum is not None:
        schema["description"] = f"In training from {column.minimum:g} to {column.maximum:g}."
    return schema


def example(column: Column, datatype: Datatype | None = None) -> Any:
    """Return a value that fits a column."""
    if column.categories:
        return column.categories[0]
    if column.dtype.startswith("datetime64"):
        return _EXAMPLE_DATE
    kind = datatype or column.datatype
    if kind is Datatype.BYTES:
        return "text"
    if kind is Datatype.BOOL:
        return True
    middle = 0.0 if column.minimum is None or column.maximum is None else column.minimum / 2 + column.maximum / 2
    whole = kind in INTEGERS or column.dtype.startswith("int")
    return round(middle) if whole else float(f"{middle:.{_SIGNIFICANT}g}")


Described = tuple[str, list[int], Datatype, list[Column], Signature]


def _tensors(signature: Signature) -> list[Described]:
    """Return the tensors of a request of one row: name, shape, datatype, and the columns whose values it holds."""
    columns = list(signature.inputs)
    if signature.named:
        return [(column.name, [1], column.datatype or Datatype.FP64, [column], signature) for column in columns]
    if signature.layout is Layout.TEXT:
        return [(MATRIX_NAME, [1], Datatype.BYTES, columns, signature)]
    datatype = Datatype.FP64 if signature.numeric else Datatype.BYTES
    return [(MATRIX_NAME, [1, len(columns)], datatype, columns, signature)]


def _tensor_schema(described: Described) -> Schema:
    name, shape, datatype, columns, signature = described
    # A lone tensor is taken by any name.
    named = signature.named and len(signature.inputs) > 1
    return {
        "type": "object",
        "properties": {
            "name": {"const": name} if named else {"type": "string", "minLength": 1, "examples": [name]},
            "shape": {"const": shape},
            "datatype": {"const": datatype.value},
            "data": _fixed([value_schema(column, signature, datatype) for column in columns]),
            "parameters": reference("Parameters"),
        },
        "required": ["name", "shape", "datatype", "data"],
    }


def _type_schema(column: Column, signature: Signature, datatype: Datatype | None) -> Schema:
    if column.dtype.startswith("datetime64"):
        return {"type": "string", "format": "date-time"}
    if datatype in INTEGERS:
        return dict(_INT64)
    if datatype in FLOATS:
        return {"type": "number"}
    kind = datatype or column.datatype
    if kind is None:
        return {"type": "number"} if signature.layout is Layout.ARRAY else {"type": list(_SCALARS)}
    if kind in NUMERIC:
        return {"type": "number"}
    return {"type": "boolean" if kind is Datatype.BOOL else "string"}


def _parameters(**known: Schema) -> Schema:
    return {
        "type": "object",
        "properties": known,
        "additionalProperties": {"type": ["string", "number", "boolean"]},
    }


def _fixed(items: list[Schema]) -> Schema:
    """Describe a list of exactly these items, in this order."""
    return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items), "maxItems": len(items)}


def _listed(types: str | list[str]) -> list[str]:
    return [types] if isinstance(types, str) else types
