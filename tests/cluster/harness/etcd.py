"""etcd, Debian's: Kubernetes' store. It syncs nothing to the disk, for a cluster of tests is not recovered."""

from tests.cluster.harness.network import NODE, inside
from tests.cluster.harness.node import Node, answers

URL = f"http://{NODE}:2379"


def start(node: Node) -> None:
    """Start it on an empty directory."""
    command = [
        "etcd",
        f"--data-dir={node.state / 'etcd'}",
        f"--listen-client-urls={URL}",
        f"--advertise-client-urls={URL}",
        f"--listen-peer-urls=http://{NODE}:2380",
        "--unsafe-no-fsync",
        "--logger=zap",
    ]
    node.start("etcd", inside(*command), lambda: answers(f"{URL}/health"))


def stop(node: Node) -> None:
    """End it."""
    node.stop("etcd")
