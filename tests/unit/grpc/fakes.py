"""A data plane that answers as told, a loop for the server, and a client: what the tests of the gRPC front-end share."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import grpc
import pytest
import uvloop
from google.protobuf.message import Message

from model.call import Call
from model.dataplane import DataPlane
from model.datatypes import Datatype
from model.errors import NotFound, Unauthenticated
from model.grpc import open_inference_pb2 as pb
from model.keys import ANYONE
from model.keys import Client as Asking
from model.metadata import ModelMetadata, ServerMetadata, TensorMetadata
from model.metrics import ModelStatistics
from model.repository import ModelState, State
from model.signature import Signature
from model.tensors import InferRequest, InferResponse, Tensor

T = TypeVar("T")
UNSEEN: Any = None
"""The signature, which no message of gRPC is read by."""
Response = TypeVar("Response", bound=Message)

KEY = "Bearer right"


@dataclass
class FakeDataPlane(DataPlane):
    """Echoes the inputs of a request as outputs unless told otherwise."""

    is_ready: bool = True
    model_is_ready: bool = True
    error: Exception | None = None
    outputs: Sequence[Tensor] | None = None
    key: str | None = None
    gate: asyncio.Event | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    counted: list[ModelStatistics] = field(default_factory=list)
    requests: list[InferRequest] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    async def infer(
        self,
        model_name: str,
        model_version: str,
        decode: Callable[[Signature], InferRequest],
        encode: Callable[[InferRequest, InferResponse], T],
        call: Call,
    ) -> T:
        self.calls.append(call)
        if self.error is not None:
            raise self.error
        if self.gate is not None:
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        request = decode(UNSEEN)
        self.requests.append(request)
        outputs = request.inputs if self.outputs is None else self.outputs
        return encode(request, InferResponse(model_name, model_version, outputs, request.id))

    def live(self) -> bool:
        return True

    def ready(self) -> bool:
        return self.is_ready

    def model_ready(self, name: str, version: str = "") -> bool:
        self.asked.append(("model_ready", name, version))
        if name != "penguins":
            raise NotFound(f"There is no model '{name}' here.")
        return self.model_is_ready

    def server_metadata(self) -> ServerMetadata:
        return ServerMetadata("sklearn-kserve", "1.2.3", ("binary_tensor_data", "model_repository"))

    def model_metadata(self, client: Asking, name: str, version: str = "") -> ModelMetadata:
        self.asked.append(("model_metadata", name, version))
        inputs = (TensorMetadata("bill", Datatype.FP64, (-1, 1)), TensorMetadata("sex", Datatype.BYTES, (-1, 1)))
        outputs = (TensorMetadata("predict", Datatype.BYTES, (-1,)),)
        return ModelMetadata(name, ("1", "2"), "sklearn_joblib", inputs, outputs)

    def repository_index(self, client: Asking, *, ready_only: bool = False) -> list[ModelState]:
        states = [ModelState("penguins", "2", State.READY), ModelState("penguins", "1", State.UNAVAILABLE, "digest")]
        return states[:1] if ready_only else states

    async def load(self, client: Asking, name: str) -> None:
        self.asked.append(("load", name))

    async def unload(self, client: Asking, name: str) -> None:
        self.asked.append(("unload", name))

    async def statistics(self, client: Asking, name: str = "", version: str = "") -> list[ModelStatistics]:
        self.asked.append(("statistics", name, version))
        return self.counted

    def authorize(self, credentials: str | None) -> Asking:
        if self.key is not None and credentials != self.key:
            raise Unauthenticated("Send the key as 'Authorization: Bearer KEY'.")
        return ANYONE


class LoopThread:
    """An event loop of its own, so that a test can block on a client while the server runs."""

    def __init__(self) -> None:
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def begin(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.begin(coroutine).result(30)

    def call(self, function: Callable[[], None]) -> None:
        async def called() -> None:
            function()

        self.run(called())

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


class Client:
    """Calls a server by the names of its methods."""

    def __init__(self, port: int, options: Sequence[tuple[str, Any]] = ()) -> None:
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=[*options])

    def method(
        self, name: str, response_type: type[Response]
    ) -> "grpc.UnaryUnaryMultiCallable[Message | bytes, Response]":
        return self.channel.unary_unary(
            f"/inference.GRPCInferenceService/{name}",
            request_serializer=lambda m: m if isinstance(m, bytes) else m.SerializeToString(),
            response_deserializer=response_type.FromString,
        )

    def unparsed(self, name: str) -> "grpc.UnaryUnaryMultiCallable[bytes, bytes]":
        return self.channel.unary_unary(f"/inference.GRPCInferenceService/{name}")

    def infer(self, message: "pb.ModelInferRequest | bytes", **options: Any) -> pb.ModelInferResponse:
        return self.infer_with_call(message, **options)[0]

    def infer_with_call(
        self, message: "pb.ModelInferRequest | bytes", **options: Any
    ) -> "tuple[pb.ModelInferResponse, grpc.Call]":
        return self.method("ModelInfer", pb.ModelInferResponse).with_call(message, timeout=20, **options)


@dataclass
class Failure:
    """How a call ended that did not succeed."""

    code: "grpc.StatusCode | None" = None
    details: str = ""
    metadata: dict[str, str] = field(default_factory=dict)


@contextmanager
def failing() -> Iterator[Failure]:
    """Catch the status of a call that must fail."""
    failure = Failure()
    with pytest.raises(grpc.RpcError) as caught:
        yield failure
    error = cast("grpc.Call", caught.value)
    failure.code = error.code()
    failure.details = error.details() or ""
    failure.metadata = {key: str(value) for key, value in error.trailing_metadata() or ()}


def raw_request(**fields: Any) -> pb.ModelInferRequest:
    """Ask with two rows of FP32, raw."""
    request = pb.ModelInferRequest(model_name="penguins", **fields)
    request.inputs.add(name="x", datatype="FP32", shape=[2, 1])
    request.raw_input_contents.append(b"\x00\x00\x80\x3f\x00\x00\x00\x40")
    return request
