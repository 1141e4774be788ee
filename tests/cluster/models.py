"""Versions of a model on a volume claim, published there by our own image."""

from typing import Final

from tests.cluster.harness.cluster import Namespace, Object
from tests.cluster.harness.images import server
from tests.cluster.harness.waiting import until

CLAIM: Final = "models"
_USER: Final = 10001
_PUBLISH: Final = """
import sys
from pathlib import Path
import numpy as np
from sklearn.linear_model import LinearRegression
from model.artifact import publish

X = np.arange(8.0).reshape(-1, 1)
for version in range(1, 1 + int(sys.argv[2])):
    print(publish(LinearRegression().fit(X, version * X[:, 0]), X, name=sys.argv[1], root=Path("/models")))
"""


def published(namespace: Namespace, name: str, versions: int = 2) -> None:
    """
    Publish a model to a claim, which is made for it: version n multiplies by n, so that an answer to 1 names its version.

    Afterwards ``pvc://models/<name>/<version>`` is an artifact.
    """
    namespace.apply(_claim(namespace))
    publisher = pod(f"publish-{name}", server(), CLAIM)
    publisher["spec"]["containers"][0]["command"] = ["python", "-c", _PUBLISH, name, str(versions)]
    namespace.apply(publisher)
    named = f"pod/{publisher['metadata']['name']}"

    def phase() -> str:
        said: str = namespace.get(named)["status"]["phase"]
        return said

    until(f"{named} is through", lambda: phase() in {"Succeeded", "Failed"}, 120)
    assert phase() == "Succeeded", namespace.kubectl("logs", named)
    namespace.kubectl("delete", named)


def _claim(namespace: Namespace) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": CLAIM},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "64Mi"}}},
    }


def pod(name: str, image: str, claim: str = "") -> Object:
    """Return a pod as Pod Security's `restricted` takes it; the claim, if there is to be one, is at /models."""
    volumes: list[Object] = [{"name": "tmp", "emptyDir": {}}]
    mounts = [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108
    if claim:
        volumes.append({"name": "models", "persistentVolumeClaim": {"claimName": claim}})
        mounts.append({"name": "models", "mountPath": "/models"})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": {
                "fsGroup": _USER,
                "runAsGroup": _USER,
                "runAsNonRoot": True,
                "runAsUser": _USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "main",
                    "image": image,
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                        "readOnlyRootFilesystem": True,
                    },
                    "volumeMounts": mounts,
                }
            ],
            "volumes": volumes,
        },
    }


__all__ = ["CLAIM", "pod", "published"]
