"""Faults of messages that only gRPC can carry."""

from typing import Any

from model.grpc import open_inference_pb2 as pb
from tests.protocol.encodings import Ask, message
from tests.protocol.faults import Fault, plane, x


def contents(datatype: str, shape: tuple[int, ...] = (1, 2), **values: Any) -> pb.ModelInferRequest:
    """Return a message whose only input has its values in the fields given."""
    request = pb.ModelInferRequest(model_name="plane")
    tensor = request.inputs.add(name="x", datatype=datatype, shape=shape)
    for name, given in values.items():
        getattr(tensor.contents, name).extend(given)
    return request


def raw_beside_contents() -> pb.ModelInferRequest:
    request = message(plane())
    request.raw_input_contents.append(bytes(16))
    return request


def raw_without_a_second() -> pb.ModelInferRequest:
    request = message(Ask("plane", tuple(x(1.0, shape=(1,), name=name) for name in ("left", "right"))), raw=True)
    del request.raw_input_contents[1:]
    return request


def parameter_without_value() -> pb.ModelInferRequest:
    request = message(plane())
    request.parameters["empty"].MergeFrom(pb.InferParameter())
    return request


MESSAGES = [
    Fault("no message", r"The body is not a valid inference\.ModelInferRequest; .*", grpc=b"\xff\xff"),
    Fault("message cut off", r"The body is not a valid inference\.ModelInferRequest; .*", grpc=message(plane()).SerializeToString()[:-3]),
    Fault("name not UTF-8", r"The body is not a valid inference\.ModelInferRequest; .*", grpc=b"\x0a\x01\xff"),
    Fault("no model", r"No model is named and there is no default one; expected one of champion, dates, .*", grpc=b""),
    Fault("no inputs", "Column 'left' is missing; expected left, right.|The request has no inputs; .*", grpc=pb.ModelInferRequest(model_name="plane")),
    Fault("unknown datatype", "Input 'x' has datatype 'FP80'; expected one of BOOL, .*, BYTES.", grpc=contents("FP80", fp64_contents=[1, 2])),
    Fault("no datatype", "Input 'x' has datatype ''; expected one of BOOL, .*, BYTES.", grpc=contents("", fp64_contents=[1, 2])),
    Fault("no values", "Input 'x' comes without values; FP64 takes fp64_contents.", grpc=contents("FP64")),
    Fault("text in a float tensor", "Input 'x' comes with bytes_contents; FP64 takes fp64_contents.", grpc=contents("FP64", bytes_contents=[b"a", b"b"])),
    Fault("fractions in an INT32", "Input 'x' comes with fp32_contents; INT32 takes int_contents.", grpc=contents("INT32", fp32_contents=[1.7, 2])),
    Fault("text in a BOOL", "Input 'x' comes with bytes_contents; BOOL takes bool_contents.", grpc=contents("BOOL", bytes_contents=[b"false", b"true"])),
    Fault("values in two fields", "Input 'x' comes with fp32_contents and fp64_contents; FP64 takes fp64_contents.", grpc=contents("FP64", fp64_contents=[1, 2], fp32_contents=[1])),
    Fault("INT8 of 300", r"Input 'x' holds a value out of range for INT8 \(-128 to 127\)\.", grpc=contents("INT8", int_contents=[1, 300])),
    Fault("UINT16 of 70000", r"Input 'x' holds a value out of range for UINT16 \(0 to 65535\)\.", grpc=contents("UINT16", uint_contents=[70000, 1])),
    Fault("FP16 in contents", "Input 'x' is FP16, for which contents have no field; send it in raw_input_contents.", grpc=contents("FP16", fp32_contents=[1, 2])),
    Fault("infinity", "Column 'right' has infinity in row 0; expected a finite number.", grpc=contents("FP64", fp64_contents=[1, float("inf")])),
    Fault("text not UTF-8", "Input 'x' holds bytes that are not UTF-8; BYTES takes text in UTF-8.", grpc=contents("BYTES", bytes_contents=[b"\xff", b"a"])),
    Fault("raw beside contents", "Input 'x' has contents beside raw_input_contents; send every input raw, or none.", grpc=raw_beside_contents()),
    Fault("raw of one input alone", "The request has 2 inputs and 1 raw_input_contents; send one for each input.", grpc=raw_without_a_second()),
    Fault("parameter without value", "Parameter 'empty' has no value; .*", grpc=parameter_without_value()),
]  # fmt: skip
