"""The parameters of requests and tensors: protobuf maps and plain dictionaries."""

from collections.abc import Mapping, MutableMapping
from typing import Final

from model.codec.wording import shown
from model.errors import InvalidInput
from model.grpc.open_inference_pb2 import InferParameter
from model.tensors import Parameters

_INT64_MAX: Final = 2**63 - 1


def decode_parameters(parameters: Mapping[str, InferParameter]) -> Parameters:
    """
    Read a message's parameters.

    Raises
    ------
    InvalidInput
        A parameter has no value.
    """
    if not parameters:  # by far the most frequent case
        return {}
    return {name: _decode(name, parameter) for name, parameter in parameters.items()}


def encode_parameters(parameters: Parameters, message: MutableMapping[str, InferParameter]) -> None:
    """Write parameters into a message's map."""
    for name, value in parameters.items():
        # A map of messages has no item assignment: asking for a key makes it.
        message[name].MergeFrom(_encode(value))


def _decode(name: str, parameter: InferParameter) -> str | int | float | bool:
    choice = parameter.WhichOneof("parameter_choice")
    if choice is None:
        raise InvalidInput(f"Parameter {shown(name)} has no value; set one of its fields, for example string_param.")
    value: str | int | float | bool = getattr(parameter, choice)
    return value


def _encode(value: str | float | bool) -> InferParameter:  # noqa: FBT001 (a value, not a switch)
    match value:
        case bool():  # before int, of which it is a kind
            return InferParameter(bool_param=value)
        case int() if value > _INT64_MAX:
            return InferParameter(uint64_param=value)
        case int():
            return InferParameter(int64_param=value)
        case float():
            return InferParameter(double_param=value)
        case _:
            return InferParameter(string_param=value)
