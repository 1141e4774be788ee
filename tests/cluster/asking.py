"""Clients of the Gateway, many requests at once, and what came back."""

import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Literal, Self

import grpc
import httpx

from model.grpc import open_inference_pb2 as pb
from tests.cluster.harness.cluster import Cluster, Namespace

Protocol = Literal["rest", "grpc"]
PROTOCOLS: Final[tuple[Protocol, ...]] = ("rest", "grpc")
_CONNECTIONS: Final = 4
_TIMEOUT_SECONDS: Final = 10
_DATATYPES: Final = {float: "FP64", str: "BYTES"}
_METHOD: Final = "/inference.GRPCInferenceService/ModelInfer"


@dataclass(frozen=True)
class Caller:
    """
    Asks a model of one number for its answer to 1, as its clients do; who asks for something else says what.

    Parameters
    ----------
    cluster : Cluster
    host : str
        That the model has at the Gateway.
    model : str
    headers : mapping of str to str
    """

    cluster: Cluster
    host: str
    model: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def row(self) -> Mapping[str, float | str]:
        """Return what is asked about, by column."""
        return {"input-0": 1.0}

    def told(self, value: Any, version: str) -> str:
        """Return what an answer tells: its number."""
        return str(round(value))

    def rest(self, client: httpx.Client) -> str:
        """Ask over REST; what the answer tells, or the status and text of an error."""
        inputs = [
            {"name": name, "shape": [1, 1], "datatype": _DATATYPES[type(value)], "data": [value]}
            for name, value in self.row().items()
        ]
        try:
            answer = client.post(
                f"http://{self.cluster.gateway}/v2/models/{self.model}/infer",
                json={"inputs": inputs},
                headers={**self.headers, "Host": self.host},
            )
        except httpx.HTTPError as error:
            return repr(error)
        if answer.status_code != httpx.codes.OK:
            return f"{answer.status_code} {answer.text}"
        return self.told(answer.json()["outputs"][0]["data"][0], answer.json()["model_version"])

    def grpc(self, channel: grpc.Channel) -> str:
        """Ask over gRPC; what the answer tells, or the status and text of an error."""
        request = pb.ModelInferRequest(model_name=self.model)
        for name, value in self.row().items():
            tensor = request.inputs.add(name=name, datatype=_DATATYPES[type(value)], shape=[1, 1])
            if isinstance(value, str):
                tensor.contents.bytes_contents.append(value.encode())
            else:
                tensor.contents.fp64_contents.append(value)
        invoke = channel.unary_unary(_METHOD, pb.ModelInferRequest.SerializeToString, pb.ModelInferResponse.FromString)
        try:
            answer = invoke(request, timeout=_TIMEOUT_SECONDS, metadata=tuple(self.headers.items()))
        except grpc.RpcError as error:
            return f"{error.code().name} {error.details()}"
        contents = answer.outputs[0].contents
        return self.told([*contents.fp64_contents, *contents.bytes_contents][0], answer.model_version)

    def connected(self, protocol: Protocol) -> tuple[Callable[[], str], Callable[[], None]]:
        """Open a connection; return what asks on it, and what closes it."""
        if protocol == "rest":
            client = httpx.Client(timeout=_TIMEOUT_SECONDS)
            return lambda: self.rest(client), client.close
        # A subchannel of its own, or all channels to an address would share one connection.
        options = [("grpc.default_authority", self.host), ("grpc.use_local_subchannel_pool", 1)]
        channel = grpc.insecure_channel(self.cluster.gateway, options=options)
        return lambda: self.grpc(channel), channel.close

    def ask(self, protocol: Protocol, times: int = 1) -> Counter[str]:
        """Ask so many times, on a few connections at once, and count the answers."""
        with ThreadPoolExecutor(_CONNECTIONS) as threads:
            shares = [len(range(index, times, _CONNECTIONS)) for index in range(_CONNECTIONS)]
            return sum(threads.map(lambda share: self._ask_on_one(protocol, share), shares), Counter())

    def once(self, protocol: Protocol) -> str:
        """Ask once."""
        [(answer, _)] = self.ask(protocol).items()
        return answer

    def _ask_on_one(self, protocol: Protocol, times: int) -> Counter[str]:
        asks, close = self.connected(protocol)
        try:
            return Counter(asks() for _ in range(times))
        finally:
            close()


class Steadily:
    """
    Asks on and on while other things happen, REST and gRPC in turn; as a context, until its end.

    Parameters
    ----------
    caller : Caller
    per_second : int

    Attributes
    ----------
    answers : Counter of str
        What came back, errors included.
    """

    def __init__(self, caller: Caller, per_second: int = 50) -> None:
        self.answers: Counter[str] = Counter()
        self._caller = caller
        self._pause_seconds = 2 * _CONNECTIONS / per_second
        self._over = threading.Event()
        self._lock = threading.Lock()
        # One after the other, and not all at once: a few requests a second are to be few at any moment.
        self._threads = [
            threading.Thread(target=self._go_on, args=[protocol, index / per_second])
            for index, protocol in enumerate(PROTOCOLS * _CONNECTIONS)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def failures(self, *expected: str) -> dict[str, int]:
        """Return the answers that are none of those expected."""
        return {answer: count for answer, count in self.answers.items() if answer not in expected}

    def _go_on(self, protocol: Protocol, pause_seconds: float) -> None:
        asks, close = self._caller.connected(protocol)
        while not self._over.wait(pause_seconds):
            pause_seconds = self._pause_seconds
            answer = asks()
            with self._lock:
                self.answers[answer] += 1
        close()


def share(answers: Mapping[str, int], answer: str) -> float:
    """Return the share that an answer has."""
    return answers.get(answer, 0) / sum(answers.values())


def answered(namespace: Namespace, pod: str) -> int:
    """Return the requests that a server has answered, as its metrics say."""
    code = "import urllib.request as u; print(u.urlopen('http://localhost:8080/metrics').read().decode())"
    found = re.findall(r"^inference_requests_total\{.*\} (\S+)$", namespace.python(pod, code), re.MULTILINE)
    return round(sum(map(float, found)))


__all__ = ["PROTOCOLS", "Caller", "Protocol", "Steadily", "answered", "share"]
