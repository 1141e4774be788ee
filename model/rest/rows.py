"""The shortest way in: rows as JSON objects, the prediction beside the probabilities of each class."""

from model.codec.rows import decode_rows, encode_rows
from model.rest.answer import Answer
from model.rest.request import Request
from model.signature.schema import Output, Signature
from model.tensors import InferRequest, InferResponse, RequestedOutput

PROBABILITIES = "predict_proba"


async def predict(request: Request) -> Answer:
    """Run the model of the path, or the default one."""
    body = await request.inference_body()
    name = request.model or request.dataplane.default_model(request.client)
    single = False
    outputs: tuple[Output, ...] = ()

    def decode(signature: Signature) -> InferRequest:
        nonlocal single, outputs
        decoded, single = decode_rows(body, model_name=name)
        outputs = outputs_of(signature)
        decoded.outputs = [RequestedOutput(output.name) for output in outputs]
        return decoded

    def encode(_: InferRequest, response: InferResponse) -> Answer:
        return _encoded(response, outputs, single=single)

    return await request.dataplane.infer(name, "", decode, encode, request.call(len(body)))


def outputs_of(signature: Signature) -> tuple[Output, ...]:
    """Return the outputs that an answer is made of: the prediction, then the probabilities where there are any."""
    prediction, probabilities = signature.outputs[0], signature.output(PROBABILITIES)
    if probabilities is None or probabilities is prediction or not probabilities.labels:
        return (prediction,)
    return (prediction, probabilities)


def _encoded(response: InferResponse, outputs: tuple[Output, ...], *, single: bool) -> Answer:
    prediction, *probabilities = response.outputs
    return Answer(
        encode_rows(
            prediction,
            model_name=response.model_name,
            model_version=response.model_version,
            probabilities=probabilities[0].data if probabilities else None,
            labels=outputs[-1].labels or (),
            single=single,
        )
    )
