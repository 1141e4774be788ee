"""An artifact in an object store, which KServe's storage initializer fetches: with credentials that are good, and bad."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.cluster.asking import PROTOCOLS, Caller, Steadily
from tests.cluster.harness.cluster import CHART, Namespace, Object
from tests.cluster.harness.waiting import until
from tests.cluster.models import published
from tests.cluster.s3 import BUCKET, PORT, SECRET, Key, filled, secret

pytestmark = pytest.mark.needs("object-store")

MODEL: Final = "numbers"
INITIALIZER: Final = "storage-initializer"


def values(version: int) -> dict[str, Any]:
    return {
        "models": [{"name": MODEL, "storageUri": f"s3://{BUCKET}/{MODEL}/{version}"}],
        "serviceAccount": {"secrets": [SECRET]},
        "networkPolicy": {"storagePorts": [PORT]},
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
    }


@pytest.fixture(scope="module")
def key(namespace: Namespace) -> Key:
    """The key that may read the bucket; the cluster has it, too."""
    published(namespace, MODEL)
    found = filled(namespace)
    namespace.apply(secret(namespace, found))
    return found


@pytest.fixture(scope="module")
def release(namespace: Namespace, key: Key) -> Iterator[str]:
    namespace.release("demo", values(1))
    yield "demo"
    namespace.helm("uninstall", "demo")


def test_an_artifact_from_a_bucket_answers(namespace: Namespace, caller: Caller) -> None:
    assert caller.ask("rest", 20) == caller.ask("grpc", 20) == {"1": 20}
    [pod] = _pods(namespace)
    assert "Successfully copied" in _told(namespace, pod)


def test_with_wrong_credentials_no_pod_starts_and_the_old_one_answers(
    namespace: Namespace, release: str, caller: Caller, key: Key
) -> None:
    [old] = _pods(namespace)
    namespace.apply(secret(namespace, {**key, "AWS_SECRET_ACCESS_KEY": "wrong"}))
    with Steadily(caller) as steadily:
        namespace.helm("upgrade", release, str(CHART), "--values=-", stdin=json.dumps(values(2)))
        [new] = until("there is a new pod", lambda: _pods(namespace) - {old})
        until("it has tried again", lambda: _restarts(namespace, new) > 0)
        # What `kubectl describe pod`, events and the log say.
        assert "403" in _ended(namespace, new)
        assert "403" in _told(namespace, new)
        until("an event names the container", lambda: INITIALIZER in _backed_off(namespace, new))
        assert _pods(namespace) == {old, new}
        # What mends it: the pod takes the Secret as it is when its container starts.
        namespace.apply(secret(namespace, key))
        namespace.settled()
        for protocol in PROTOCOLS:
            until("the new one answers", lambda: caller.ask(protocol, 20) == {"2": 20})  # noqa: B023
    assert steadily.failures("1", "2") == {}
    assert steadily.answers["1"] > 100


def _pods(namespace: Namespace) -> set[str]:
    found = namespace.get("pods", "--selector=app.kubernetes.io/component=predictor")["items"]
    return {pod["metadata"]["name"] for pod in found if "deletionTimestamp" not in pod["metadata"]}


def _initializer(namespace: Namespace, pod: str) -> Object:
    """Return the state of a pod's initializer, as far as the node has told it."""
    statuses = namespace.get(f"pod/{pod}")["status"].get("initContainerStatuses", [])
    found: Object = next((each for each in statuses if each["name"] == INITIALIZER), {})
    return found


def _restarts(namespace: Namespace, pod: str) -> int:
    restarts: int = _initializer(namespace, pod).get("restartCount", 0)
    return restarts


def _ended(namespace: Namespace, pod: str) -> str:
    message: str = _initializer(namespace, pod)["lastState"]["terminated"]["message"]
    return message


def _told(namespace: Namespace, pod: str) -> str:
    return namespace.kubectl("logs", pod, f"--container={INITIALIZER}")


def _backed_off(namespace: Namespace, pod: str) -> str:
    selector = f"--field-selector=reason=BackOff,involvedObject.name={pod}"
    return " ".join(event["message"] for event in namespace.get("events", selector)["items"])
