"""What Kustomize builds, by the one inside kubectl, and what Helm renders, to be compared by kind and name."""

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from helm.manifests import KUSTOMIZE, NAMESPACE, RELEASE, Name
from tests.deploy.rendering import Object, faults, objects

KUBECTL = Path(sys.executable).with_name("kubectl")
MANAGED_BY = "app.kubernetes.io/managed-by"


class Unbuildable(Exception):
    """What Kustomize says of a directory that it does not build."""


def built(directory: Path) -> dict[Name, Object]:
    """Return what `kubectl apply -k` would send."""
    done = subprocess.run([KUBECTL, "kustomize", directory], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode or done.stderr:
        raise Unbuildable(done.stderr)
    return by_name(list(yaml.load_all(done.stdout, yaml.CSafeLoader)))


def by_name(found: list[Object]) -> dict[Name, Object]:
    """Return objects by kind and name, which no two of them share."""
    named = {Name(each["kind"], each["metadata"]["name"]): each for each in found if each}
    assert len(named) == len([each for each in found if each])
    return named


def refused(found: dict[Name, Object]) -> dict[Name, list[str]]:
    """Return the objects of which a cluster would refuse or drop something, and what."""
    return {name: wrong for name, each in found.items() if (wrong := faults(each))}


def without_label(node: Any) -> Any:
    """Leave out the one label that names Helm."""
    if isinstance(node, dict):
        return {key: without_label(value) for key, value in node.items() if (key, value) != (MANAGED_BY, "Helm")}
    return [without_label(each) for each in node] if isinstance(node, list) else node


def installed(values: dict[str, Any], namespace: str = NAMESPACE) -> dict[Name, Object]:
    """Return what `helm install` would send: all but the pods of `helm test` and the label that names Helm."""
    every = objects(values, release=RELEASE, namespace=namespace)
    return by_name(
        [without_label(each) for each in every if "helm.sh/hook" not in each["metadata"].get("annotations", {})]
    )


@cache
def environment(name: str) -> dict[str, Any]:
    """Return the values that say to Helm what an overlay says to Kustomize."""
    values: dict[str, Any] = yaml.safe_load((KUSTOMIZE / "overlays" / name / "values.yaml").read_text())
    return values
