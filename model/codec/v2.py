"""The V2 REST body: JSON, with the tensors of the binary extension behind it."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from model.codec.binary import decode_raw, encode_raw
from model.codec.document import Body, parse_object, write
from model.codec.json_tensor import Header, describe, read_header, read_name, read_parameters, with_data
from model.codec.values import flat_values
from model.codec.wording import shown
from model.errors import InvalidInput
from model.tensors import InferRequest, InferResponse, Parameters, RequestedOutput, Tensor

_SIZE: Final = "binary_data_size"
_BINARY: Final = "binary_data"
_ALL_BINARY: Final = "binary_data_output"


def decode_request(
    body: Body,
    *,
    model_name: str = "",
    model_version: str = "",
    json_length: int | None = None,
) -> InferRequest:
    """
    Read the body of a V2 inference request.

    Parameters
    ----------
    body : bytes-like
        Decompressed.
    model_name, model_version : str
        From the path; the body has no say in them.
    json_length : int or None
        ``Inference-Header-Content-Length``: how many of the bytes are JSON; None means all.

    Returns
    -------
    InferRequest
        Binary inputs are views of `body`, their ``binary_data_size`` is no longer among their parameters.

    Raises
    ------
    InvalidInput
        The body is not what the protocol asks for; the message names the field.

    References
    ----------
    Open Inference Protocol v2, "Inference Request" and "Binary Tensor Data" extension.
    """
    head, tail = _split(body, json_length)
    document = parse_object(head)
    return InferRequest(
        model_name=model_name,
        model_version=model_version,
        inputs=_inputs(document, tail),
        outputs=_outputs(document) if "outputs" in document else (),
        id=_id(document) if "id" in document else "",
        parameters=_parameters(document),
    )


def encode_response(response: InferResponse, request: InferRequest) -> tuple[bytes, int | None]:
    """
    Write the answer to a V2 inference request.

    Parameters
    ----------
    response : InferResponse
    request : InferRequest
        Says which outputs are to be binary.

    Returns
    -------
    body : bytes
    json_length : int or None
        ``Inference-Header-Content-Length``; None when all of the body is JSON.

    Raises
    ------
    InvalidInput
        A value can't be written in the form asked for: infinite in JSON, missing in raw BOOL, integers or BYTES.
    ServingError
        The model answered with text that is not valid Unicode.

    References
    ----------
    Open Inference Protocol v2, "Inference Response" and "Binary Tensor Data" extension.
    """
    raw: list[bytes] = []
    binary = _binary_names(response.outputs, request)
    document: dict[str, Any] = {"model_name": response.model_name}
    if response.model_version:
        document["model_version"] = response.model_version
    if response.id:
        document["id"] = response.id
    document["outputs"] = [
        _binary_output(output, raw) if output.name in binary else _json_output(output) for output in response.outputs
    ]
    head = write(document, response.model_name)
    return (b"".join([head, *raw]), len(head)) if binary else (head, None)


class _Tail:
    """The bytes behind the JSON, handed out in order."""

    __slots__ = ("_buffer", "_offset")

    def __init__(self, buffer: memoryview) -> None:
        self._buffer = buffer
        self._offset = 0

    def take(self, name: str, size: int) -> memoryview:
        start, end = self._offset, self._offset + size
        if end > len(self._buffer):
            raise InvalidInput(
                f"Input {shown(name)} has {size} as its {_SIZE}, but {len(self._buffer) - start} bytes are left behind the JSON; check the size and the header Inference-Header-Content-Length."
            )
        self._offset = end
        return self._buffer[start:end]

    def refuse_surplus(self) -> None:
        surplus = len(self._buffer) - self._offset
        if surplus:
            raise InvalidInput(f"The body has {surplus} bytes behind the JSON that no input's {_SIZE} accounts for.")


def _split(body: Body, json_length: int | None) -> tuple[Body, _Tail | None]:
    if json_length is None:
        return body, None
    if not 0 <= json_length <= len(body):
        raise InvalidInput(
            f"The header Inference-Header-Content-Length is {json_length}; the body has {len(body)} bytes."
        )
    view = memoryview(body)
    return view[:json_length], _Tail(view[json_length:])


def _inputs(document: dict[str, Any], tail: _Tail | None) -> list[Tensor]:
    items = document.get("inputs")
    if type(items) is not list or not items:
        raise InvalidInput(_no_inputs(document))
    inputs = [_input(item, index, tail) for index, item in enumerate(items)]
    if tail is not None:
        tail.refuse_surplus()
    if len(inputs) > 1:
        _refuse_repeats("Input", [tensor.name for tensor in inputs])
    return inputs


def _no_inputs(document: dict[str, Any]) -> str:
    if "inputs" not in document:
        return "The body has no inputs; expected a list of tensors."
    items = document["inputs"]
    return f"The body has {'an empty list' if items == [] else shown(items)} as its inputs; expected a list of tensors."


def _input(item: Any, index: int, tail: _Tail | None) -> Tensor:
    header = read_header(item, index)
    if _SIZE in header.parameters:
        return _binary_input(header, item, tail)
    return with_data(header, item)


def _binary_input(header: Header, item: dict[str, Any], tail: _Tail | None) -> Tensor:
    name, datatype, parameters = header
    size = parameters.pop(_SIZE)
    if type(size) is not int or size < 0:
        raise InvalidInput(
            f"Input {shown(name)} has {shown(size)} as its {_SIZE}; expected an integer that is not negative."
        )
    if "data" in item:
        raise InvalidInput(f"Input {shown(name)} has both data and {_SIZE}; send one of them.")
    if tail is None:
        raise InvalidInput(
            f"Input {shown(name)} has a {_SIZE}, but the request has no header Inference-Header-Content-Length."
        )
    shape: Any = item.get("shape")
    return Tensor(name, datatype, decode_raw(name, datatype, shape, tail.take(name, size)), parameters)


def _outputs(document: dict[str, Any]) -> list[RequestedOutput]:
    items = document["outputs"]
    if type(items) is not list:
        raise InvalidInput(f"The body has {shown(items)} as its outputs; expected a list of objects with a name.")
    outputs = [_output(item, index) for index, item in enumerate(items)]
    _refuse_repeats("Output", [output.name for output in outputs])
    return outputs


def _output(item: Any, index: int) -> RequestedOutput:
    name = read_name(item, "outputs", index)
    parameters = read_parameters(item, "Output", name)
    _refuse_non_boolean(parameters, _BINARY, f"Output {shown(name)}")
    return RequestedOutput(name, parameters)


def _id(document: dict[str, Any]) -> str:
    request_id = document["id"]
    if type(request_id) is not str:
        raise InvalidInput(f"The body has {shown(request_id)} as its id; expected a string.")
    return request_id


def _parameters(document: dict[str, Any]) -> Parameters:
    parameters = read_parameters(document, "The body")
    _refuse_non_boolean(parameters, _ALL_BINARY, "The body")
    return parameters


def _refuse_non_boolean(parameters: Parameters, key: str, owner: str) -> None:
    if type(parameters.get(key, False)) is not bool:
        raise InvalidInput(f"{owner} has {shown(parameters[key])} as its parameter {key}; expected true or false.")


def _refuse_repeats(kind: str, names: list[str]) -> None:
    if len(set(names)) < len(names):
        twice, _ = Counter(names).most_common(1)[0]
        raise InvalidInput(f"{kind} {shown(twice)} comes twice; send it once.")


def _binary_names(outputs: Iterable[Tensor], request: InferRequest) -> set[str]:
    default = request.parameters.get(_ALL_BINARY) is True
    if not default and not request.outputs:
        return set()
    asked = {output.name: output.parameters.get(_BINARY, default) for output in request.outputs}
    return {output.name for output in outputs if asked.get(output.name, default) is True}


def _json_output(output: Tensor) -> dict[str, Any]:
    item = describe(output)
    item["data"] = flat_values(output)
    return item


def _binary_output(output: Tensor, raw: list[bytes]) -> dict[str, Any]:
    raw.append(encode_raw(output))
    item = describe(output)
    item["parameters"] = {**output.parameters, _SIZE: len(raw[-1])}
    return item
