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
    pod = _pod(f"publish-{name}", [_PUBLISH, name, str(versions)])
    namespace.apply(pod)
    named = f"pod/{pod['metadata']['name']}"

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


def _pod(name: str, arguments: list[str]) -> Object:
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
                    "name": "publish",
                    "image": server(),
                    "command": ["python", "-c", *arguments],
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                        "readOnlyRootFilesystem": True,
                    },
                    "volumeMounts": [{"name": "models", "mountPath": "/models"}, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108,
                }
            ],
            "volumes": [
                {"name": "models", "persistentVolumeClaim": {"claimName": CLAIM}},
                {"name": "tmp", "emptyDir": {}},
            ],
        },
    }


__all__ = ["CLAIM", "published"]
