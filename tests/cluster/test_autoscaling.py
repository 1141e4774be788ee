"""Pods come with load and go with it: by KServe's autoscaler, and by the release's own."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.cluster.asking import Caller, Steadily, answered
from tests.cluster.harness.cluster import Cluster, Namespace
from tests.cluster.harness.waiting import until
from tests.cluster.models import CLAIM, published
from tests.cluster.scaling import pods, ready, rescaled, scalers

pytestmark = pytest.mark.needs("metrics-server")

MODEL: Final = "numbers"
MOST: Final = 2
# Of a tenth of a core: far above what a few requests take of it, and far below what many do.
PERCENT: Final = 60
FEW, MANY = 5, 200
"""Requests a second."""


def values(scaler: str) -> dict[str, Any]:
    """Return the values of a release that is scaled by KServe (`hpa`) or by its own autoscaler (`external`)."""
    return {
        "models": [{"name": MODEL, "storageUri": f"pvc://{CLAIM}/{MODEL}/1"}],
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        "autoscaling": {"class": scaler, "cpu": PERCENT, "maxReplicas": MOST, "calmSeconds": 15},
    }


@pytest.fixture(scope="module")
def model(namespace: Namespace) -> str:
    published(namespace, MODEL, versions=1)
    return MODEL


@pytest.fixture(scope="module", params=["hpa", "external"])
def scaler(request: pytest.FixtureRequest, namespace: Namespace, model: str) -> Iterator[str]:
    """The autoscaler's name; the second release is an upgrade of the first, so that one takes over from the other."""
    namespace.release("demo", values(request.param))
    name = {"hpa": f"{MODEL}-predictor", "external": MODEL}[request.param]
    until("there is one autoscaler", lambda: [each["metadata"]["name"] for each in scalers(namespace)] == [name])
    yield name
    if request.param == "external":
        namespace.helm("uninstall", "demo")


@pytest.fixture
def caller(cluster: Cluster, namespace: Namespace, scaler: str) -> Caller:
    found = Caller(cluster, namespace.host(MODEL), MODEL)
    until("it answers", lambda: found.once("rest") == found.once("grpc") == "1")
    return found


def test_pods_follow_the_load_without_a_lost_request(namespace: Namespace, scaler: str, caller: Caller) -> None:
    with Steadily(caller, FEW) as throughout:
        until("what a pod uses is known, and is little", lambda: _used(namespace) < PERCENT, 120)
        until("one pod is left of those that its start took", lambda: ready(namespace, MODEL) == 1, 180)
        with Steadily(caller, MANY) as loaded:
            until("there are more pods", lambda: ready(namespace, MODEL) == MOST, 120)
            until("each of them answers", lambda: all(answered(namespace, pod) for pod in pods(namespace)))
        until("there is one pod again", lambda: len(pods(namespace)) == 1, 240)
    assert throughout.failures("1") == loaded.failures("1") == {}
    assert sum(throughout.answers.values()) > 100
    said = rescaled(namespace)
    assert f"New size: {MOST}; reason: cpu resource utilization (percentage of request) above target" in said
    assert "New size: 1; reason: All metrics below target" in said


def _used(namespace: Namespace) -> float:
    """Return the percentage of the requested CPU that a pod uses on average; as long as nobody knows, very much."""
    [scaler] = scalers(namespace)
    for metric in scaler["status"].get("currentMetrics") or []:
        if used := metric.get("resource", {}).get("current", {}).get("averageUtilization"):
            return float(used)
    return float("inf")
