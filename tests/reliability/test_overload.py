"""Ten times as many requests as a model can answer: what is too much is refused at once, and the rest is answered."""

import asyncio
import socket
import threading
import time
from contextlib import AsyncExitStack

import pytest

from model.grpc import open_inference_pb2 as pb
from tests.protocol.wires import Clients
from tests.reliability.conftest import Serve
from tests.reliability.parts import ask, publish_part, user_code
from tests.reliability.swarm import ANSWERED, CLIENTS, REFUSED, Reply, at_rate, quantile
from tests.scale import scaled

LIMIT = 8
OVER = 10
SECONDS = scaled(3, 30)
# A machine that runs other tests beside this one is late at times; by itself it keeps the second ones.
MOST_REFUSED_SECONDS = scaled(0.5, 0.05)
MOST_LIVE_SECONDS = scaled(1.0, 0.1)
SLACK = scaled(10, 4)


@pytest.fixture(scope="module")
def clients(serve_all: Serve, tmp_path_factory: pytest.TempPathFactory) -> Clients:
    root = tmp_path_factory.mktemp("models")
    publish_part(root, "Paced", "paced")
    return serve_all("--model_root", root, "--max_in_flight", LIMIT)


class Prober(threading.Thread):
    """Asks for liveness again and again, as a kubelet does: over a connection of its own each time."""

    def __init__(self, clients: Clients) -> None:
        super().__init__(daemon=True)
        self._port = clients.server.http_port
        self._enough = threading.Event()
        self.seconds: list[float] = []

    def run(self) -> None:
        while not self._enough.wait(0.05):
            begin = time.monotonic()
            with socket.create_connection(("127.0.0.1", self._port), timeout=20) as connection:
                connection.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")
            self.seconds.append(time.monotonic() - begin)

    def stop(self) -> list[float]:
        self._enough.set()
        self.join(30)
        return self.seconds


async def overload(clients: Clients, protocol: str) -> list[Reply]:
    capacity = 1 / user_code().PACE_SECONDS
    async with AsyncExitStack() as stack:
        client = CLIENTS[protocol]
        sends = [await stack.enter_async_context(client(clients, ask(model="paced"))) for _ in range(LIMIT * OVER)]
        rate = OVER * capacity / len(sends)
        replies = await asyncio.gather(*(at_rate(send, rate, SECONDS) for send in sends))
    return [reply for each in replies for reply in each]


@pytest.mark.parametrize("protocol", CLIENTS)
def test_at_ten_times_the_load_the_excess_is_refused_at_once(clients: Clients, protocol: str) -> None:
    prober = Prober(clients)
    prober.start()
    replies = asyncio.run(overload(clients, protocol))
    live = prober.stop()

    answered = [reply.seconds for reply in replies if reply.status == ANSWERED[protocol]]
    refused = [reply for reply in replies if reply.status == REFUSED[protocol]]
    assert len(answered) + len(refused) == len(replies)
    assert {reply.retry_after for reply in refused} == {"1"}
    assert len(refused) > len(answered)
    # The model has been at work all the while.
    assert len(answered) > 0.5 * SECONDS / user_code().PACE_SECONDS
    most = SLACK * LIMIT * user_code().PACE_SECONDS
    assert quantile(answered, 0.99) < most
    assert quantile([reply.seconds for reply in refused], 0.5) < MOST_REFUSED_SECONDS
    assert len(live) > 5
    assert quantile(live, scaled(0.5, 0.99)) < MOST_LIVE_SECONDS
    assert clients.call("ServerLive", pb.ServerLiveRequest(), timeout=5).live
