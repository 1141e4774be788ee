"""What Prometheus sees of a release by the chart's PodMonitor, and what its rules say once something is wrong."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import pytest
import yaml

from tests.cluster.asking import Caller, Steadily
from tests.cluster.harness import containerd, prometheus
from tests.cluster.harness.cluster import CHART, Cluster, Namespace, Object
from tests.cluster.harness.node import Node
from tests.cluster.harness.prometheus import Watched
from tests.cluster.harness.waiting import until
from tests.cluster.models import CLAIM, damaged, published
from tests.deploy.promql import DASHBOARDS, queries

pytestmark = pytest.mark.needs("prometheus")

MODEL: Final = "numbers"
STABLE, CANARY, DAMAGED = "1", "2", "3"
PODS: Final = "--selector=app.kubernetes.io/component=predictor"

Values = dict[str, Any]


def values(canary: str) -> Values:
    storage = f"pvc://{CLAIM}/{MODEL}/"
    return {
        "models": [{"name": MODEL, "storageUri": storage + STABLE}],
        "route": {"enabled": True},
        "canary": {"enabled": True, "storageUri": storage + canary, "weight": 50},
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        # How quickly this machine answers beside all else that it does is not what is to be seen.
        "monitoring": {"intervalSeconds": 1, "latencySeconds": 5},
    }


@pytest.fixture(scope="module")
def release(namespace: Namespace) -> Iterator[str]:
    published(namespace, MODEL)
    damaged(namespace, MODEL, int(DAMAGED))
    namespace.release("demo", values(CANARY))
    yield "demo"
    namespace.helm("uninstall", "demo")


@pytest.fixture(scope="module")
def watched(namespace: Namespace, node: Node, release: str) -> Iterator[Watched]:
    """The release as Prometheus sees it; the operator's objects are read as the operator would, which isn't here."""
    turned_on = ("--set=monitoring.podMonitor=true", "--set=monitoring.rules=true")
    text = namespace.helm("template", release, str(CHART), "--values=-", *turned_on, stdin=json.dumps(values(CANARY)))
    rendered = {found["kind"]: found for found in yaml.safe_load_all(text) if found}
    with prometheus.watching(node, rendered["PodMonitor"], rendered["PrometheusRule"]) as found:
        yield found


@pytest.fixture(scope="module")
def caller(cluster: Cluster, namespace: Namespace, release: str) -> Caller:
    found = Caller(cluster, namespace.host(MODEL), MODEL)
    until("both versions answer", lambda: set(found.ask("rest", 20)) == {STABLE, CANARY})
    return found


def test_every_pod_is_scraped_and_known_by_its_track(namespace: Namespace, watched: Watched) -> None:
    names = [pod["metadata"]["name"] for pod in namespace.get("pods", PODS)["items"]]
    expected = {name: "canary" if "-canary-" in name else "stable" for name in names}
    assert set(expected.values()) == {"canary", "stable"}
    up = f'up{{job="{watched.job}", namespace="{namespace.name}"}} == 1'
    until(
        "they are seen",
        lambda: {each["metric"]["pod"]: each["metric"]["track"] for each in watched.asked(up)} == expected,
    )


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: path.stem)
def test_every_panel_has_something_to_show(dashboard: Path, watched: Watched, caller: Caller) -> None:
    def empty() -> set[str]:
        about_this = (
            (title, query.replace('"sklearn-kserve"', f'"{watched.job}"')) for title, query in queries(dashboard)
        )
        # This model looks nothing up.
        return {title for title, query in about_this if "inference_lookup_" not in query and not watched.asked(query)}

    for _ in range(20):
        _asked_about_the_sample(caller)
    with Steadily(caller, 20):
        # A server without --workers counts none.
        until("each panel has data", lambda: empty() <= {"Workers"})


def test_nothing_is_said_of_a_release_that_is_well(watched: Watched) -> None:
    # But what only waits to become true, as a canary does that is to be promoted within a day.
    assert {name for name, alert in watched.alerts().items() if alert["state"] == "firing"} == set()
    assert set(watched.alerts()) <= {"SklearnKserveCanaryStuck"}


def test_an_artifact_that_is_refused_is_told(namespace: Namespace, release: str, watched: Watched) -> None:
    namespace.helm("upgrade", release, str(CHART), "--values=-", stdin=json.dumps(values(DAMAGED)))
    until("it is seen", lambda: _state(watched, "SklearnKserveVersionRefused") == "firing")
    assert watched.alerts()["SklearnKserveVersionRefused"]["annotations"]["summary"] == (
        f'A version of model "{MODEL}" was refused'
    )
    # This one takes a quarter of an hour to fire.
    until("its replica is seen, too", lambda: _state(watched, "SklearnKserveReplicaWithoutModel") == "pending")
    namespace.release(release, values(CANARY))
    until("no replica is without a model", lambda: not _state(watched, "SklearnKserveReplicaWithoutModel"))


def test_a_server_that_dies_again_and_again_is_told(namespace: Namespace, node: Node, watched: Watched) -> None:
    [pod] = [
        each["metadata"]["name"]
        for each in namespace.get("pods", PODS)["items"]
        if "-canary-" not in each["metadata"]["name"]
    ]
    for restarts in range(3):
        status = until("its server runs", lambda: _running(namespace, pod, restarts), 120)  # noqa: B023
        up = f'up{{job="{watched.job}", pod="{pod}"}} == 1'
        until("it is seen", lambda: watched.asked(up))  # noqa: B023
        containerd.kill(node, status["containerID"])
    until("it is told", lambda: _state(watched, "SklearnKserveReplicaRestarting") == "firing", 120)
    until("its server runs again", lambda: _running(namespace, pod, 3), 120)


def _asked_about_the_sample(caller: Caller) -> None:
    """Ask for as many rows as are looked at for drift, drawn as those that the model was published with."""
    rows = [float(number) for number in np.linspace(0, 199, 256)]
    answer = httpx.post(
        f"http://{caller.cluster.gateway}/v2/models/{caller.model}/infer",
        json={"inputs": [{"name": "input-0", "shape": [len(rows), 1], "datatype": "FP64", "data": rows}]},
        headers={"Host": caller.host},
    )
    assert answer.is_success, answer.text


def _running(namespace: Namespace, pod: str, restarts: int) -> Object:
    """Return the status of a pod's server if it is ready after so many restarts."""
    [status] = namespace.get(f"pod/{pod}")["status"]["containerStatuses"]
    return status if status["ready"] and status["restartCount"] == restarts else {}


def _state(watched: Watched, alert: str) -> str:
    """Return the state of an alert; nothing if there is no reason for it."""
    state: str = watched.alerts().get(alert, {}).get("state", "")
    return state
