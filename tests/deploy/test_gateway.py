"""The routes in a real Envoy: who answers, how often, over REST and gRPC."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import grpc
import pytest
from scipy.stats import binom

from model.grpc import open_inference_pb2 as pb
from tests.deploy.conftest import CLASSES
from tests.deploy.mesh import CHURN, SERVICE, Caller, Mesh
from tests.deploy.rendering import objects, values_of
from tests.servers import ServerProcess

STABLE, CANARY = CLASSES["iris"], CLASSES["iris-canary"]
REQUESTS = 1000
ONCE_IN = 1_000_000
"""Runs of which one fails although the weights are right."""
VALUES = values_of("canary")


@pytest.fixture(scope="module")
def mesh(servers: Mapping[str, ServerProcess], mesh_directory: Path) -> Iterator[Mesh]:
    with Mesh(mesh_directory / "routes", objects(VALUES), servers) as found:
        yield found


def within(count: int, share: float) -> bool:
    """Whether so many of ``REQUESTS`` are what a share would give."""
    low, high = binom.interval(1 - 1 / ONCE_IN, REQUESTS, share)
    return bool(low <= count <= high)


def predictions(server: ServerProcess) -> int:
    """Return how many requests a server has answered, over either protocol."""
    with Caller(server.http_port) as direct:
        (stats,) = direct.rest("/v2/models/iris/stats", "GET").json()["model_stats"]
    return int(stats["inference_stats"]["success"]["count"])


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_a_thousand_requests_are_split_and_copied_as_the_values_say(
    mesh: Mesh, servers: Mapping[str, ServerProcess], protocol: str
) -> None:
    canary = servers["iris-canary"]
    before = predictions(canary)
    with Caller(mesh.port) as caller:
        ask = caller.infer if protocol == "rest" else caller.call
        answers = Counter(ask() for _ in range(REQUESTS))
    assert set(answers) == {STABLE, CANARY}
    assert within(answers[CANARY], VALUES["canary"]["weight"] / 100)
    # Copies are sent on their own, and may come after the last answer.
    end, copied = time.monotonic() + 5, 0
    while not within(copied, VALUES["canary"]["mirror"] / 100):
        assert time.monotonic() < end, f"{copied} of {REQUESTS} requests were copied"
        time.sleep(0.1)
        copied = predictions(canary) - before - answers[CANARY]


def test_testers_reach_the_canary_alone(mesh: Mesh) -> None:
    with Caller(mesh.port, headers={"x-canary": "always"}) as tester:
        assert {tester.infer() for _ in range(30)} == {CANARY}
        assert {tester.call() for _ in range(30)} == {CANARY}


def test_another_value_of_the_header_picks_nobody(mesh: Mesh) -> None:
    with Caller(mesh.port, headers={"x-canary": "never"}) as caller:
        assert STABLE in {caller.infer() for _ in range(30)}


def test_a_host_leads_to_its_own_model(mesh: Mesh) -> None:
    with Caller(mesh.port, host=CHURN) as caller:
        assert caller.infer("churn") == CLASSES["churn"]
        assert caller.call(model="churn") == CLASSES["churn"]
        assert caller.infer("iris") == 404
        assert caller.call(model="iris") is grpc.StatusCode.NOT_FOUND


def test_health_metadata_and_the_older_protocol_are_routed_and_metrics_are_not(mesh: Mesh) -> None:
    with Caller(mesh.port) as caller:
        assert [caller.rest(path, "GET").status_code for path in ("/v2/health/ready", "/v2/models/iris")] == [200, 200]
        assert caller.rest("/v1/models/iris:predict", body={"instances": [[0.5, 1.5]]}).status_code == 200
        assert caller.call(f"{SERVICE}/ServerReady", pb.ServerReadyRequest()) is grpc.StatusCode.OK
        outside = caller.rest("/metrics", "GET")
    assert (outside.status_code, outside.content) == (404, b""), "Envoy's answer, which has no body"


def test_a_host_that_no_model_has_is_nobodys(mesh: Mesh) -> None:
    with Caller(mesh.port, host="walrus-ml.models.example.com") as caller:
        assert caller.infer() == 404
        assert caller.call() is grpc.StatusCode.UNIMPLEMENTED


def test_a_weight_is_changed_under_load_without_a_failed_request(mesh: Mesh) -> None:
    asked: dict[str, list[object]] = {"rest": [], "grpc": []}
    done = threading.Event()

    def ask(protocol: str) -> None:
        with Caller(mesh.port) as caller:
            one = caller.infer if protocol == "rest" else caller.call
            while not done.is_set():
                asked[protocol].append(one())

    threads = [threading.Thread(target=ask, args=(each,)) for each in asked]
    for thread in threads:
        thread.start()
    try:
        for weight, expected in ((100, {CANARY}), (0, {STABLE}), (50, {STABLE, CANARY})):
            mesh.route(objects({**VALUES, "canary": {**VALUES["canary"], "weight": weight, "mirror": 0}}))
            reached(asked, expected)
    finally:
        done.set()
        for thread in threads:
            thread.join()
        mesh.route(objects(VALUES))
    assert {STABLE, CANARY} == {each for answers in asked.values() for each in answers}


def reached(asked: dict[str, list[object]], expected: set[int], latest: int = 40, seconds: float = 20) -> None:
    """Wait until the latest answers over each protocol come from those that are expected."""
    end = time.monotonic() + seconds
    begin = {protocol: len(answers) for protocol, answers in asked.items()}
    while any(
        len(answers) < begin[protocol] + latest or {*answers[-latest:]} != expected
        for protocol, answers in asked.items()
    ):
        assert time.monotonic() < end, f"not {expected}: {[answers[-latest:] for answers in asked.values()]}"
        time.sleep(0.01)
