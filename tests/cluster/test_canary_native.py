"""A canary by KServe's own `spec.canary`: pods and status in every release that knows it, a share of the traffic in 0.21."""

import re
import shlex
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.cluster.asking import PROTOCOLS, Caller, Steadily
from tests.cluster.harness.cluster import Namespace, Object
from tests.cluster.harness.waiting import until
from tests.cluster.models import CLAIM, published
from tests.tools import version_of

MODEL: Final = "numbers"
STABLE, CANARY = "1", "2"
SPLITS_FROM: Final = (0, 21)
TIMES: Final = 400
# Five standard deviations of the share at 50 %.
FEWEST, MOST = 150, 250
_ASK: Final = """
import json, urllib.request
inputs = [{"name": "input-0", "shape": [1, 1], "datatype": "FP64", "data": [1.0]}]
asked = urllib.request.Request("http://localhost:8080/v2/models/numbers/infer", json.dumps({"inputs": inputs}).encode())
print(round(json.load(urllib.request.urlopen(asked))["outputs"][0]["data"][0]))
"""


def values(weight: int | None) -> dict[str, Any]:
    """Return the values of a release whose canary has a weight, or that has none."""
    return {
        "models": [{"name": MODEL, "storageUri": f"pvc://{CLAIM}/{MODEL}/{STABLE}", "replicas": 1}],
        "canary": {"enabled": False}
        if weight is None
        else {
            "enabled": True,
            "method": "native",
            "storageUri": f"pvc://{CLAIM}/{MODEL}/{CANARY}",
            "replicas": 1,
            "weight": weight,
        },
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
    }


@pytest.fixture(scope="module")
def release(namespace: Namespace) -> Iterator[str]:
    published(namespace, MODEL)
    namespace.release("demo", values(20))
    namespace.kubectl("wait", "--for=condition=CanaryPredictorReady", "--timeout=120s", f"isvc/{MODEL}")
    yield "demo"
    namespace.helm("uninstall", "demo")


def test_stable_and_canary_have_pods_of_their_own(namespace: Namespace, release: str) -> None:
    for name, version in ((f"{MODEL}-predictor", STABLE), (f"{MODEL}-canary-predictor", CANARY)):
        deployment = namespace.get(f"deployment/{name}")
        assert deployment["spec"]["replicas"] == deployment["status"]["readyReplicas"] == 1
        assert namespace.python(f"deployment/{name}", _ASK).strip() == version
        namespace.get(f"service/{name}")


def test_the_status_tells_of_the_canary(namespace: Namespace, release: str) -> None:
    assert _canary(namespace) == {"name": "canary", "ready": True, "trafficPercent": 20}
    namespace.release(release, values(50))
    until("the status has the new weight", lambda: _canary(namespace)["trafficPercent"] == 50)


def test_the_notes_command_sees_that_it_is_ready_after_a_change_of_the_weight(
    namespace: Namespace, release: str
) -> None:
    """Of which the Deployment, whose generation KServe tells for the model's, knows nothing."""
    namespace.release(release, values(30))
    notes = namespace.helm("get", "notes", release)
    [command] = [line for line in notes.splitlines() if " wait --for=" in line]
    kubectl, *arguments = shlex.split(command)
    assert kubectl == "kubectl"
    assert "condition met" in namespace.cluster.kubectl(*arguments, "--timeout=60s")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_canary_has_a_share_from_0_21_on_and_none_before(
    namespace: Namespace, release: str, caller: Caller, protocol: Any
) -> None:
    """Which is why the chart's own route is its default."""
    namespace.release(release, values(50))
    until("the status has the weight", lambda: _canary(namespace)["trafficPercent"] == 50)
    backends = {each["name"] for each in _backends(namespace)}
    if _kserve() < SPLITS_FROM:
        assert backends == {f"{MODEL}-predictor"}
        assert caller.ask(protocol, TIMES) == {STABLE: TIMES}
    else:
        assert backends == {f"{MODEL}-predictor", f"{MODEL}-canary-predictor"}
        until("the weight acts", lambda: CANARY in caller.ask(protocol, 20))
        assert FEWEST < caller.ask(protocol, TIMES)[CANARY] < MOST


def test_a_canary_goes_without_a_lost_request(namespace: Namespace, release: str, caller: Caller) -> None:
    with Steadily(caller) as steadily:
        namespace.release(release, values(None))
        gone = f"{MODEL}-canary-predictor"
        until("the canary is gone", lambda: not {f"deployment.apps/{gone}", f"service/{gone}"} & namespace.objects())
        assert "canaryStatuses" not in namespace.get(f"isvc/{MODEL}")["status"]
        assert caller.ask("rest", 20) == caller.ask("grpc", 20) == {STABLE: 20}
    assert steadily.failures(STABLE, CANARY) == {}


def _kserve() -> tuple[int, int]:
    """Return the release of KServe that tools/kserve/go.mod names."""
    found = re.match(r"v(\d+)\.(\d+)\.", version_of("kserve", "github.com/kserve/kserve"))
    assert found
    return int(found[1]), int(found[2])


def _canary(namespace: Namespace) -> Object:
    [found] = namespace.get(f"isvc/{MODEL}")["status"]["canaryStatuses"]
    return {name: found.get(name) for name in ("name", "ready", "trafficPercent")}


def _backends(namespace: Namespace) -> list[Object]:
    """Return where KServe's route for the model leads."""
    rules = namespace.get(f"httproute/{MODEL}")["spec"]["rules"]
    return [backend for rule in rules for backend in rule["backendRefs"]]
