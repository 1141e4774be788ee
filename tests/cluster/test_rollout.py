"""What `kubectl rollout` does to a predictor whose Deployment KServe reconciles, and what does instead what it can't."""

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.cluster.asking import Caller, Steadily
from tests.cluster.harness.cluster import CHART, Namespace, Object
from tests.cluster.harness.waiting import until
from tests.cluster.models import CLAIM, published

MODEL: Final = "numbers"
DEPLOYMENT: Final = f"deployment/{MODEL}-predictor"


def values(version: int = 1) -> dict[str, Any]:
    return {
        "models": [{"name": MODEL, "storageUri": f"pvc://{CLAIM}/{MODEL}/{version}"}],
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
    }


@pytest.fixture(scope="module")
def release(namespace: Namespace) -> Iterator[str]:
    published(namespace, MODEL)
    namespace.release("demo", values())
    yield "demo"
    namespace.helm("uninstall", "demo")


def test_status_and_history_tell_of_the_rollouts(namespace: Namespace, release: str) -> None:
    assert "successfully rolled out" in namespace.kubectl("rollout", "status", DEPLOYMENT)
    assert re.search(r"^\d+ ", namespace.kubectl("rollout", "history", DEPLOYMENT), re.MULTILINE)


def test_a_restart_by_kubectl_is_reverted_although_it_reports_success(namespace: Namespace, release: str) -> None:
    before = _template(namespace)
    assert "restarted" in namespace.kubectl("rollout", "restart", DEPLOYMENT)
    assert "successfully rolled out" in namespace.kubectl("rollout", "status", "--timeout=60s", DEPLOYMENT)
    until("KServe has put the template back", lambda: _template(namespace) == before, timeout_seconds=10)


def test_an_undo_by_kubectl_is_reverted_although_it_reports_success(
    namespace: Namespace, release: str, caller: Caller
) -> None:
    namespace.release(release, values(version=2))
    until("version 2 answers", lambda: caller.ask("rest", 20) == {"2": 20})
    before = _template(namespace)
    assert "rolled back" in namespace.kubectl("rollout", "undo", DEPLOYMENT)
    assert "successfully rolled out" in namespace.kubectl("rollout", "status", "--timeout=60s", DEPLOYMENT)
    until("KServe has put the template back", lambda: _template(namespace) == before, timeout_seconds=10)
    until("version 2 answers again", lambda: caller.ask("rest", 20) == {"2": 20})


def test_helm_rollback_undoes_without_a_lost_request(namespace: Namespace, release: str, caller: Caller) -> None:
    namespace.release(release, values(version=1))
    namespace.release(release, values(version=2))
    with Steadily(caller) as steadily:
        until("version 2 answers", lambda: caller.ask("rest", 20) == {"2": 20})
        namespace.helm("rollback", release)
        namespace.settled()
        until("version 1 answers", lambda: caller.ask("rest", 20) == caller.ask("grpc", 20) == {"1": 20})
    assert steadily.failures("1", "2") == {}


def test_a_restart_by_an_annotation_loses_no_request(namespace: Namespace, release: str, caller: Caller) -> None:
    """As the notes of the release say it."""
    before = _pods(namespace)
    with Steadily(caller) as steadily:
        restarted = "pod.annotations.restarted=now"
        namespace.helm("upgrade", release, str(CHART), "--reuse-values", "--set-string", restarted)
        namespace.settled()
        until("the old pods are gone", lambda: not before & _pods(namespace))
    assert steadily.failures(*caller.ask("rest")) == {}
    assert sum(steadily.answers.values()) > 50


def test_a_paused_rollout_goes_on(namespace: Namespace, release: str) -> None:
    """KServe knows nothing of a pause, so it can't hold a release back; a canary can."""
    namespace.kubectl("rollout", "pause", DEPLOYMENT)
    until("KServe has resumed it", lambda: not namespace.get(DEPLOYMENT)["spec"].get("paused"), timeout_seconds=10)


def _template(namespace: Namespace) -> Object:
    template: Object = namespace.get(DEPLOYMENT)["spec"]["template"]
    return template


def _pods(namespace: Namespace) -> set[str]:
    pods = namespace.get("pods", "--selector=app.kubernetes.io/component=predictor")["items"]
    return {pod["metadata"]["uid"] for pod in pods}
