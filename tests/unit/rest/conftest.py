import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, TypeVar

import httpx
import numpy as np
import pytest
import pytest_asyncio

from model.call import Call
from model.datatypes import Datatype
from model.errors import InvalidInput, NotFound, Overloaded, PermissionDenied, ServingError, Unauthenticated
from model.keys import ANYONE, Client
from model.metadata import ModelMetadata, ServerMetadata, TensorMetadata
from model.metrics import Duration, ModelStatistics
from model.repository import ModelState, State
from model.rest.app import RestApp
from model.rest.server import RestServer
from model.signature import Column, Inputs, Layout, Output, Outputs, Signature
from model.tensors import InferRequest, InferResponse, Tensor

T = TypeVar("T")
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Empty, for reading the system's certificates takes longer than a test."""

SIGNATURE = Signature(
    layout=Layout.FRAME,
    named=True,
    inputs=(
        Column(name="mass", datatype=Datatype.FP64, minimum=2.0, maximum=8.0),
        Column(name="island", datatype=Datatype.BYTES, dtype="object", missing=True, categories=("Dream", "Torgersen")),
    ),
    outputs=(
        Output(name="predict", method="predict", datatype=Datatype.BYTES, labels=("adelie", "gentoo")),
        Output(name="predict_proba", method="predict_proba", shape=(-1, 2), labels=("adelie", "gentoo")),
    ),
)
NUMBERS = Signature(
    layout=Layout.ARRAY,
    named=False,
    inputs=(Column(name="0"), Column(name="1")),
    outputs=(Output(name="predict", method="predict"),),
)
TEXT = Signature(
    layout=Layout.TEXT,
    named=False,
    inputs=(Column(name="text", datatype=Datatype.BYTES, dtype="object"),),
    outputs=(Output(name="predict", method="predict"),),
)


class FakeDataPlane:
    """Answers every request that fits its signature, without a model; what it was asked is kept."""

    def __init__(self) -> None:
        self.signatures = {("penguins", "3"): SIGNATURE, ("numbers", ""): NUMBERS, ("texts", ""): TEXT}
        self.key: str | None = None
        self.client = ANYONE
        self.is_ready = True
        self.full = False
        self.default = "penguins"
        self.repository_api = False
        self.calls: list[Call] = []
        self.requests: list[InferRequest] = []
        self.refusals: list[ServingError] = []
        self.failure: Exception | None = None
        self.blocked: asyncio.Event | None = None
        self.entered = asyncio.Event()

    async def infer(
        self,
        model_name: str,
        model_version: str,
        decode: Callable[[Signature], InferRequest],
        encode: Callable[[InferRequest, InferResponse], T],
        call: Call,
    ) -> T:
        self.calls.append(call)
        signature = self.signature(call.client, model_name, model_version)
        request = decode(signature)
        Inputs(signature).decode(request)
        self.requests.append(request)
        self.entered.set()
        if self.blocked is not None:
            await self.blocked.wait()
        if self.failure is not None:
            raise self.failure
        rows = request.inputs[0].data.shape[0]
        wanted = [output.name for output in Outputs(signature).select(request.outputs)]
        outputs = [_output(name, rows, named=signature.named) for name in wanted]
        version = "3" if model_name == "penguins" else ""
        return encode(request, InferResponse(model_name, version, outputs, request.id))

    def authorize(self, credentials: str | None) -> Client:
        if self.key is not None and credentials != f"Bearer {self.key}":
            raise Unauthenticated("No key.")
        return self.client

    def permit(self, client: Client, name: str) -> None:
        if not client.may_use(name):
            raise PermissionDenied("Not for this model.")

    async def refuse(self, model_name: str, model_version: str, call: Call) -> None:
        self.calls.append(call)
        raise Overloaded("The requests in flight have reached the limit.")

    def refused(self, error: ServingError) -> None:
        self.refusals.append(error)

    def live(self) -> bool:
        return True

    def ready(self) -> bool:
        return self.is_ready

    def model_ready(self, name: str, version: str = "") -> bool:
        self.signature(ANYONE, name, version)
        return self.is_ready

    def models(self, client: Client) -> list[tuple[str, str]]:
        return [pair for pair in self.signatures if client.may_use(pair[0])]

    def default_model(self, client: Client) -> str:
        if not self.default:
            raise InvalidInput("Several models: penguins, numbers.")
        return self.default

    def signature(self, client: Client, name: str, version: str = "") -> Signature:
        self.permit(client, name)
        found = {**self.signatures, ("penguins", ""): SIGNATURE}.get((name, version))
        if found is None:
            raise NotFound(f"Model {name!r} is unknown.")
        return found

    def server_metadata(self) -> ServerMetadata:
        return ServerMetadata("sklearn-kserve", "1.2.3", ("binary_tensor_data",))

    def model_metadata(self, client: Client, name: str, version: str = "") -> ModelMetadata:
        self.signature(client, name, version)
        tensors = (TensorMetadata("mass", Datatype.FP64, (-1, 1)),)
        return ModelMetadata(name, ("3",) if name == "penguins" else (), "sklearn_joblib", tensors, tensors)

    def repository_index(self, client: Client, *, ready_only: bool = False) -> list[ModelState]:
        states = [ModelState("penguins", "3", State.READY), ModelState("numbers", "", State.UNAVAILABLE, "unloaded")]
        return states[:1] if ready_only else states

    async def load(self, client: Client, name: str) -> None:
        if not self.repository_api:
            raise PermissionDenied("Loading is off.")
        self.signature(client, name)

    unload = load

    async def statistics(self, client: Client, name: str = "", version: str = "") -> list[ModelStatistics]:
        if name:
            self.signature(client, name, version)
        once = Duration(1, 2)
        return [ModelStatistics(name or "penguins", version or "3", 5, 7, 1, *[once] * 6)]

    async def metrics_page(self, client: Client, accept: str | None) -> tuple[bytes, str]:
        return f"# accept: {accept}\n".encode(), "text/plain; version=0.0.4; charset=utf-8"


