"""Istio's control plane as a process, and the Gateway whose proxy it runs as a pod."""

from pathlib import Path
from typing import Final

from tests.cluster.harness.network import NODE, inside
from tests.cluster.harness.node import Failed, Node, answers
from tests.cluster.harness.objects import Object, apply, apply_crds, by_node, kubectl, namespace, of_chart, of_file
from tests.cluster.harness.pki import kubeconfig
from tests.tools import built, source_of

PROXY_IMAGE: Final = "docker.io/istio/proxyv2:1.31.0"
GATEWAY: Final = "kserve-ingress-gateway"
GATEWAY_NAMESPACE: Final = "kserve"
_NAMESPACE: Final = "istio-system"
_PORTS: Final = {15010: 15010, 15012: 15012, 443: 15017, 15014: 15014}
_PODS_ONLY: Final = ("Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget")
_HUB, _TAG = PROXY_IMAGE.removesuffix("/proxyv2:1.31.0"), PROXY_IMAGE.rpartition(":")[2]
_VALUES: Final[Object] = {
    # Istio's metrics are a filter of its own build of Envoy, and this one is the public one.
    "telemetry": {"enabled": False},
    "global": {"hub": _HUB, "tag": _TAG, "imagePullPolicy": "IfNotPresent"},
    "meshConfig": {
        # In the stead of Istio's metrics these say how many answers each backend gave.
        "defaultConfig": {"proxyStatsMatcher": {"inclusionRegexps": ["cluster\\.outbound.*"]}},
    },
}
_ENVIRONMENT: Final = {
    "POD_NAMESPACE": _NAMESPACE,
    "PILOT_CERT_PROVIDER": "istiod",
    # Without it the injector's certificate stays unset.
    "REVISION": "default",
    # Filters of Istio's own build of Envoy, without which this Envoy would refuse the listeners.
    "PILOT_ENABLE_METADATA_EXCHANGE": "false",
    "PILOT_ENABLE_ALPN_FILTER": "false",
}


def apply_crds_and_roles(node: Node) -> None:
    """Apply the CRDs of Gateway API and Istio, and the charts' objects; KServe's controller asks for them as it starts."""
    gateway_api = source_of("istio", "sigs.k8s.io/gateway-api") / "config" / "crd" / "standard"
    apply_crds(node, [found for file in sorted(gateway_api.glob("*.yaml")) for found in of_file(file)])
    charts = _charts()
    base = of_chart(charts / "base", _NAMESPACE)
    definitions = [found for found in base if found["kind"] == "CustomResourceDefinition"]
    apply_crds(node, definitions)
    discovery = of_chart(charts / "istio-control" / "istio-discovery", _NAMESPACE, _VALUES, _without_pods)
    apply(node, namespace(_NAMESPACE), *(found for found in base if found not in definitions), *discovery)


def start(node: Node) -> None:
    """Start istiod, and wait until the Gateway's proxy takes calls."""
    command = [str(built("istio") / "pilot-discovery"), "discovery", f"--kubeconfig={kubeconfig(node, 'istiod')}"]
    node.start("istiod", inside(*command), lambda: answers(f"http://{NODE}:8080/ready"), env=_ENVIRONMENT)
    apply(node, namespace(GATEWAY_NAMESPACE), _gateway())
    name = f"gateway/{GATEWAY}"
    kubectl(node, "wait", f"--namespace={GATEWAY_NAMESPACE}", "--for=condition=Programmed", "--timeout=120s", name)
    deployment = f"deployment/{GATEWAY}-istio"
    kubectl(node, "rollout", "status", f"--namespace={GATEWAY_NAMESPACE}", "--timeout=120s", deployment)
    check(node)


def stop(node: Node) -> None:
    """End it; the Gateway's pod goes with all others."""
    node.stop("istiod")


def check(node: Node) -> None:
    """Fail if a proxy has refused what istiod sent: its pod would be ready all the same."""
    refused = [line for line in (node.logs / "istiod.log").read_text().splitlines() if "ACK ERROR" in line]
    if refused:
        raise Failed(f"Envoy refused its configuration: {refused[-1]}")


def _gateway() -> Object:
    annotations = {"networking.istio.io/service-type": "ClusterIP"}  # nobody here balances loads
    listener = {
        "name": "http",
        "port": 80,
        "protocol": "HTTP",
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": GATEWAY, "namespace": GATEWAY_NAMESPACE, "annotations": annotations},
        "spec": {"gatewayClassName": "istio", "listeners": [listener]},
    }


def _without_pods(found: Object) -> list[Object]:
    if found["kind"] in _PODS_ONLY:
        return []
    return by_node(found, _PORTS) if found["kind"] == "Service" else [found]


def _charts() -> Path:
    return source_of("istio", "istio.io/istio") / "manifests" / "charts"
