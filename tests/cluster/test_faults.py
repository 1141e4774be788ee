"""What goes on while a part of the service or of the cluster is away, and who says why."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from tests.cluster.asking import PROTOCOLS, Caller, Steadily, share
from tests.cluster.harness import apiserver, containerd, istio, kserve, kubelet
from tests.cluster.harness.cluster import CHART, Cluster, CommandFailed, Namespace, Object
from tests.cluster.harness.node import Node
from tests.cluster.harness.own import without
from tests.cluster.harness.waiting import until
from tests.cluster.models import CLAIM, damaged, published

MODEL: Final = "numbers"
STABLE, OTHER, DAMAGED = "1", "2", "3"
REPLICAS: Final = 2
PER_SECOND: Final = 20
# What is killed drains nothing, and the Gateway hears of it a moment later: no more than come in that second.
LOST: Final = PER_SECOND
BROKEN: Final = ("upstream connect error", "DEADLINE_EXCEEDED", "ReadTimeout")

Values = dict[str, Any]


def values(version: str = STABLE, **more: Any) -> Values:
    return {
        "models": [{"name": MODEL, "storageUri": f"pvc://{CLAIM}/{MODEL}/{version}"}],
        "replicas": REPLICAS,
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        "route": {"enabled": True},
        **more,
    }


def broken_canary(weight: int) -> Values:
    canary = {"enabled": True, "storageUri": f"pvc://{CLAIM}/{MODEL}/{DAMAGED}", "replicas": 1, "header": "x-canary"}
    return values(canary={**canary, "weight": weight})


@pytest.fixture(scope="module")
def release(namespace: Namespace) -> Iterator[str]:
    published(namespace, MODEL)
    damaged(namespace, MODEL, int(DAMAGED))
    namespace.release("demo", values())
    yield "demo"
    namespace.helm("uninstall", "demo")


@pytest.fixture
def caller(cluster: Cluster, namespace: Namespace, release: str) -> Caller:
    """Somebody who is answered, by as many pods as there are to be."""
    found = Caller(cluster, namespace.host(MODEL), MODEL)
    whole(namespace)
    for protocol in PROTOCOLS:
        until(f"it answers by {protocol}", lambda: found.ask(protocol, 20) == {STABLE: 20})  # noqa: B023
    return found


@contextmanager
def answered(caller: Caller, *answers: str, lost: int = 0) -> Iterator[Steadily]:
    """
    Ask all the while, and some more at the end.

    Every answer has to be one of those given, the stable's by default, but for as many as may be lost: by a connection
    that broke, or that leads to an address which nobody has any more, where a client waits as long as it likes to.
    """
    with Steadily(caller, PER_SECOND) as steadily:
        yield steadily
        more(steadily)
    failures = steadily.failures(*(answers or [STABLE]))
    assert sum(failures.values()) <= lost, failures
    assert all(any(how in failure for how in BROKEN) for failure in failures), failures


def more(steadily: Steadily, seconds: int = 2) -> None:
    """Wait until there are as many answers more as that time has."""
    enough = steadily.answers.total() + seconds * PER_SECOND
    until("there are more answers", lambda: steadily.answers.total() >= enough)


def test_a_server_that_is_killed_is_started_again(namespace: Namespace, node: Node, caller: Caller) -> None:
    name = pods(namespace)[0]["metadata"]["name"]
    with answered(caller, lost=LOST):
        containerd.kill(node, server(namespace, name)["containerID"])
        until("its kubelet has started it again", lambda: server(namespace, name)["restartCount"] == 1)
        whole(namespace)
    assert server(namespace, name)["lastState"]["terminated"]["exitCode"] == 137


def test_a_pod_that_is_deleted_is_replaced(namespace: Namespace, caller: Caller) -> None:
    name = pods(namespace)[0]["metadata"]["name"]
    with answered(caller):
        namespace.kubectl("delete", f"pod/{name}")
        whole(namespace)
    assert events(namespace, "Killing", name)
    assert any(
        f"Created pod: {pod['metadata']['name']}" in events(namespace, "SuccessfulCreate") for pod in pods(namespace)
    )


def test_a_pod_that_fills_its_disk_is_evicted_and_replaced(namespace: Namespace, caller: Caller) -> None:
    name = pods(namespace)[0]["metadata"]["name"]
    with answered(caller, lost=LOST):
        namespace.python(f"pod/{name}", "open('/tmp/full', 'wb').write(bytes(80 << 20))")
        evicted = until("its kubelet evicts it", lambda: events(namespace, "Evicted"), 180)
        until("it is no longer counted on", lambda: name not in {pod["metadata"]["name"] for pod in pods(namespace)})
        whole(namespace)
    assert 'Usage of EmptyDir volume "tmp" exceeds the limit "64Mi"' in evicted


def test_an_image_that_is_not_there_replaces_nothing(namespace: Namespace, release: str, caller: Caller) -> None:
    before = started(namespace)
    with answered(caller):
        upgrade(namespace, values(image={"tag": "missing"}))
        until("its kubelet has given up for now", lambda: "ImagePullBackOff" in waiting(namespace), 120)
        assert 'Failed to pull image "ghcr.io/sklearn-kserve/sklearn-kserve:missing"' in events(namespace, "Failed")
        with pytest.raises(CommandFailed, match="timed out"):
            namespace.kubectl("rollout", "status", "--timeout=1s", f"deployment/{MODEL}-predictor")
        namespace.helm("rollback", release)
        namespace.settled()
    assert started(namespace) == before


def test_a_damaged_artifact_is_never_ready_and_says_why(namespace: Namespace, release: str, caller: Caller) -> None:
    """A weight on it would be that many errors, for a route does not ask whether anybody is there; back to 0 ends them."""
    canary = f"deployment/{MODEL}-canary-predictor"
    with answered(caller):
        upgrade(namespace, broken_canary(0))
        until(
            "its kubelet says that it is not ready",
            lambda: "statuscode: 503" in events(namespace, "Unhealthy", "canary"),
        )
        until("its server says why", lambda: "sha256" in namespace.kubectl("logs", canary))
        assert not namespace.get(canary)["status"].get("readyReplicas")
    tester = Caller(caller.cluster, caller.host, MODEL, {"x-canary": "always"})
    assert tester.once("rest").startswith("503")
    assert tester.once("grpc").startswith("UNAVAILABLE")

    upgrade(namespace, broken_canary(50))
    until("the weight acts", lambda: caller.ask("rest", 50)[STABLE] < 50)
    for protocol in PROTOCOLS:
        assert 0.3 < share(caller.ask(protocol, 200), STABLE) < 0.7
    upgrade(namespace, broken_canary(0))
    until("the weight is gone", lambda: caller.ask("rest", 50) == {STABLE: 50})
    with answered(caller):
        namespace.release(release, values())


def test_the_kubelet_starts_again_and_leaves_the_pods_alone(
    cluster: Cluster, namespace: Namespace, node: Node, caller: Caller
) -> None:
    before = started(namespace)
    with answered(caller) as steadily:
        with without(kubelet, node):
            more(steadily)
        cluster.kubectl("wait", "--for=condition=Ready", "--timeout=60s", "nodes", "--all")
    assert started(namespace) == before


def test_without_kserve_no_model_is_lost_and_nothing_changes(
    namespace: Namespace, release: str, node: Node, caller: Caller
) -> None:
    """Its webhook is asked about each pod of a model, too: none is replaced until it is back."""
    with answered(caller, STABLE, OTHER):
        with without(kserve, node):
            with pytest.raises(CommandFailed, match="failed calling webhook"):
                upgrade(namespace, values(OTHER))
            namespace.kubectl("delete", f"pod/{pods(namespace)[0]['metadata']['name']}")
            until("the event names it", lambda: "kserve-webhook-server" in events(namespace, "FailedCreate"))
            assert caller.ask("rest", 20) == caller.ask("grpc", 20) == {STABLE: 20}
        # As the runbook says it: by itself a ReplicaSet that was refused a dozen times tries again minutes later.
        namespace.kubectl("annotate", "replicasets", "--all", "--overwrite", "retry=now")
        whole(namespace)
        namespace.release(release, values(OTHER))
        until("it is heard again", lambda: caller.ask("rest", 20) == {OTHER: 20})
        namespace.release(release, values())
        until("and again", lambda: caller.ask("rest", 20) == caller.ask("grpc", 20) == {STABLE: 20})


def test_without_istiod_the_gateway_goes_on(namespace: Namespace, release: str, node: Node, caller: Caller) -> None:
    """As it was: what changes meanwhile acts once istiod is back."""
    header = {"enabled": True, "weight": 0, "header": "x-canary", "storageUri": f"pvc://{CLAIM}/{MODEL}/{OTHER}"}
    tester = Caller(caller.cluster, caller.host, MODEL, {"x-canary": "always"})
    with answered(caller) as steadily:
        with without(istio, node):
            namespace.release(release, values(canary={**header, "replicas": 1}))
            more(steadily)
            assert tester.once("rest") == tester.once("grpc") == STABLE
        until("the route to the canary acts", lambda: tester.once("rest") == tester.once("grpc") == OTHER)
        namespace.release(release, values())


def test_without_the_api_server_models_answer(
    cluster: Cluster, namespace: Namespace, node: Node, caller: Caller
) -> None:
    before, running = started(namespace), node.running()
    with answered(caller) as steadily:
        with without(apiserver, node):
            more(steadily, 5)
        cluster.kubectl("wait", "--for=condition=Ready", "--timeout=60s", "nodes", "--all")
        more(steadily, 5)
    assert started(namespace) == before
    assert node.running() == running


def upgrade(namespace: Namespace, values: Values) -> None:
    """Upgrade the release without waiting for what comes of it."""
    namespace.helm("upgrade", "demo", str(CHART), "--values=-", stdin=json.dumps(values))


def whole(namespace: Namespace) -> None:
    """Wait until there are as many pods as there are to be, ready each."""
    until("all pods are ready", lambda: [ready(pod) for pod in pods(namespace)] == [True] * REPLICAS, 120)


def pods(namespace: Namespace) -> list[Object]:
    """Return the stable's pods that are to stay."""
    found = namespace.get("pods", f"--selector=serving.kserve.io/inferenceservice={MODEL}")["items"]
    return [
        pod for pod in found if "deletionTimestamp" not in pod["metadata"] and pod["status"].get("phase") != "Failed"
    ]


def ready(pod: Object) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))


def server(namespace: Namespace, pod: str) -> Object:
    """Return what is said of a pod's server."""
    found: Object = namespace.get(f"pod/{pod}")["status"]["containerStatuses"][0]
    return found


def started(namespace: Namespace) -> set[tuple[str, int]]:
    """Return which pods there are, and how often their servers were started again."""
    return {(pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"]) for pod in pods(namespace)}


def waiting(namespace: Namespace) -> set[str]:
    """Return what the servers wait for that have not started."""
    statuses = [status for pod in pods(namespace) for status in pod["status"].get("containerStatuses", [])]
    return {status["state"]["waiting"]["reason"] for status in statuses if "waiting" in status["state"]}


def events(namespace: Namespace, reason: str, about: str = "") -> str:
    """Return the messages of all events that have a reason, about objects that have a part of a name."""
    found = namespace.get("events", f"--field-selector=reason={reason}")["items"]
    return "\n".join(event["message"] for event in found if about in event["involvedObject"]["name"])
