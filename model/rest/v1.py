"""The V1 protocol, for clients that come from KServe's sklearnserver."""

from model.codec.v1 import decode_request, encode_response
from model.rest import v2
from model.rest.answer import Answer, json_answer
from model.rest.request import Request
from model.signature import Signature
from model.tensors import InferRequest, InferResponse


async def models(request: Request) -> Answer:
    """Name the models that can answer."""
    return json_answer({"models": list(dict.fromkeys(name for name, _ in request.dataplane.models(request.client)))})


async def model_ready(request: Request) -> Answer:
    """Tell whether a model can answer, as KServe does: with a boolean."""
    request.dataplane.permit(request.client, request.model)
    return await v2.model_ready(request)


async def predict(request: Request) -> Answer:
    """Run a model on the rows in the body."""
    body = await request.inference_body()

    def decode(signature: Signature) -> InferRequest:
        columns = signature.names if signature.named else ()
        return decode_request(body, model_name=request.model, columns=columns)

    return await request.dataplane.infer(request.model, "", decode, _encoded, request.call(len(body)))


def _encoded(_: InferRequest, response: InferResponse) -> Answer:
    return Answer(encode_response(response))
