"""metrics-server: what pods use, for autoscalers and `kubectl top`."""

from typing import Final

from tests.cluster.harness.network import NODE, inside
from tests.cluster.harness.node import Node, answers
from tests.cluster.harness.objects import apply, by_node, kubectl, of_file
from tests.cluster.harness.pki import account, certificate
from tests.tools import built, source_of

_NAMESPACE: Final = "kube-system"
_PORT: Final = 10260


def start(node: Node) -> None:
    """Apply its objects, start it, and wait until the API server passes questions on to it."""
    base = source_of("metrics-server", "sigs.k8s.io/metrics-server") / "manifests" / "base"
    # Their APIService trusts whatever certificate the server makes for itself, as in most clusters.
    for name in ("rbac", "service", "apiservice"):
        for found in of_file(base / f"{name}.yaml"):
            apply(node, *(by_node(found, {443: _PORT}) if found["kind"] == "Service" else [found]))
    own = account(node, _NAMESPACE, "metrics-server")
    command = [
        str(built("metrics-server") / "metrics-server"),
        f"--kubeconfig={own}",
        f"--authentication-kubeconfig={own}",
        f"--authorization-kubeconfig={own}",
        f"--cert-dir={node.state / 'metrics-server'}",
        f"--bind-address={NODE}",
        f"--secure-port={_PORT}",
        f"--kubelet-certificate-authority={certificate(node, 'ca')}",
        "--kubelet-preferred-address-types=InternalIP",
        "--metric-resolution=10s",
        # Less than the resolution, or it ends at once.
        "--kubelet-request-timeout=5s",
    ]
    node.start("metrics-server", inside(*command), lambda: answers(f"https://{NODE}:{_PORT}/livez"))
    kubectl(node, "wait", "--for=condition=Available", "--timeout=60s", "apiservice/v1beta1.metrics.k8s.io")


def stop(node: Node) -> None:
    """End it."""
    node.stop("metrics-server")
