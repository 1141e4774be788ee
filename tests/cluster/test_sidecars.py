"""
Sidecars in the pods: mutual TLS alone, and tokens asked for there as well.

In a namespace of its own, for the container that leads a pod's connections to its sidecar changes the network's rules,
which Pod Security's `restricted` refuses; where that is asked for, istio-cni does it on the node.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.cluster import tokens
from tests.cluster.asking import PROTOCOLS, Caller, Protocol, Steadily
from tests.cluster.harness.cluster import CHART, Cluster, CommandFailed, Namespace
from tests.cluster.harness.images import server
from tests.cluster.harness.waiting import until
from tests.cluster.models import CLAIM, pod, published

POD_SECURITY: Final = "privileged"
MODEL: Final = "numbers"
KEY: Final = tokens.key()
AUTHORIZATION: Final = f"Bearer {tokens.token(KEY)}"
NEIGHBOUR, PLAIN = "neighbour", "plain"
"""Pods of the namespace: one of the mesh, and one that is not."""
_WAIT: Final = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit()); signal.pause()"
_ASK: Final = """
import json, sys
from http.client import HTTPConnection

host, port, path, authorization = sys.argv[1:]
inputs = [{"name": "input-0", "shape": [1, 1], "datatype": "FP64", "data": [1.0]}]
connection = HTTPConnection(host, int(port), timeout=10)
try:
    if path == "/stats/prometheus":
        connection.request("GET", path)
    else:
        connection.request("POST", path, json.dumps({"inputs": inputs}), {"Authorization": authorization})
    answer = connection.getresponse()
    print(answer.status, answer.read().decode())
except OSError as error:
    print(type(error).__name__)
"""


def values() -> dict[str, Any]:
    return {
        "models": [{"name": MODEL, "storageUri": f"pvc://{CLAIM}/{MODEL}/1"}],
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        "auth": {
            "enabled": True,
            "issuer": tokens.ISSUER,
            "audiences": [tokens.AUDIENCE],
            "jwks": tokens.jwks(KEY),
            "allow": [{"methods": ["GET", "POST"]}],
            # What is refused here is refused by the pods.
            "gateway": False,
        },
    }


@pytest.fixture(scope="module")
def release(namespace: Namespace) -> Iterator[str]:
    published(namespace, MODEL, versions=1)
    namespace.release("demo", values())
    for name in (NEIGHBOUR, PLAIN):
        client = pod(name, server())
        client["spec"]["containers"][0]["command"] = ["python", "-c", _WAIT]
        client["metadata"]["labels"] = {"sidecar.istio.io/inject": str(name == NEIGHBOUR).lower()}
        namespace.apply(client)
    namespace.kubectl("wait", "--for=condition=Ready", "--timeout=60s", f"pod/{NEIGHBOUR}", f"pod/{PLAIN}")
    yield "demo"
    namespace.helm("uninstall", "demo")


@pytest.fixture(scope="module")
def caller(cluster: Cluster, namespace: Namespace, release: str) -> Caller:
    """Somebody with a token."""
    found = Caller(cluster, namespace.host(MODEL), MODEL, {"authorization": AUTHORIZATION})
    nobody = Caller(cluster, found.host, MODEL)
    for protocol, refused in zip(PROTOCOLS, ("403", "PERMISSION_DENIED"), strict=True):
        until("a good token is let through", lambda: found.once(protocol) == "1")  # noqa: B023
        until("nobody is let through without", lambda: nobody.once(protocol).startswith(refused))  # noqa: B023
    return found


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_gateway_reaches_the_pods_by_mutual_tls(caller: Caller, protocol: Protocol) -> None:
    assert caller.ask(protocol, 20) == {"1": 20}


@pytest.mark.usefixtures("caller")
def test_who_does_not_speak_tls_is_hung_up_on(namespace: Namespace) -> None:
    """Even with a good token, and past the Service."""
    service = _service(namespace)
    for host, port in ((service, 80), (_address(namespace), 8080), (_address(namespace), 8081)):
        assert _asked(namespace, PLAIN, host, port) == "ConnectionResetError", (host, port)


@pytest.mark.usefixtures("caller")
def test_a_neighbour_of_the_mesh_is_asked_for_a_token(namespace: Namespace) -> None:
    service = _service(namespace)
    assert _asked(namespace, NEIGHBOUR, service, 80, authorization="").startswith("403 RBAC")
    assert _asked(namespace, NEIGHBOUR, service, 80).startswith("200 ")


@pytest.mark.usefixtures("caller")
def test_prometheus_reads_the_servers_metrics_from_the_sidecar(namespace: Namespace) -> None:
    """As the PodMonitor has it: without TLS and a token, merged with the sidecar's own."""
    said = _asked(namespace, PLAIN, _address(namespace), 15020, path="/stats/prometheus")
    assert "inference_requests_total{" in said
    assert "envoy_" in said


def test_a_restart_with_sidecars_loses_no_request(namespace: Namespace, release: str, caller: Caller) -> None:
    before = _address(namespace)
    with Steadily(caller) as steadily:
        namespace.helm("upgrade", release, str(CHART), "--reuse-values", "--set-string=pod.annotations.restarted=now")
        namespace.settled()
        until("the old pod is gone", lambda: before not in _addresses(namespace))
    assert steadily.failures("1") == {}
    assert steadily.answers["1"] > 50


def test_restricted_refuses_the_container_that_changes_the_networks_rules(namespace: Namespace, release: str) -> None:
    namespace.cluster.kubectl(
        "label", "namespace", namespace.name, "pod-security.kubernetes.io/enforce=restricted", "--overwrite"
    )
    sidecar = pod("refused", server())
    sidecar["metadata"]["labels"] = {"sidecar.istio.io/inject": "true"}
    with pytest.raises(CommandFailed, match=r'violates PodSecurity "restricted:latest".*istio-init.*NET_ADMIN'):
        namespace.kubectl("create", "--dry-run=server", "--filename=-", stdin=json.dumps(sidecar))


def _asked(
    namespace: Namespace, pod: str, host: str, port: int, *, path: str = "", authorization: str = AUTHORIZATION
) -> str:
    """Ask from a pod; the status and the answer, or the error."""
    arguments = [host, str(port), path or f"/v2/models/{MODEL}/infer", authorization]
    return namespace.kubectl("exec", pod, "--container=main", "--", "python", "-c", _ASK, *arguments).strip()


def _service(namespace: Namespace) -> str:
    return f"{MODEL}-predictor.{namespace.name}.svc.cluster.local"


def _addresses(namespace: Namespace) -> list[str]:
    found = namespace.get("pods", "--selector=app.kubernetes.io/component=predictor")["items"]
    return [pod["status"]["podIP"] for pod in found]


def _address(namespace: Namespace) -> str:
    [found] = _addresses(namespace)
    return found
