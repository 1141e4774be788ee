from collections.abc import Callable, Iterator

import pytest

from model.grpc.server import GrpcServer
from tests.unit.grpc.fakes import Client, FakeDataPlane, LoopThread


@pytest.fixture(scope="session")
def loop() -> Iterator[LoopThread]:
    loop = LoopThread()
    yield loop
    loop.close()


@pytest.fixture
def dataplane() -> FakeDataPlane:
    return FakeDataPlane()


@pytest.fixture
def start(loop: LoopThread, dataplane: FakeDataPlane) -> Iterator[Callable[..., tuple[GrpcServer, int]]]:
    """Start a server with these options, stopped when the test is over."""
    servers = []

    async def make(**options: float) -> tuple[GrpcServer, int]:
        settings: dict[str, float] = {
            "port": 0,
            "max_receive_message_length": 1_000_000,
            "max_send_message_length": 1_000_000,
            "health_poll_seconds": 0.02,
        }
        server = GrpcServer(dataplane, host="127.0.0.1", **{**settings, **options})  # type: ignore[arg-type]
        return server, await server.start()

    def started(**options: float) -> tuple[GrpcServer, int]:
        server, port = loop.run(make(**options))
        servers.append(server)
        return server, port

    yield started
    for server in servers:
        loop.run(server.stop(0))


@pytest.fixture
def connect() -> Iterator[Callable[[int], Client]]:
    """Make clients of a port, closed when the test is over: an open channel would outlive the test run."""
    clients = []

    def connected(port: int) -> Client:
        clients.append(Client(port))
        return clients[-1]

    yield connected
    for client in clients:
        client.channel.close()


@pytest.fixture
def client(start: Callable[..., tuple[GrpcServer, int]], connect: Callable[[int], Client]) -> Client:
    _, port = start()
    return connect(port)
