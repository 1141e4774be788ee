"""Limits: how many, how large, how long; and what the model itself can't answer."""

import gzip
import json
import re
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import grpc
import httpx
import pytest

from model.grpc import open_inference_pb2 as pb
from tests.protocol.conftest import Start
from tests.protocol.encodings import Ask, Sent, document, infer_path, message
from tests.protocol.gates import Gates, gate
from tests.protocol.refusals import Refusal, caught, over_grpc, over_rest
from tests.protocol.wires import Clients

PATH = infer_path("gate")
PLANE = Ask("plane", (Sent("x", "FP64", (1, 2), (1.0, 2.0)),))
MOST_BYTES = 50_000


@pytest.fixture(scope="module")
def gates(tmp_path_factory: pytest.TempPathFactory) -> Gates:
    return Gates(tmp_path_factory.mktemp("gates"))


@pytest.fixture(scope="module")
def narrow(start: Start, gates: Gates) -> Clients:
    """A server with small limits."""
    limits = {
        "max_in_flight": 1,
        "max_request_bytes": MOST_BYTES,
        "grpc_max_receive_message_length": MOST_BYTES,
        "max_rows": 100,
        "request_timeout_seconds": 6,
    }
    flags = [f"--{name}={value}" for name, value in limits.items()]
    return start("gate", "plane", args=tuple(flags), env={"GATES": str(gates.directory)})


@pytest.fixture(scope="module")
def wide(start: Start, gates: Gates) -> Clients:
    """A server with limits that no test here reaches."""
    return start("gate", "plane", args=("--threads", "2"), env={"GATES": str(gates.directory)})


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as threads:
        yield threads


@pytest.fixture
def occupy(gates: Gates, threads: ThreadPoolExecutor) -> Iterator[Callable[[Clients], Future[httpx.Response]]]:
    """Send a request that the model works on until the test is over."""
    tickets = []
    futures = []

    def occupy(clients: Clients) -> Future[httpx.Response]:
        ticket = gates.ticket()
        tickets.append(ticket)
        futures.append(threads.submit(clients.post, PATH, document(gate(ticket))))
        gates.wait_for(ticket)
        return futures[-1]

    yield occupy
    for ticket in tickets:
        gates.open(ticket)
    assert [future.result(20).status_code for future in futures] == [200] * len(futures)


Occupy = Callable[[Clients], Future[httpx.Response]]


def test_more_requests_than_the_limit_are_told_to_come_back(narrow: Clients, occupy: Occupy) -> None:
    occupy(narrow)
    began = time.monotonic()
    sentence = "The requests in flight have reached the limit of 1; try again later."
    for path, body in [
        (PATH, document(gate(0))),
        (infer_path("plane"), document(PLANE)),
        ("/v1/models/plane:predict", {"instances": [[1, 2]]}),
        ("/predict/plane", {"left": 1, "right": 2}),
    ]:
        response = narrow.post(path, body)
        assert over_rest(response) == (429, sentence)
        assert response.headers["retry-after"] == "1"
    refusal, metadata = caught(narrow, "ModelInfer", message(gate(0)))
    assert refusal == ("RESOURCE_EXHAUSTED", sentence)
    assert metadata["retry-after"] == "1"
    assert time.monotonic() - began < 5


def test_a_refusal_for_want_of_room_is_counted_by_model_and_does_not_wait_for_the_body(
    narrow: Clients, occupy: Occupy
) -> None:
    occupy(narrow)

    def counted() -> float:
        page = narrow.rest.get("/metrics").text
        series = [line for line in page.splitlines() if line.startswith("inference_requests_total{")]
        wanted = ('model="plane"', 'protocol="rest"', 'code="429"')
        return sum(float(line.split()[-1]) for line in series if all(label in line for label in wanted))

    before = counted()
    head = f"POST {infer_path('plane')} HTTP/1.1\r\nHost: x\r\nContent-Length: 40000\r\n\r\n{{".encode()
    with socket.create_connection(("127.0.0.1", narrow.server.http_port), timeout=20) as connection:
        connection.sendall(head)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 429 ")
    assert counted() == before + 1
    assert over_rest(narrow.post(infer_path("unknown"), b"{}")).status == 404


