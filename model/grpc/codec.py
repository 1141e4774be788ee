"""Inference messages and tensors: ``ModelInferRequest`` to ``InferRequest``, ``InferResponse`` to ``ModelInferResponse``."""

from collections.abc import Iterable
from typing import Final

from model.codec.binary import decode_raw, encode_raw
from model.codec.wording import shown
from model.datatypes import Datatype
from model.errors import InvalidInput
from model.grpc.contents import decode_contents, encode_contents, has_field
from model.grpc.open_inference_pb2 import ModelInferRequest, ModelInferResponse
from model.grpc.parameters import decode_parameters, encode_parameters
from model.tensors import InferRequest, InferResponse, RequestedOutput, Tensor

_Input = ModelInferRequest.InferInputTensor
_Named = _Input | ModelInferRequest.InferRequestedOutputTensor

# Half the time of Datatype(name).
_DATATYPES: Final = {datatype.value: datatype for datatype in Datatype}


def decode_request(message: ModelInferRequest) -> InferRequest:
    """
    Read an inference request.

    Raises
    ------
    InvalidInput
        The message contradicts itself or the protocol; the sentence names the input.

    References
    ----------
    Open Inference Protocol v2, "Inference: ModelInfer" and "Raw Tensor Contents".
    """
    _refuse_duplicates("Input", message.inputs)
    _refuse_duplicates("Output", message.outputs)
    return InferRequest(
        model_name=message.model_name,
        model_version=message.model_version,
        inputs=_decode_inputs(message),
        outputs=[RequestedOutput(output.name, decode_parameters(output.parameters)) for output in message.outputs],
        id=message.id,
        parameters=decode_parameters(message.parameters),
    )


def is_raw(message: ModelInferRequest) -> bool:
    """Tell whether the values of a request travel raw; they are answered in kind."""
    return len(message.raw_input_contents) > 0


def encode_response(response: InferResponse, *, raw: bool) -> ModelInferResponse:
    """
    Write the answer to a request.

    Parameters
    ----------
    response : InferResponse
    raw : bool
        Whether the request was raw. An answer with an output that has no typed field (FP16) is raw anyhow.
    """
    message = ModelInferResponse(model_name=response.model_name, model_version=response.model_version, id=response.id)
    raw = raw or not all(has_field(tensor.datatype) for tensor in response.outputs)
    for tensor in response.outputs:
        output = message.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.data.shape)
        encode_parameters(tensor.parameters, output.parameters)
        if raw:
            message.raw_output_contents.append(encode_raw(tensor))
        else:
            output.contents.CopyFrom(encode_contents(tensor))
    return message


def _decode_inputs(message: ModelInferRequest) -> list[Tensor]:
    if is_raw(message):
        return _decode_raw_inputs(message)
    return [_decode_input(tensor) for tensor in message.inputs]


def _decode_raw_inputs(message: ModelInferRequest) -> list[Tensor]:
    inputs, buffers = message.inputs, message.raw_input_contents
    if len(inputs) != len(buffers):
        raise InvalidInput(
            f"The request has {len(inputs)} inputs and {len(buffers)} raw_input_contents; send one for each input."
        )
    return [_decode_raw_input(tensor, buffer) for tensor, buffer in zip(inputs, buffers, strict=True)]


def _decode_raw_input(tensor: _Input, buffer: bytes) -> Tensor:
    if tensor.HasField("contents") and tensor.contents.ListFields():
        raise InvalidInput(
            f"Input {shown(tensor.name)} has contents beside raw_input_contents; send every input raw, or none."
        )
    datatype = _datatype(tensor)
    data = decode_raw(tensor.name, datatype, tuple(tensor.shape), buffer)
    return Tensor(tensor.name, datatype, data, decode_parameters(tensor.parameters))


def _decode_input(tensor: _Input) -> Tensor:
    datatype = _datatype(tensor)
    data = decode_contents(tensor.name, datatype, tuple(tensor.shape), tensor.contents)
    return Tensor(tensor.name, datatype, data, decode_parameters(tensor.parameters))


def _datatype(tensor: _Input) -> Datatype:
    datatype = _DATATYPES.get(tensor.datatype)
    if datatype is None:
        raise InvalidInput(
            f"Input {shown(tensor.name)} has datatype {shown(tensor.datatype)}; expected one of {', '.join(Datatype)}."
        )
    return datatype


def _refuse_duplicates(kind: str, tensors: Iterable[_Named]) -> None:
    names = [tensor.name for tensor in tensors]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidInput(f"{kind} {shown(twice)} comes twice; send it once.")
