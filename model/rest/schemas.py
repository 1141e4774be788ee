"""The JSON schemas of what is the same for every model."""

from typing import Any, Final

Schema = dict[str, Any]

STRING: Final[Schema] = {"type": "string"}
_BOOLEAN: Final[Schema] = {"type": "boolean"}
_INTEGER: Final[Schema] = {"type": "integer"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}


def reference(name: str) -> Schema:
    """Point to a schema among the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def array(items: Schema, **more: Any) -> Schema:
    """Describe a list."""
    return {"type": "array", "items": items, **more}


def closed(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """Describe an object of these properties and no others."""
    properties = required | (optional or {})
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


_PARAMETERS: Final[Schema] = {
    "type": "object",
    "additionalProperties": {"type": ["string", "number", "boolean"]},
}
_TENSOR_METADATA: Final = closed({"name": STRING, "datatype": STRING, "shape": array(_INTEGER)})
_DURATION: Final = closed({"count": _COUNT, "ns": _COUNT})
_STAGES: Final = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output")
_MODEL_STATISTICS: Final = closed(
    {
        "name": STRING,
        "version": STRING,
        "last_inference": _COUNT,
        "inference_count": _COUNT,
        "execution_count": _COUNT,
        "inference_stats": closed(dict.fromkeys(_STAGES, reference("Duration"))),
        "batch_stats": array({"type": "object"}),
    }
)
_OUTPUT_TENSOR: Final = closed(
    {"name": STRING, "datatype": STRING, "shape": array(_COUNT)},
    {
        "data": array({"type": ["number", "string", "boolean", "null"]}, description="Flat, in row-major order."),
        "parameters": reference("Parameters"),
    },
)
_STATES: Final = ("LOADING", "READY", "UNAVAILABLE")
_ANY: Final[Schema] = {}

SCHEMAS: Final[dict[str, Schema]] = {
    "Error": closed({"error": {"type": "string", "description": "What was got, what was expected, what to do."}}),
    "Alive": closed({"status": {"const": "alive"}}),
    "Live": closed({"live": _BOOLEAN}),
    "Ready": closed({"ready": _BOOLEAN}),
    "ModelReady": closed({"name": STRING, "ready": _BOOLEAN}),
    "ServerMetadata": closed({"name": STRING, "version": STRING, "extensions": array(STRING)}),
    "TensorMetadata": _TENSOR_METADATA,
    "ModelMetadata": closed(
        {
            "name": STRING,
            "platform": STRING,
            "inputs": array(reference("TensorMetadata")),
            "outputs": array(reference("TensorMetadata")),
        },
        {"versions": array(STRING)},
    ),
    "Parameters": _PARAMETERS,
    "OutputTensor": _OUTPUT_TENSOR,
    "InferResponse": closed(
        {"model_name": STRING, "outputs": array(reference("OutputTensor"), minItems=1)},
        {"model_version": STRING, "id": STRING},
    ),
    "Prediction": closed(
        {"prediction": _ANY, "model": STRING},
        {"version": STRING, "probabilities": {"type": "object", "additionalProperties": {"type": ["number", "null"]}}},
    ),
    "Predictions": {"anyOf": [reference("Prediction"), array(reference("Prediction"), minItems=1)]},
    "V1Models": closed({"models": array(STRING)}),
    "V1Predictions": closed({"predictions": array(_ANY)}),
    "Duration": _DURATION,
    "ModelStatistics": _MODEL_STATISTICS,
    "Statistics": closed({"model_stats": array(reference("ModelStatistics"))}),
    "ModelState": closed({"name": STRING, "state": {"enum": list(_STATES)}, "reason": STRING}, {"version": STRING}),
    "RepositoryIndex": array(reference("ModelState")),
    "Loaded": closed({"name": STRING, "load": {"const": True}}),
    "Unloaded": closed({"name": STRING, "unload": {"const": True}}),
    "Document": {"type": "object"},
    "IndexRequest": {"type": "object", "properties": {"ready": _BOOLEAN}},
    "LoadRequest": {"type": "object", "properties": {"parameters": {"type": "object", "maxProperties": 0}}},
    "UnloadRequest": {"type": "object"},
}