def test_a_server_at_its_limit_still_tells_its_health(narrow: Clients, occupy: Occupy) -> None:
    occupy(narrow)
    for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/gate/ready", "/v2/models/gate", "/metrics"):
        assert narrow.rest.get(path, timeout=5).status_code == 200
    assert narrow.call("ServerLive", pb.ServerLiveRequest(), timeout=5).live
    assert narrow.call("ServerReady", pb.ServerReadyRequest(), timeout=5).ready


def test_a_server_answers_again_once_it_is_below_the_limit(narrow: Clients, gates: Gates, occupy: Occupy) -> None:
    ticket = gates.ticket()
    gates.open(ticket)
    assert narrow.post(PATH, document(gate(ticket))).json()["outputs"][0]["data"] == [float(ticket)]
    assert narrow.call("ModelInfer", message(gate(0))).outputs[0].contents.fp64_contents == [0.0]


def test_a_slow_model_does_not_hold_up_another(wide: Clients, occupy: Occupy) -> None:
    occupy(wide)
    assert wide.rest.get("/v2/health/live", timeout=5).status_code == 200
    response = wide.rest.post(infer_path("plane"), json=document(PLANE), timeout=5)
    assert response.status_code == 200
    assert wide.call("ModelInfer", message(PLANE), timeout=5).outputs[0].name == "predict"


LATE = r"The deadline passed before the \w+'s turn came; the \w+ was not run\."


def test_what_waits_beyond_its_deadline_is_not_run(wide: Clients, gates: Gates, occupy: Occupy) -> None:
    occupy(wide)
    by_parameter, by_header, over_rpc, by_rpc = (gates.ticket() for _ in range(4))
    refusal = over_rest(wide.post(PATH, document(gate(by_parameter, timeout=100_000))))
    assert refusal.status == 504
    assert re.fullmatch(LATE, refusal.sentence)
    assert over_rest(wide.post(PATH, document(gate(by_header)), X_Envoy_Expected_Rq_Timeout_Ms="100")) == refusal
    rpc = over_grpc(wide, "ModelInfer", message(gate(over_rpc, timeout=100_000)))
    assert rpc == ("DEADLINE_EXCEEDED", refusal.sentence)
    # This one the client's own library may tell first.
    with pytest.raises(grpc.RpcError) as failure:
        wide.call("ModelInfer", message(gate(by_rpc)), timeout=0.1)
    assert failure.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    later = wide_open(wide, gates, occupy)
    assert later == 200
    assert not any(gates.runs(ticket) for ticket in (by_parameter, by_header, over_rpc, by_rpc))


def wide_open(wide: Clients, gates: Gates, occupy: Occupy) -> int:
    """Let the model go on, and pass it once: all that waited before has had its turn."""
    for path in gates.directory.glob("run-*"):
        gates.open(int(path.name.removeprefix("run-")))
    ticket = gates.ticket()
    gates.open(ticket)
    return wide.post(PATH, document(gate(ticket))).status_code


def test_who_waits_for_a_running_model_hears_when_the_time_is_over(
    narrow: Clients, gates: Gates, threads: ThreadPoolExecutor
) -> None:
    ticket = gates.ticket()
    began = time.monotonic()
    assert over_rest(narrow.post(PATH, document(gate(ticket)))) == (
        504,
        "The deadline passed before there was an answer.",
    )
    assert 5.5 < time.monotonic() - began < 20
    assert gates.runs(ticket)
    gates.open(ticket)


@pytest.fixture(scope="module")
def too_large() -> bytes:
    values = tuple([0.12345678] * 10_000)
    content = json.dumps(document(Ask("plane", (Sent("x", "FP64", (5000, 2), values),)))).encode()
    assert len(content) > MOST_BYTES
    return content


