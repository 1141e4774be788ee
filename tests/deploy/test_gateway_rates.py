"""Limits in a real Envoy: how many requests a model takes, of all and of one caller, and what the others are told."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.deploy.conftest import CLASSES
from tests.deploy.mesh import CHURN, IRIS, Caller, Issuer, Mesh
from tests.deploy.rendering import objects, values_of
from tests.servers import ServerProcess

Limited = Callable[..., Mesh]
NONE: Mapping[str, int] = {}
LATEST = 60
"""Requests that are more than any limit here lets through at once."""


@pytest.fixture
def limited(servers: Mapping[str, ServerProcess], issuer: Issuer, tmp_path: Path) -> Iterator[Limited]:
    """Start a mesh with the values of a feature's file and other limits."""
    with ExitStack() as stack:

        def start(case: str = "rate-limit", models: Mapping[str, int] = NONE, **limits: Any) -> Mesh:
            values = values_of(case)
            values["auth"]["jwks"] = issuer.keys
            values["rateLimit"] = {"at": values["rateLimit"].get("at", "gateway"), **limits}
            for each in values["models"]:
                each.pop("requestsPerSecond", None)
                if each["name"] in models:
                    each["requestsPerSecond"] = models[each["name"]]
            return stack.enter_context(Mesh(tmp_path / "mesh", objects(values), servers))

        yield start


def asked(ask: Callable[[], object], limit: int, second: int) -> Counter[object]:
    """Ask until it is refused, and hold how often it was not against what a bucket of ``limit`` has given by then."""
    begin, answers = time.monotonic(), Counter[object]()
    while not answers or (answers.total() < LATEST and not answers.keys() & {429, grpc.StatusCode.RESOURCE_EXHAUSTED}):
        answers[ask()] += 1
    accepted = sum(answers[each] for each in CLASSES.values())
    assert limit <= accepted <= limit + second * (time.monotonic() - begin + 1)
    assert answers.total() == accepted + 1
    return answers


def test_a_models_requests_are_counted_over_both_protocols_and_every_way_to_write_its_host(
    limited: Limited, issuer: Issuer
) -> None:
    mesh = limited(requestsPerSecond=1, burstSeconds=9)
    callers = [Caller(mesh.port, issuer.token(), host) for host in (IRIS, IRIS.upper(), f"{IRIS}:8443")]
    with ExitStack() as stack:
        ways = [way for each in callers for way in (stack.enter_context(each).infer, each.call)]
        turns = iter(ways * LATEST)

        def ask() -> object:
            return next(turns)()

        asked(ask, limit=9, second=1)
        assert callers[0].infer() == 429
        assert callers[0].call() is grpc.StatusCode.RESOURCE_EXHAUSTED
        with Caller(mesh.port, issuer.token(), CHURN) as other:
            assert other.infer("churn") == CLASSES["churn"]


def test_the_answer_says_when_to_come_again_and_one_may(limited: Limited, issuer: Issuer) -> None:
    mesh = limited(requestsPerSecond=3)
    with Caller(mesh.port, issuer.token()) as caller:
        asked(caller.infer, limit=3, second=3)
        refused = caller.rest("/v2/health/ready", "GET")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert refused.headers["x-ratelimit-limit"].startswith("3")
        assert refused.headers["x-ratelimit-remaining"] == "0"
        time.sleep(int(refused.headers["retry-after"]) + 0.2)
        assert caller.infer() in CLASSES.values()


def test_one_caller_leaves_the_others_their_share(limited: Limited, issuer: Issuer) -> None:
    mesh = limited(perCaller=1, burstSeconds=5)
    with Caller(mesh.port, issuer.token(sub="alice")) as alice, Caller(mesh.port, issuer.token(sub="bob")) as bob:
        asked(alice.infer, limit=5, second=1)
        assert asked(bob.call, limit=5, second=1)


def test_callers_together_take_no_more_than_the_model_has(limited: Limited, issuer: Issuer) -> None:
    mesh = limited(requestsPerSecond=1, perCaller=1, burstSeconds=8, models={"iris": 2})
    with ExitStack() as stack:
        callers = [stack.enter_context(Caller(mesh.port, issuer.token(sub=f"caller-{each}"))) for each in range(LATEST)]
        turns = iter(callers)
        asked(lambda: next(turns).infer(), limit=16, second=2)


def test_who_is_turned_away_uses_up_nobodys_share(limited: Limited, issuer: Issuer) -> None:
    mesh = limited(requestsPerSecond=1, burstSeconds=5)
    with Caller(mesh.port) as nobody, Caller(mesh.port, "garbage") as bad:
        assert {nobody.infer() for _ in range(LATEST)} == {403}
        assert {bad.infer() for _ in range(LATEST)} == {401}
    with Caller(mesh.port, issuer.token()) as caller:
        asked(caller.infer, limit=5, second=1)


def test_each_pod_counts_for_itself(limited: Limited, issuer: Issuer) -> None:
    mesh = limited("rate-limit-pods", requestsPerSecond=1, burstSeconds=6)
    for service in ("iris", "iris-canary"):
        for port in (80, 8081):
            with Caller(mesh.pods.port(f"{service}:{port}"), issuer.token(), identity=mesh.identity) as caller:
                asked(caller.infer if port == 80 else caller.call, limit=6, second=1)


def test_a_model_may_have_a_limit_where_the_others_have_none(limited: Limited, issuer: Issuer) -> None:
    mesh = limited(models={"churn": 4})
    with Caller(mesh.port, issuer.token()) as free, Caller(mesh.port, issuer.token(), CHURN) as caller:
        assert {free.infer() for _ in range(LATEST)} <= {*CLASSES.values()}
        asked(lambda: caller.infer("churn"), limit=4, second=4)
