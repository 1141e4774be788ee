"""
What a client may say, and how it is written: in JSON, in bytes behind the JSON, in the messages of gRPC.

All is made here by hand, not by the service's own codecs, which are what is tested.
"""

import json
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from math import isclose, isinf, isnan, prod
from typing import Any, Final

import httpx
import numpy as np

from model.grpc import open_inference_pb2 as pb
from tests.protocol.refusals import Refused, over_rest

DTYPES: Final = {
    "BOOL": "?",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
FIELDS: Final = {
    "BOOL": "bool_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
LENGTH_HEADER: Final = "Inference-Header-Content-Length"
Document = dict[str, Any]


@dataclass(frozen=True)
class Sent:
    """One input: values flat in row-major order, a missing one as None."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: tuple[Any, ...]

    def has_gaps(self) -> bool:
        """Whether it holds a missing value that only JSON can carry, for raw bytes have none but NaN."""
        return None in self.values and not self.datatype.startswith("FP")


@dataclass(frozen=True)
class Ask:
    """An inference request, before it is put into any form."""

    model: str
    inputs: tuple[Sent, ...]
    version: str = ""
    outputs: tuple[str, ...] = ()
    id: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Got:
    """One output, whatever it came by: infinite and missing values as Python has them in a float."""

    datatype: str
    shape: tuple[int, ...]
    values: tuple[Any, ...]

    def array(self) -> Any:
        """Return the values as an array of their shape."""
        return np.array(self.values, dtype=DTYPES.get(self.datatype, "O")).reshape(self.shape)


@dataclass(frozen=True)
class Answer:
    """What came back; a field that is not there is empty."""

    model: str
    version: str
    id: str
    outputs: dict[str, Got]


def same(left: Answer, right: Answer, *, rtol: float = 0.0) -> bool:
    """Whether two answers are equal, to the last bit unless `rtol` allows more, a missing value equal to another."""
    if (left.model, left.version, left.id) != (right.model, right.version, right.id):
        return False
    if list(left.outputs) != list(right.outputs):
        return False
    pairs = list(zip(left.outputs.values(), right.outputs.values(), strict=True))
    if any((a.datatype, a.shape) != (b.datatype, b.shape) for a, b in pairs):
        return False
    values = chain.from_iterable(zip(a.values, b.values, strict=True) for a, b in pairs)
    return all(a == b or (_is(isnan, a) and _is(isnan, b)) or _close(a, b, rtol) for a, b in values)


def _close(a: Any, b: Any, rtol: float) -> bool:
    return isinstance(a, float) and isinstance(b, float) and isclose(a, b, rel_tol=rtol)


def has_infinity(answer: Answer) -> bool:
    """Whether an answer holds what JSON has no token for."""
    return any(_is(isinf, value) for got in answer.outputs.values() for value in got.values)


def _is(test: Callable[[float], bool], value: Any) -> bool:
    return isinstance(value, float) and test(value)


def infer_path(model: str, version: str = "") -> str:
    return f"/v2/models/{model}/versions/{version}/infer" if version else f"/v2/models/{model}/infer"


def nested(shape: Sequence[int], values: Sequence[Any]) -> list[Any]:
    """Nest flat values as a shape says; where they do not fit it, leave them flat."""
    if len(shape) < 2 or min(shape) < 1 or prod(shape) != len(values):
        return list(values)
    size = prod(shape[1:])
    return [nested(shape[1:], values[start : start + size]) for start in range(0, len(values), size)]


def document(ask: Ask, *, nest: bool = False) -> Document:
    """Write a request as the JSON of V2, without the fields that have nothing in them."""
    inputs = [
        {
            "name": sent.name,
            "shape": list(sent.shape),
            "datatype": sent.datatype,
            "data": nested(sent.shape, sent.values) if nest else list(sent.values),
        }
        for sent in ask.inputs
    ]
    body: Document = {"inputs": inputs}
    if ask.id:
        body["id"] = ask.id
    if ask.parameters:
        body["parameters"] = ask.parameters
    if ask.outputs:
        body["outputs"] = [{"name": name} for name in ask.outputs]
    return body


def packed(datatype: str, values: Sequence[Any]) -> bytes:
    """Write values as raw bytes."""
    if datatype == "BYTES":
        return b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in values)
    # The spread of integers up to 64 bits needs the dtype from the start.
    missing = [np.nan if value is None else value for value in values]
    return np.array(missing, dtype=DTYPES[datatype]).tobytes()


def unpacked(datatype: str, raw: bytes) -> tuple[Any, ...]:
    """Read values from raw bytes."""
    if datatype == "BYTES":
        return tuple(_strings(raw))
    return tuple(np.frombuffer(raw, DTYPES[datatype]).tolist())


def _strings(raw: bytes) -> Iterator[str]:
    while raw:
        end = 4 + struct.unpack_from("<I", raw)[0]
        yield raw[4:end].decode()
        raw = raw[end:]


def binary(ask: Ask) -> tuple[bytes, dict[str, str]]:
    """Write a request with its inputs behind the JSON, and the header that tells where they begin."""
    body = document(ask)
    raw = [packed(sent.datatype, sent.values) for sent in ask.inputs]
    for item, content in zip(body["inputs"], raw, strict=True):
        del item["data"]
        item["parameters"] = {"binary_data_size": len(content)}
    head = json.dumps(body).encode()
    return b"".join([head, *raw]), {LENGTH_HEADER: str(len(head))}


def message(ask: Ask, *, raw: bool = False) -> pb.ModelInferRequest:
    """Write a request as the message of gRPC."""
    request = pb.ModelInferRequest(model_name=ask.model, model_version=ask.version, id=ask.id)
    for name, value in ask.parameters.items():
        request.parameters[name].MergeFrom(parameter(value))
    for sent in ask.inputs:
        tensor = request.inputs.add(name=sent.name, datatype=sent.datatype, shape=sent.shape)
        if raw:
            request.raw_input_contents.append(packed(sent.datatype, sent.values))
        else:
            getattr(tensor.contents, FIELDS[sent.datatype]).extend(map(_content, sent.values))
    for name in ask.outputs:
        request.outputs.add(name=name)
    return request


def parameter(value: str | float) -> pb.InferParameter:
    """Write a parameter's value into the field that fits it."""
    if isinstance(value, bool):
        return pb.InferParameter(bool_param=value)
    if isinstance(value, int):
        return pb.InferParameter(int64_param=value)
    if isinstance(value, float):
        return pb.InferParameter(double_param=value)
    return pb.InferParameter(string_param=value)


def _content(value: Any) -> Any:
    if value is None:
        return np.nan
    return value.encode() if isinstance(value, str) else value


def read_rest(response: httpx.Response) -> Answer:
    """Read an answer over REST, binary or not; fail on a field that should have been left out."""
    if response.status_code != 200:
        raise Refused(over_rest(response))
    length = response.headers.get(LENGTH_HEADER)
    head = response.content if length is None else response.content[: int(length)]
    tail = response.content[len(head) :]
    body = json.loads(head, parse_constant=_refuse)
    assert None not in body.values(), body
    outputs = {}
    for item in body["outputs"]:
        outputs[item["name"]], tail = _output(item, tail)
    assert not tail
    return Answer(body["model_name"], body.get("model_version", ""), body.get("id", ""), outputs)


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def _output(item: Document, tail: bytes) -> tuple[Got, bytes]:
    size = item.get("parameters", {}).get("binary_data_size")
    datatype = item["datatype"]
    if size is not None:
        assert "data" not in item
        return Got(datatype, tuple(item["shape"]), unpacked(datatype, tail[:size])), tail[size:]
    values = tuple(np.nan if value is None else value for value in item["data"])
    return Got(datatype, tuple(item["shape"]), values), tail


def read_grpc(answer: pb.ModelInferResponse) -> Answer:
    """Read an answer over gRPC, raw or not."""
    raw = list(answer.raw_output_contents)
    assert len(raw) in {0, len(answer.outputs)}
    outputs = {}
    for index, output in enumerate(answer.outputs):
        if raw:
            assert not output.HasField("contents")
            values = unpacked(output.datatype, raw[index])
        else:
            values = tuple(getattr(output.contents, FIELDS[output.datatype]))
        texts = tuple(value.decode() if isinstance(value, bytes) else value for value in values)
        outputs[output.name] = Got(output.datatype, tuple(output.shape), texts)
    return Answer(answer.model_name, answer.model_version, answer.id, outputs)