def _output(name: str, rows: int, *, named: bool) -> Tensor:
    if name == "predict_proba":
        return Tensor(name, Datatype.FP64, np.tile([0.25, 0.75], (rows, 1)))
    if named:
        return Tensor(name, Datatype.BYTES, np.array(["gentoo"] * rows, dtype=object))
    return Tensor(name, Datatype.FP64, np.arange(rows, dtype=np.float64))


class Running:
    """A server in this event loop, and ways to talk to it."""

    def __init__(self, app: RestApp, server: RestServer, port: int) -> None:
        self.app = app
        self.server = server
        self.port = port
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10, verify=NO_TLS)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def exchange(self, sent: bytes) -> bytes:
        """Send bytes, and return all that comes until the server closes."""
        async with self.connection() as (reader, writer):
            writer.write(sent)
            return await asyncio.wait_for(reader.read(), 10)


Serve = Callable[..., Awaitable[Running]]


@pytest.fixture
def plane() -> FakeDataPlane:
    return FakeDataPlane()


@pytest_asyncio.fixture
async def serve(plane: FakeDataPlane) -> AsyncIterator[Serve]:
    async with AsyncExitStack() as stack:

        async def start(*, client_seconds: float = 60.0, keep_alive_seconds: int = 75, **options: Any) -> Running:
            app = RestApp(plane, **{"max_body_bytes": 1 << 20} | options)  # type: ignore[arg-type]
            server = RestServer(
                app, host="127.0.0.1", port=0, client_seconds=client_seconds, keep_alive_seconds=keep_alive_seconds
            )
            running = Running(app, server, await server.start())
            stack.push_async_callback(server.stop, 0.0)
            stack.push_async_callback(running.client.aclose)
            return running

        yield start


@pytest_asyncio.fixture
async def running(serve: Serve) -> Running:
    return await serve()
