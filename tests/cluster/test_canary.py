"""A canary by the release's own route, from a header for testers to its promotion, over both protocols."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.cluster.asking import PROTOCOLS, Caller, Protocol, Steadily, answered, share
from tests.cluster.harness.cluster import Namespace
from tests.cluster.harness.waiting import until
from tests.cluster.models import CLAIM, published

MODEL: Final = "numbers"
STABLE, CANARY = "1", "2"
TIMES: Final = 2000
# A share that is further off than this happens by chance once in two million times.
_SIGMAS: Final = 5

Values = dict[str, Any]


def values(canary: Values | None, stable: str = STABLE) -> Values:
    """Return the values of a release with the stable's version and a canary."""
    return {
        "models": [{"name": MODEL, "storageUri": f"pvc://{CLAIM}/{MODEL}/{stable}"}],
        "route": {"enabled": True},
        "canary": {"enabled": False}
        if canary is None
        else {"enabled": True, "storageUri": f"pvc://{CLAIM}/{MODEL}/{CANARY}", "header": "x-canary", **canary},
        # As many pods as a rollout of both has at once are to fit on two cores.
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
    }


@pytest.fixture(scope="module")
def release(namespace: Namespace) -> Iterator[str]:
    published(namespace, MODEL)
    namespace.release("demo", values({"weight": 0}))
    yield "demo"
    namespace.helm("uninstall", "demo")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_testers_reach_the_canary_by_a_header_while_nobody_else_does(caller: Caller, protocol: Protocol) -> None:
    tester = Caller(caller.cluster, caller.host, MODEL, {"x-canary": "always"})
    assert tester.ask(protocol, 100) == {CANARY: 100}
    assert caller.ask(protocol, 100) == {STABLE: 100}


@pytest.mark.parametrize("weight", [10, 50])
def test_the_canary_answers_the_share_that_its_weight_says(
    namespace: Namespace, release: str, caller: Caller, weight: int
) -> None:
    namespace.release(release, values({"weight": weight}))
    until("the weight acts", lambda: _is_by_chance(caller.ask("rest", 200)[CANARY], 200, weight))
    for protocol in PROTOCOLS:
        answers = caller.ask(protocol, TIMES)
        assert set(answers) == {STABLE, CANARY}
        assert _is_by_chance(answers[CANARY], TIMES, weight), f"{protocol}: {share(answers, CANARY):.1%}"


def test_mirrored_requests_reach_the_canary_and_their_answers_nobody(
    namespace: Namespace, release: str, caller: Caller
) -> None:
    namespace.release(release, values({"weight": 0, "mirror": 50}))
    until("nobody is answered by the canary", lambda: caller.ask("rest", 100) == {STABLE: 100})
    before = _answered_by_canary(namespace)
    until("mirrored requests arrive", lambda: caller.ask("rest", 20) and _answered_by_canary(namespace) > before)
    before = _answered_by_canary(namespace)
    assert caller.ask("rest", 400) == {STABLE: 400}
    # The last of them are under way when the last answer comes.
    until(
        "half of them arrive, as chance has it",
        lambda: _is_by_chance(_answered_by_canary(namespace) - before, 400, 50),
        timeout_seconds=10,
    )


def test_a_promotion_loses_no_request(namespace: Namespace, release: str, caller: Caller) -> None:
    """As the chart's README says it: weight up, the stable takes the artifact, weight back, the canary goes."""
    with Steadily(caller) as steadily:
        namespace.release(release, values({"weight": 50}))
        namespace.release(release, values({"weight": 100}))
        until("all are answered by the canary", lambda: caller.ask("rest", 100) == {CANARY: 100})
        # While the canary answers everybody the stable is replaced.
        namespace.release(release, values({"weight": 100}, stable=CANARY))
        namespace.release(release, values({"weight": 0}, stable=CANARY))
        namespace.release(release, values(None, stable=CANARY))
        until("the canary has gone", lambda: not namespace.objects() & {f"deployment.apps/{MODEL}-canary-predictor"})
        gone = "--selector=serving.kserve.io/inferenceservice=" + f"{MODEL}-canary"
        namespace.kubectl("wait", "--for=delete", "--timeout=60s", "pods", gone)
        assert caller.ask("rest", 100) == caller.ask("grpc", 100) == {CANARY: 100}
    assert steadily.failures(STABLE, CANARY) == {}
    assert steadily.answers[STABLE] > 0
    assert sum(steadily.answers.values()) > 500


def _is_by_chance(count: int, times: int, percent: int) -> bool:
    """Whether a binomial variable is as often off as this."""
    probability = percent / 100
    deviation = (times * probability * (1 - probability)) ** 0.5
    return bool(abs(count - times * probability) <= _SIGMAS * deviation)


def _answered_by_canary(namespace: Namespace) -> int:
    return answered(namespace, f"deployment/{MODEL}-canary-predictor")
