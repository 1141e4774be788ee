"""The ways a request may travel: one function per protocol and encoding, and the clients they use."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import grpc
import httpx
from google.protobuf.message import Message

from model.grpc import open_inference_pb2 as pb
from tests.protocol.encodings import (
    LENGTH_HEADER,
    Answer,
    Ask,
    binary,
    document,
    infer_path,
    message,
    read_grpc,
    read_rest,
)
from tests.protocol.refusals import Refused, read_error
from tests.servers import ServerProcess

SERVICE: Final = "inference.GRPCInferenceService"


@dataclass
class Clients:
    """A client of each protocol for one server."""

    server: ServerProcess
    rest: httpx.Client
    channel: grpc.Channel
    metadata: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, server: ServerProcess, key: str | None = None) -> "Clients":
        credentials = {} if key is None else {"Authorization": f"Bearer {key}"}
        return cls(
            server,
            httpx.Client(base_url=f"http://127.0.0.1:{server.http_port}", headers=credentials, timeout=30),
            grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}"),
            tuple((name.lower(), value) for name, value in credentials.items()),
        )

    def close(self) -> None:
        self.rest.close()
        self.channel.close()

    def call(self, method: str, request: Message | bytes, *, timeout: float = 30) -> Any:
        """Call a method of the inference service and return its parsed answer."""
        return self.call_with_trailers(method, request, timeout=timeout)[0]

    def call_with_trailers(
        self, method: str, request: Message | bytes, *, timeout: float = 30
    ) -> tuple[Any, dict[str, str]]:
        """Call a method, and return the metadata that came behind the answer too."""
        answer_type = getattr(pb, f"{method}Response")
        stub: grpc.UnaryUnaryMultiCallable[Message | bytes, Any] = self.channel.unary_unary(
            f"/{SERVICE}/{method}",
            request_serializer=lambda m: m if isinstance(m, bytes) else m.SerializeToString(),
            response_deserializer=answer_type.FromString,
        )
        answer, call = stub.with_call(request, timeout=timeout, metadata=self.metadata)
        return answer, {str(key): str(value) for key, value in call.trailing_metadata() or ()}

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """Post JSON, or bytes as they are."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.rest.post(path, content=content, headers={k.replace("_", "-"): v for k, v in headers.items()})


def json_flat(clients: Clients, ask: Ask) -> Answer:
    return read_rest(clients.post(infer_path(ask.model, ask.version), document(ask)))


def json_nested(clients: Clients, ask: Ask) -> Answer:
    return read_rest(clients.post(infer_path(ask.model, ask.version), document(ask, nest=True)))


def json_gzipped(clients: Clients, ask: Ask) -> Answer:
    content = gzip.compress(json.dumps(document(ask)).encode())
    return read_rest(clients.post(infer_path(ask.model, ask.version), content, Content_Encoding="gzip"))


def binary_in(clients: Clients, ask: Ask) -> Answer:
    content, headers = binary(ask)
    return read_rest(clients.post(infer_path(ask.model, ask.version), content, **headers))


def binary_out(clients: Clients, ask: Ask) -> Answer:
    return _all_binary(clients.post(infer_path(ask.model, ask.version), document(_wanting_binary(ask))))


def binary_both(clients: Clients, ask: Ask) -> Answer:
    content, headers = binary(_wanting_binary(ask))
    return _all_binary(clients.post(infer_path(ask.model, ask.version), content, **headers))


def _wanting_binary(ask: Ask) -> Ask:
    return replace(ask, parameters={**ask.parameters, "binary_data_output": True})


def _all_binary(response: httpx.Response) -> Answer:
    answer = read_rest(response)
    head = json.loads(response.content[: int(response.headers[LENGTH_HEADER])])
    assert all("data" not in item for item in head["outputs"])
    return answer


def grpc_contents(clients: Clients, ask: Ask) -> Answer:
    answer = _infer(clients, message(ask))
    assert not answer.raw_output_contents
    return read_grpc(answer)


def grpc_raw(clients: Clients, ask: Ask) -> Answer:
    answer = _infer(clients, message(ask, raw=True))
    assert answer.raw_output_contents
    return read_grpc(answer)


def _infer(clients: Clients, request: pb.ModelInferRequest) -> pb.ModelInferResponse:
    try:
        answer: pb.ModelInferResponse = clients.call("ModelInfer", request)
    except grpc.RpcError as error:
        raise Refused(read_error(error)[0]) from error
    return answer


Wire = Callable[[Clients, Ask], Answer]
JSON_IN: Final[dict[str, Wire]] = {wire.__name__: wire for wire in (json_flat, json_nested, json_gzipped, binary_out)}
"""Ways that carry a missing value of any datatype."""
BYTES_IN: Final[dict[str, Wire]] = {wire.__name__: wire for wire in (binary_in, binary_both, grpc_contents, grpc_raw)}
WIRES: Final[dict[str, Wire]] = {**JSON_IN, **BYTES_IN}


def carries(wire: str, ask: Ask) -> bool:
    """Tell whether a way has a form for every value of a request."""
    if wire in JSON_IN:
        return True
    if wire == "grpc_contents" and any(sent.datatype == "FP16" for sent in ask.inputs):
        return False
    return not any(sent.has_gaps() for sent in ask.inputs)
