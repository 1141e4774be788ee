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
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import LinearRegression
from model.artifact import publish

X = np.arange(200.0).reshape(-1, 1)  # enough to tell drift by
name, versions, kind = sys.argv[1:]
for version in range(1, 1 + int(versions)):
    estimator = {"quick": LinearRegression(), "slow": ExtraTreesRegressor(500)}[kind].fit(X, version * X[:, 0])
    print(publish(estimator, X, name=name, root=Path("/models"), accelerate=kind == "quick"))
"""
_BREAK: Final = """
import shutil, sys
from pathlib import Path

whole, broken = (Path("/models", sys.argv[1], version) for version in sys.argv[2:])
shutil.copytree(whole, broken)
(broken / "model.joblib").unlink()
(broken / "model.joblib").write_bytes((whole / "model.joblib").read_bytes()[:-1])
"""


def published(namespace: Namespace, name: str, versions: int = 2, *, slow: bool = False) -> None:
    """
    Publish a model to a claim, which is made for it: version n multiplies by n, so that an answer to 1 names its version.

    A slow one takes some hundredths of a second for that. Afterwards ``pvc://models/<name>/<version>`` is an artifact.
    """
    namespace.apply(claim())
    run(namespace, f"publish-{name}", _PUBLISH, name, str(versions), "slow" if slow else "quick")


def damaged(namespace: Namespace, name: str, version: int) -> None:
    """Add a version to a model that has been published, as it is when not all of it has arrived."""
    run(namespace, f"damage-{name}", _BREAK, name, "1", str(version))


def run(namespace: Namespace, name: str, code: str, *args: str, at: str = CLAIM) -> None:
    """Run Python in a pod of our image that has a claim at /models, to its end."""
    runner = pod(name, server(), at)
    runner["spec"]["containers"][0]["command"] = ["python", "-c", code, *args]
    namespace.apply(runner)
    named = f"pod/{name}"

    def phase() -> str:
        said: str = namespace.get(named)["status"]["phase"]
        return said

    until(f"{named} is through", lambda: phase() in {"Succeeded", "Failed"}, 120)
    assert phase() == "Succeeded", namespace.kubectl("logs", named)
    namespace.kubectl("delete", named)


def claim(name: str = CLAIM, mode: str = "ReadWriteOnce") -> Object:
    """Return a volume claim."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {"accessModes": [mode], "resources": {"requests": {"storage": "64Mi"}}},
    }


def pod(name: str, image: str, at: str = "") -> Object:
    """Return a pod as Pod Security's `restricted` takes it; a claim, if it is said at which, is at /models."""
    volumes: list[Object] = [{"name": "tmp", "emptyDir": {}}]
    mounts = [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108
    if at:
        volumes.append({"name": "models", "persistentVolumeClaim": {"claimName": at}})
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


__all__ = ["CLAIM", "claim", "damaged", "pod", "published", "run"]
