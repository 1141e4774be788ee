"""Pods come with the requests that Prometheus has seen in flight, or waiting, and go with them: by KEDA."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final

import pytest
import yaml

from tests.cluster.asking import Caller, Steadily, answered
from tests.cluster.harness import prometheus
from tests.cluster.harness.cluster import CHART, Cluster, CommandFailed, Namespace, Object
from tests.cluster.harness.node import Node
from tests.cluster.harness.own import without
from tests.cluster.harness.prometheus import Watched
from tests.cluster.harness.waiting import until
from tests.cluster.models import CLAIM, published
from tests.cluster.scaling import pods, ready, rescaled, scalers

pytestmark = pytest.mark.needs("keda", "prometheus")

MODEL: Final = "numbers"
MOST: Final = 2
CALM_SECONDS: Final = 15
TARGETS: Final = {"inFlight": 2, "queueDepth": 1}
"""Requests that a pod is to have: more than the few cause, and less than the connections of the many."""
METRICS: Final = {"inFlight": "inference_requests_in_flight", "queueDepth": "inference_queue_depth"}
FEW: Final = 5
"""Requests a second."""
MANY: Final = 10_000
"""More than are answered, so that each connection always waits for an answer."""

Values = dict[str, Any]


def values(by: str = "inFlight") -> Values:
    return {
        "models": [{"name": MODEL, "storageUri": f"pvc://{CLAIM}/{MODEL}/1"}],
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        "autoscaling": {
            "class": "keda",
            "cpu": 0,
            by: TARGETS[by],
            "maxReplicas": MOST,
            "calmSeconds": CALM_SECONDS,
            "prometheus": prometheus.URL,
        },
        "monitoring": {"intervalSeconds": 1},
    }


@pytest.fixture(scope="module")
def release(namespace: Namespace) -> Iterator[str]:
    published(namespace, MODEL, versions=1, slow=True)
    namespace.release("demo", values())
    yield "demo"
    namespace.helm("uninstall", "demo")


@pytest.fixture(scope="module")
def watched(namespace: Namespace, node: Node, release: str) -> Iterator[Watched]:
    turned_on = ("--set=monitoring.podMonitor=true", "--set=monitoring.rules=true")
    text = namespace.helm("template", release, str(CHART), "--values=-", *turned_on, stdin=json.dumps(values()))
    rendered = {found["kind"]: found for found in yaml.safe_load_all(text) if found}
    with prometheus.watching(node, rendered["PodMonitor"], rendered["PrometheusRule"]) as found:
        yield found


@pytest.fixture
def caller(cluster: Cluster, namespace: Namespace, watched: Watched) -> Caller:
    found = Caller(cluster, namespace.host(MODEL), MODEL)
    until("it answers", lambda: found.once("rest") == found.once("grpc") == "1")
    return found


@pytest.mark.parametrize("by", TARGETS)
def test_pods_follow_the_requests_without_a_lost_one(
    namespace: Namespace, release: str, caller: Caller, by: str
) -> None:
    namespace.release(release, values(by))
    [trigger] = namespace.get(f"scaledobject/{MODEL}")["spec"]["triggers"]
    assert METRICS[by] in trigger["metadata"]["query"]
    with Steadily(caller, FEW) as throughout:
        until("KEDA's autoscaler knows how many there are", lambda: _knows(namespace, TARGETS[by]), 120)
        assert ready(namespace, MODEL) == 1
        with Steadily(caller, MANY) as loaded:
            until("there are more pods", lambda: ready(namespace, MODEL) == MOST, 120)
            until("each of them answers", lambda: all(answered(namespace, pod) for pod in pods(namespace)))
        until("there is one pod again", lambda: len(pods(namespace)) == 1, 240)
    assert throughout.failures("1") == loaded.failures("1") == {}
    said = rescaled(namespace)
    assert f"New size: {MOST}; reason: external metric s0-prometheus" in said
    assert "New size: 1; reason: All metrics below target" in said


def test_no_pod_is_taken_away_while_prometheus_is_silent(namespace: Namespace, node: Node, caller: Caller) -> None:
    with Steadily(caller, FEW) as throughout:
        with ExitStack() as silent:
            with Steadily(caller, MANY) as loaded:
                until("there are more pods", lambda: ready(namespace, MODEL) == MOST, 120)
                silent.enter_context(without(prometheus, node))
            until("KEDA falls back", lambda: _condition(namespace.get(f"scaledobject/{MODEL}"), "Fallback"), 120)
            enough = throughout.answers.total() + 2 * CALM_SECONDS * FEW
            until("more than a calm has passed", lambda: throughout.answers.total() > enough, 120)
            assert ready(namespace, MODEL) == MOST
        until("there is one pod again", lambda: len(pods(namespace)) == 1, 240)
    assert throughout.failures("1") == loaded.failures("1") == {}


def test_keda_takes_over_from_another_autoscaler_by_none(namespace: Namespace, release: str) -> None:
    by_cpu = {**values(), "autoscaling": {"class": "external"}}
    namespace.release(release, by_cpu)
    until(
        "the release's own has taken over", lambda: [each["metadata"]["name"] for each in scalers(namespace)] == [MODEL]
    )
    with pytest.raises(CommandFailed, match=f"'{MODEL}-predictor' of type 'apps/v1.Deployment' is already managed by"):
        namespace.release(release, values())
    namespace.release(release, {**values(), "autoscaling": {"class": "none"}})
    namespace.release(release, values())
    until("KEDA's has taken over", lambda: scalers(namespace) and _scaler(namespace))


def _scaler(namespace: Namespace) -> Object:
    """Return the autoscaler that KEDA has made; there is no other."""
    [found] = scalers(namespace)
    assert found["metadata"]["name"] == f"keda-hpa-{MODEL}"
    return found


def _knows(namespace: Namespace, target: int) -> bool:
    """Whether the autoscaler has this target, and what it is to be held against."""
    found = _scaler(namespace)
    targets = [metric["external"]["target"]["averageValue"] for metric in found["spec"]["metrics"]]
    return targets == [str(target)] and _condition(found, "ScalingActive")


def _condition(found: Object, name: str) -> bool:
    return any(
        each["type"] == name and each["status"] == "True" for each in found.get("status", {}).get("conditions", [])
    )
