"""Volumes for claims: directories of the machine, as many as the tests' namespaces will ask for."""

import json
import shutil
from typing import Final

from tests.cluster.harness.node import Node
from tests.cluster.harness.objects import Object, apply, kubectl

_CLASS: Final = "standard"
_VOLUMES: Final = 16


def start(node: Node) -> None:
    """Make the default class, and its volumes: nothing provisions them later."""
    apply(
        node,
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {
                "name": _CLASS,
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": "kubernetes.io/no-provisioner",
        },
        *(_volume(node, f"volume-{number}") for number in range(_VOLUMES)),
    )


def renew(node: Node) -> None:
    """Empty the volumes whose claims are gone, for the next ones to find: a run of the tests leaves some each time."""
    found = json.loads(kubectl(node, "get", "persistentvolumes", "--output=json"))["items"]
    for volume in found:
        if volume["status"]["phase"] == "Released":
            name = volume["metadata"]["name"]
            kubectl(node, "delete", "persistentvolume", name)
            shutil.rmtree(node.state / "volumes" / name)
            apply(node, _volume(node, name))


def stop(node: Node) -> None:
    """Nothing: they are in the node's directory."""


def _volume(node: Node, name: str) -> Object:
    directory = node.state / "volumes" / name
    directory.mkdir(parents=True)
    directory.chmod(0o777)  # Kubernetes gives such a directory no group
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "storageClassName": _CLASS,
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce", "ReadWriteMany"],
            "hostPath": {"path": str(directory)},
        },
    }
