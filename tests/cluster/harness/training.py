"""The image that trains models, of the Dockerfile's target."""

from tests.cluster.harness import images
from tests.cluster.harness.node import Node


def start(node: Node) -> None:
    """Bring it; jobs run it."""
    images.bring_own(node, images.training(), "training")


def stop(node: Node) -> None:
    """Nothing: it goes with containerd's directory."""
