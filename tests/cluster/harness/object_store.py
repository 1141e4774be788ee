"""The images of what fetches a model from an object store, and of a store."""

from tests.cluster.harness import images
from tests.cluster.harness.node import Node


def start(node: Node) -> None:
    """Bring them; pods run them."""
    images.bring(node, "storage-initializer", "s3")


def stop(node: Node) -> None:
    """Nothing: they go with containerd's directory."""
