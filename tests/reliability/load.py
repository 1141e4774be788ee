"""A client that keeps asking, as one of several replicas, and remembers every answer."""

import http.client
import json
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final, Protocol

import grpc

from model.grpc import open_inference_pb2 as pb
from tests.protocol.encodings import document, infer_path, message
from tests.protocol.wires import SERVICE
from tests.reliability.parts import ask

PER_SECOND: Final = 50
_BODY: Final = json.dumps(document(ask()))
_MESSAGE: Final = message(ask())


@dataclass(frozen=True)
class Asked:
    """One request: when it was sent, to whom, and what came of it."""

    at: float
    port: int
    status: str
    closes: bool = False


class Ask(Protocol):
    """Sends one request when called."""

    def __call__(self) -> Asked: ...

    def close(self) -> None: ...


class Asker(threading.Thread):
    """
    Asks `PER_SECOND` times a second until it is told to stop.

    Parameters
    ----------
    ask : Ask
    """

    def __init__(self, ask: Ask) -> None:
        super().__init__(daemon=True)
        self._ask = ask
        self._enough = threading.Event()
        self.asked: list[Asked] = []

    def run(self) -> None:
        """Ask at even intervals; what is late is made up for."""
        start = time.monotonic()
        while not self._enough.is_set():
            self.asked.append(self._ask())
            self._enough.wait(start + len(self.asked) / PER_SECOND - time.monotonic())

    def stop(self) -> None:
        self._enough.set()
        self.join(30)
        self._ask.close()

    def failures(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.status not in {"200", "OK"}]


class OverNewConnections:
    """REST, a connection for each request. ``port`` tells which replica to ask."""

    def __init__(self, port: Callable[[], int]) -> None:
        self._port = port

    def __call__(self) -> Asked:
        with closing(_connection(self._port())) as connection:
            return _post(connection)

    def close(self) -> None:
        """There is nothing left to close."""


class OverOneConnection:
    """REST, over one connection for as long as the server keeps it."""

    def __init__(self, port: Callable[[], int]) -> None:
        self._port = port
        self._connection = _connection(port())

    def __call__(self) -> Asked:
        if self._connection.port != self._port():
            self._connection.close()
            self._connection = _connection(self._port())
        return _post(self._connection)

    def close(self) -> None:
        self._connection.close()


class OverOneChannel:
    """gRPC, over one channel that knows all replicas, and leaves one when it is told to."""

    def __init__(self, *ports: int) -> None:
        self._port = ports[0]
        self._channel = grpc.insecure_channel("ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports))
        self._infer: Any = self._channel.unary_unary(
            f"/{SERVICE}/ModelInfer", pb.ModelInferRequest.SerializeToString, pb.ModelInferResponse.FromString
        )

    def __call__(self) -> Asked:
        at = time.monotonic()
        try:
            self._infer(_MESSAGE, timeout=20)
        except grpc.RpcError as error:
            call: Any = error
            return Asked(at, self._port, f"{call.code()}: {call.details()}")
        return Asked(at, self._port, "OK")

    def close(self) -> None:
        self._channel.close()


def _connection(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=20)


def _post(connection: http.client.HTTPConnection) -> Asked:
    at = time.monotonic()
    try:
        connection.request("POST", infer_path("flowers"), _BODY, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return Asked(at, connection.port, repr(error))
    closes = answer.getheader("Connection") == "close"
    return Asked(at, connection.port, str(answer.status), closes)
