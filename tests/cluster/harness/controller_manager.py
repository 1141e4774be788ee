"""The controller manager, with an autoscaler that looks often enough for a test to see it decide."""

from tests.cluster.harness.network import NODE, inside
from tests.cluster.harness.node import Node, answers
from tests.cluster.harness.pki import certificate, key, kubeconfig
from tests.tools import built


def start(node: Node) -> None:
    """Start it."""
    own = kubeconfig(node, "controller-manager")
    command = [
        str(built("kubernetes") / "kube-controller-manager"),
        f"--kubeconfig={own}",
        f"--authentication-kubeconfig={own}",
        f"--authorization-kubeconfig={own}",
        f"--cert-dir={node.state / 'pki'}",
        f"--root-ca-file={certificate(node, 'ca')}",
        f"--service-account-private-key-file={key(node, 'service-accounts')}",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        # As often as a claim is looked at again that found no volume; 15 s is what pods would wait at first.
        "--pvclaimbinder-sync-period=1s",
        "--horizontal-pod-autoscaler-sync-period=5s",
        "--horizontal-pod-autoscaler-initial-readiness-delay=5s",
        "--horizontal-pod-autoscaler-cpu-initialization-period=30s",
        "--horizontal-pod-autoscaler-downscale-stabilization=30s",
    ]
    node.start("controller-manager", inside(*command), lambda: answers(f"https://{NODE}:10257/healthz"))


def stop(node: Node) -> None:
    """End it."""
    node.stop("controller-manager")
