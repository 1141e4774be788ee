"""Where the microseconds of one REST request go: each stage timed by itself, within one process."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

import uvloop

from benchmarks.wire import Request
from model.codec.v2 import decode_request, encode_response
from model.logs import configure
from model.rest.protocol import Protocol
from model.rest.request import Request as Received
from model.rest.upload import Upload
from model.server import Server
from model.settings import Settings
from model.signature.outputs import encode
from model.tensors import InferResponse

_WARM_UP: Final = 200


@dataclass(frozen=True, slots=True)
class Stage:
    """
    A part of a request's way.

    Parameters
    ----------
    name : str
    microseconds : float
        First decile: what else the machine does can only add to it.
    """

    name: str
    microseconds: float


class Transport(asyncio.Transport):
    """The server's end of a connection that leads nowhere; ``answered`` is called with each piece of an answer."""

    def __init__(self) -> None:
        super().__init__()
        self.answered: Callable[[bytes], None] = lambda _: None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take a piece of an answer."""
        self.answered(bytes(data))

    def is_closing(self) -> bool:
        """Tell that it never is."""
        return False

    def close(self) -> None:
        """There is nothing to close."""

    def pause_reading(self) -> None:
        """Nothing more comes anyway."""

    def resume_reading(self) -> None:
        """Nothing more comes anyway."""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is no buffer."""


def profile(root: Path, model: str, request: Request, repetitions: int) -> list[Stage]:
    """
    Time the stages of a request.

    Parameters
    ----------
    root : Path
        Directory of models.
    model : str
    request : Request
        Over REST.
    repetitions : int

    Returns
    -------
    list of Stage
        Leaves first, then what encloses them without what they take, then the whole.
    """
    configure("error")
    return uvloop.run(_profiled(root, model, request, repetitions))


async def _profiled(root: Path, model: str, request: Request, repetitions: int) -> list[Stage]:
    server = Server(Settings(model_root=root))
    # The server's own parts, put together as in production; there is no other need for them to be public.
    repository, app, rest = server._repository, server._app, server._rest  # noqa: SLF001
    repository.load(model)
    await rest.start()
    leaves = _leaves(repository.select(model, ""), request, repetitions)
    in_app = await _timed(_application(app, request), repetitions)
    connection = Protocol(app, rest._connections)  # noqa: SLF001
    whole = await _timed(_exchange(connection, request), repetitions)
    connection.connection_lost(None)
    await rest.stop(0)
    server.leave()
    inside = sum(stage.microseconds for stage in leaves)
    enclosing = [
        Stage("application: route, headers, admission, queue, metrics", in_app - inside),
        Stage("HTTP: parse, task, write", whole - in_app),
        Stage("all", whole),
    ]
    return leaves + enclosing


def _leaves(servable: Any, request: Request, repetitions: int) -> list[Stage]:
    decoded = decode_request(request.body, model_name=servable.name)
    table = servable.inputs.decode(decoded)
    outputs = servable.outputs.select(())
    answers = servable.run(table, outputs)
    response = InferResponse(servable.name, servable.version, encode(outputs, answers), "")
    timed: dict[str, Callable[[], object]] = {
        "codec: JSON to tensors": lambda: decode_request(request.body, model_name=servable.name),
        "signature: tensors to table": lambda: servable.inputs.decode(decoded),
        f"engine: {servable.engine.name}": lambda: servable.run(table, outputs),
        "signature: answers to tensors": lambda: encode(outputs, answers),
        "codec: tensors to JSON": lambda: encode_response(response, decoded),
    }
    return [Stage(name, _timed_call(work, repetitions)) for name, work in timed.items()]


def _application(app: Any, request: Request) -> Callable[[], Awaitable[None]]:
    headers = {b"host": b"127.0.0.1", b"content-type": b"application/json"}
    headers[b"content-length"] = b"%d" % len(request.body)

    async def ask() -> None:
        upload = Upload(lambda: None)
        upload.feed(request.body)
        upload.end()
        await app(Received(app.service, "POST", request.path, headers, upload))

    return ask


def _exchange(connection: Protocol, request: Request) -> Callable[[], Awaitable[None]]:
    """Return what sends a request over a connection and waits for the answer's last piece."""
    transport = Transport()
    connection.connection_made(transport)
    head = f"POST {request.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    sent = f"{head}Content-Length: {len(request.body)}\r\n\r\n".encode() + request.body

    async def ask() -> None:
        done = asyncio.get_running_loop().create_future()
        transport.answered = lambda piece: done.set_result(None) if piece.endswith(b"}") and not done.done() else None
        connection.data_received(sent)
        await done

    return ask


def _timed_call(work: Callable[[], object], repetitions: int) -> float:
    for _ in range(_WARM_UP):
        work()
    taken = []
    for _ in range(repetitions):
        start = time.perf_counter_ns()
        work()
        taken.append(time.perf_counter_ns() - start)
    return least_disturbed(taken) / 1e3


def least_disturbed(taken: Sequence[int]) -> float:
    """Return the first decile."""
    return quantiles(taken, n=10, method="inclusive")[0]


async def _timed(work: Callable[[], Awaitable[None]], repetitions: int) -> float:
    for _ in range(_WARM_UP):
        await work()
    taken = []
    for _ in range(repetitions):
        start = time.perf_counter_ns()
        await work()
        taken.append(time.perf_counter_ns() - start)
    return least_disturbed(taken) / 1e3