@pytest.mark.parametrize("path", [infer_path("plane"), "/v1/models/plane:predict", "/predict", "/v2/repository/index"])
def test_a_body_over_the_limit_is_refused_by_its_declared_length(narrow: Clients, too_large: bytes, path: str) -> None:
    refusal = over_rest(narrow.post(path, too_large))
    assert refusal.status == 413
    assert refusal.sentence == (
        f"The body has {len(too_large)} bytes; expected at most {MOST_BYTES} bytes, so send fewer rows at once."
    )


def test_a_body_over_the_limit_is_refused_though_it_declares_no_length(narrow: Clients, too_large: bytes) -> None:
    chunks = (too_large[start : start + 10_000] for start in range(0, len(too_large), 10_000))
    refusal = over_rest(narrow.rest.post(infer_path("plane"), content=chunks))
    assert refusal.status == 413
    assert "expected at most 50000 bytes" in refusal.sentence


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_small_body_that_inflates_over_the_limit_is_refused(narrow: Clients, encoding: str) -> None:
    bomb = (gzip if encoding == "gzip" else zlib).compress(bytes(20_000_000))
    assert len(bomb) < MOST_BYTES
    refusal = over_rest(narrow.post(infer_path("plane"), bomb, Content_Encoding=encoding))
    assert refusal.status == 413
    assert "once decompressed" in refusal.sentence


def test_a_message_over_the_limit_is_refused(narrow: Clients) -> None:
    ask = Ask("plane", (Sent("x", "FP64", (5000, 2), tuple([0.5] * 10_000)),))
    for raw in (True, False):
        with pytest.raises(grpc.RpcError) as failure:
            narrow.call("ModelInfer", message(ask, raw=raw))
        assert failure.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_more_rows_than_the_limit_are_refused(narrow: Clients) -> None:
    ask = Ask("plane", (Sent("x", "FP64", (101, 2), tuple([0.5] * 202)),))
    sentence = "The request has 101 rows; expected at most 100, so send fewer at once."
    assert over_rest(narrow.post(infer_path("plane"), document(ask))) == (413, sentence)
    assert over_rest(narrow.post("/predict/plane", [{"left": 1, "right": 2}] * 101)) == (413, sentence)
    assert over_rest(narrow.post("/v1/models/plane:predict", {"instances": [[1, 2]] * 101})) == (413, sentence)
    assert over_grpc(narrow, "ModelInfer", message(ask)) == ("RESOURCE_EXHAUSTED", sentence)


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, gzip", "nonsense"])
def test_an_encoding_that_is_not_read_here_is_refused(clients: Clients, encoding: str) -> None:
    response = clients.post(infer_path("plane"), document(PLANE), Content_Encoding=encoding)
    refusal = over_rest(response)
    assert refusal.status == 415
    assert refusal.sentence == f"Content-Encoding is {encoding!r}; expected gzip, deflate or identity."
    assert response.headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize("mood", [13, 14])
def test_a_model_that_raises_is_an_error_of_the_server_without_its_words(clients: Clients, mood: int) -> None:
    ask = Ask("moody", (Sent("x", "FP64", (1, 2), (float(mood), 815.0)),))
    response = clients.post(infer_path("moody"), document(ask), X_Request_ID=f"mood-{mood}")
    refusal = Refusal(500, "Model 'moody' failed on this input; the server's log has the cause.")
    assert over_rest(response) == refusal
    assert over_grpc(clients, "ModelInfer", message(ask)) == ("INTERNAL", refusal.sentence)
    assert over_rest(clients.post("/v1/models/moody:predict", {"instances": [[mood, 815.0]]})) == refusal
    line = clients.server.wait_for("model failed", lambda line: line["request_id"] == f"mood-{mood}")
    assert "RuntimeError" in str(line) if mood == 13 else "ValueError" in str(line)
    assert "protocol_parts.py" in str(line)
    assert not any("815" in str(line.get("exception")) or "secret" in str(line) for line in clients.server.log)
    calm = Ask("moody", (Sent("x", "FP64", (1, 2), (12.0, 1.0)),))
    assert clients.post(infer_path("moody"), document(calm)).json()["outputs"][0]["data"] == [12.0]
