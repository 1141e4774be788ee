"""The scheduler."""

from tests.cluster.harness.network import NODE, inside
from tests.cluster.harness.node import Node, answers
from tests.cluster.harness.pki import kubeconfig
from tests.tools import built


def start(node: Node) -> None:
    """Start it."""
    own = kubeconfig(node, "scheduler")
    command = [
        str(built("kubernetes") / "kube-scheduler"),
        f"--kubeconfig={own}",
        f"--authentication-kubeconfig={own}",
        f"--authorization-kubeconfig={own}",
        f"--cert-dir={node.state / 'pki'}",
        "--leader-elect=false",
    ]
    node.start("scheduler", inside(*command), lambda: answers(f"https://{NODE}:10259/healthz"))


def stop(node: Node) -> None:
    """End it."""
    node.stop("scheduler")
