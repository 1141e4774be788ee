"""The Open Inference Protocol: health, metadata, inference, statistics."""

from typing import Any, Final

from model.codec.v2 import decode_request, encode_response
from model.metadata import TensorMetadata
from model.metrics import ModelStatistics
from model.rest.answer import OCTETS, Answer, json_answer
from model.rest.request import Request
from model.signature import Signature
from model.tensors import InferRequest, InferResponse

_SERVICE_UNAVAILABLE: Final = 503
_STAGES: Final = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output")


async def live(request: Request) -> Answer:
    """Answer at all, which is what liveness means; the models have no part in it."""
    return _state({"live": request.dataplane.live()}, "live")


async def ready(request: Request) -> Answer:
    """Tell whether every model can answer."""
    return _state({"ready": request.dataplane.ready()}, "ready")


async def model_ready(request: Request) -> Answer:
    """Tell whether one model, or one version of it, can answer."""
    is_ready = request.dataplane.model_ready(request.model, request.version)
    return _state({"name": request.model, "ready": is_ready}, "ready")


async def server_metadata(request: Request) -> Answer:
    """Describe the server."""
    metadata = request.dataplane.server_metadata()
    return json_answer({"name": metadata.name, "version": metadata.version, "extensions": metadata.extensions})


async def model_metadata(request: Request) -> Answer:
    """Describe a model's inputs and outputs."""
    metadata = request.dataplane.model_metadata(request.client, request.model, request.version)
    document: dict[str, Any] = {"name": metadata.name}
    if metadata.versions:
        document["versions"] = metadata.versions
    document["platform"] = metadata.platform
    document["inputs"] = [_tensor(tensor) for tensor in metadata.inputs]
    document["outputs"] = [_tensor(tensor) for tensor in metadata.outputs]
    return json_answer(document)


async def infer(request: Request) -> Answer:
    """Run a model on the tensors in the body."""
    body = await request.inference_body()
    json_length = request.json_length(body)

    def decode(_: Signature) -> InferRequest:
        return decode_request(body, model_name=request.model, model_version=request.version, json_length=json_length)

    return await request.dataplane.infer(request.model, request.version, decode, _encoded, request.call(len(body)))


async def statistics(request: Request) -> Answer:
    """Give what was counted for one model, or for all."""
    counted = await request.dataplane.statistics(request.client, request.model, request.version)
    return json_answer({"model_stats": [_model_statistics(model) for model in counted]})


def _encoded(request: InferRequest, response: InferResponse) -> Answer:
    body, json_length = encode_response(response, request)
    if json_length is None:
        return Answer(body)
    return Answer(body, 200, OCTETS, ((b"inference-header-content-length", b"%d" % json_length),))


def _state(document: dict[str, Any], key: str) -> Answer:
    return json_answer(document, 200 if document[key] else _SERVICE_UNAVAILABLE)


def _tensor(tensor: TensorMetadata) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}


def _model_statistics(model: ModelStatistics) -> dict[str, Any]:
    stages = {name: getattr(model, name) for name in _STAGES}
    return {
        "name": model.name,
        "version": model.version,
        "last_inference": model.last_inference_ms,
        "inference_count": model.inference_count,
        "execution_count": model.execution_count,
        "inference_stats": {name: {"count": stage.count, "ns": stage.ns} for name, stage in stages.items()},
        "batch_stats": [],
    }
