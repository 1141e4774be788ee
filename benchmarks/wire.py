"""Requests as each server wants them, and the labels in its answers."""

import http.client
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import grpc
import numpy as np
import orjson
from numpy.typing import NDArray

from benchmarks.errors import Void
from benchmarks.workloads import Protocol
from model.grpc import open_inference_pb2 as pb

METHOD: Final = "/inference.GRPCInferenceService/ModelInfer"
TIMEOUT_SECONDS: Final = 30
_OK: Final = 200

Rows = NDArray[np.float64]
Labels = list[int]


@dataclass(frozen=True, slots=True)
class Request:
    """
    What is sent, again and again.

    Parameters
    ----------
    protocol : {"rest", "grpc"}
    path : str
    body : bytes
        Of gRPC the bare message.
    labels : callable
        Reads the labels in an answer's body.
    """

    protocol: Protocol
    path: str
    body: bytes
    labels: Callable[[bytes], Labels]

    def ask(self, port: int) -> bytes:
        """
        Send the request once, and return the answer's body.

        Raises
        ------
        Void
            There is no answer, or an error.
        """
        try:
            return _ask_rest(self, port) if self.protocol == "rest" else _ask_grpc(self, port)
        except (OSError, grpc.RpcError) as error:
            raise Void(f"{self.path} on port {port} gave no answer: {error}") from error


def v2(protocol: Protocol, model: str, rows: Rows) -> Request:
    """Return a request of the Open Inference Protocol: JSON over REST, raw contents over gRPC."""
    if protocol == "grpc":
        return Request("grpc", METHOD, _message(model, rows), _labels_in_message)
    tensor = {"name": "input-0", "shape": rows.shape, "datatype": "FP64", "data": rows.ravel().tolist()}
    return Request("rest", f"/v2/models/{model}/infer", orjson.dumps({"inputs": [tensor]}), _labels_in_v2)


def instances(path: str, rows: Rows, labels: Callable[[Any], Labels]) -> Request:
    """
    Return a request that carries its rows as ``instances``.

    Parameters
    ----------
    path : str
    rows : ndarray
    labels : callable
        Finds the labels in the parsed answer.
    """
    return Request("rest", path, orjson.dumps({"instances": rows.tolist()}), lambda body: labels(orjson.loads(body)))


def framed(message: bytes) -> bytes:
    """Return a gRPC message as it stands in an HTTP/2 body: not compressed, with its length."""
    return struct.pack(">BI", 0, len(message)) + message


def _message(model: str, rows: Rows) -> bytes:
    tensor = pb.ModelInferRequest.InferInputTensor(name="input-0", datatype="FP64", shape=rows.shape)
    raw = [rows.astype("<f8").tobytes()]
    return pb.ModelInferRequest(model_name=model, inputs=[tensor], raw_input_contents=raw).SerializeToString()


def _labels_in_v2(body: bytes) -> Labels:
    labels: Labels = orjson.loads(body)["outputs"][0]["data"]
    return labels


def _labels_in_message(body: bytes) -> Labels:
    response = pb.ModelInferResponse.FromString(body)
    labels: Labels = np.frombuffer(response.raw_output_contents[0], "<i8").tolist()
    return labels


def _ask_rest(request: Request, port: int) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("POST", request.path, request.body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status != _OK:
        raise Void(f"{request.path} on port {port} answered {answer.status}: {body[:300]!r}")
    return body


def _ask_grpc(request: Request, port: int) -> bytes:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(request.path)
        answer: bytes = call(request.body, timeout=TIMEOUT_SECONDS)
        return answer
