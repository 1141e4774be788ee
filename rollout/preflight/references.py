"""What the objects name, and do not bring themselves: Secrets, ConfigMaps, claims, accounts, classes, runtimes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from rollout.preflight.report import Finding, Install, fine, guarded, missing
from rollout.release import Object, Pod

NAMESPACED: Final = {
    "Secret": ("v1", "secrets"),
    "ConfigMap": ("v1", "configmaps"),
    "PersistentVolumeClaim": ("v1", "persistentvolumeclaims"),
    "ServiceAccount": ("v1", "serviceaccounts"),
}


@dataclass(frozen=True, order=True)
class Reference:
    """
    A thing that has to be there before.

    Attributes
    ----------
    kind, name, namespace : str
        What, and where.
    """

    kind: str
    name: str
    namespace: str


def references(install: Install) -> Iterator[Finding]:
    """
    Check that what the values name is there.

    Parameters
    ----------
    install : Install
        What is to be installed, and where.

    Yields
    ------
    Finding
        One for each that is not, or one that all are.
    """
    named = sorted(_named(install))
    wanted = [each for each in named if not install.release.holds(each.kind, each.name, each.namespace)]
    found = [
        finding
        for each in wanted
        for finding in guarded(_there(install, each), f"{each.kind} {each.name} in {each.namespace}")
    ]
    yield from found
    if wanted and not found:
        yield fine(f"What the values name is there: {', '.join(f'{each.kind} {each.name}' for each in wanted)}.")


def _there(install: Install, wanted: Reference) -> Iterator[Finding]:
    cluster, where = install.cluster, f"in namespace {wanted.namespace}"
    match wanted.kind:
        case "PriorityClass":
            if cluster.find("scheduling.k8s.io/v1", "priorityclasses", wanted.name) is None:
                yield missing(f"There is no PriorityClass {wanted.name}; make it, or change pod.priorityClassName.")
        case "ServingRuntime":
            namespaced = cluster.find("serving.kserve.io/v1alpha1", "servingruntimes", wanted.name, wanted.namespace)
            if (
                namespaced is None
                and cluster.find("serving.kserve.io/v1alpha1", "clusterservingruntimes", wanted.name) is None
            ):
                yield missing(
                    f"There is no runtime {wanted.name}, {where} or in the cluster; install KServe's runtimes (kserve-runtime-configs), or name another in models[].runtime."
                )
        case kind:
            found = cluster.find(*NAMESPACED[kind], wanted.name, wanted.namespace)
            if found is None:
                yield missing(f"There is no {kind} {wanted.name} {where}, and the values name it; make it first.")
            elif found.get("status", {}).get("phase") == "Lost":
                yield missing(
                    f"PersistentVolumeClaim {wanted.name} {where} has lost its volume; restore it, or name another."
                )


def _named(install: Install) -> set[Reference]:
    found: set[Reference] = set()
    for pod in install.release.pods():
        found |= {Reference(kind, name, pod.namespace) for kind, name in _of_pod(pod) if name}
    for each in install.release.of_kind("ServiceAccount"):
        for secret in each.get("secrets", []):
            found.add(Reference("Secret", secret["name"], each["metadata"]["namespace"]))
    for each in install.release.of_kind("PodMonitor"):
        for endpoint in each["spec"].get("podMetricsEndpoints", []):
            if name := endpoint.get("authorization", {}).get("credentials", {}).get("name"):
                found.add(Reference("Secret", name, each["metadata"]["namespace"]))
    return found


def _of_pod(pod: Pod) -> Iterator[tuple[str, str]]:
    spec = pod.spec
    yield "ServiceAccount", spec.get("serviceAccountName", "")
    yield "PriorityClass", spec.get("priorityClassName", "")
    for each in spec.get("imagePullSecrets", []):
        yield "Secret", each["name"]
    for volume in spec.get("volumes", []):
        yield from _of_volume(volume)
    for container in pod.containers:
        yield from _of_container(container)
    model = spec.get("model", {})
    yield "ServingRuntime", model.get("runtime", "")
    yield "PersistentVolumeClaim", _claim(model.get("storageUri", ""))


def _of_volume(volume: Object) -> Iterator[tuple[str, str]]:
    for source in [volume, *volume.get("projected", {}).get("sources", [])]:
        secret, settings = source.get("secret", {}), source.get("configMap", {})
        if not secret.get("optional"):
            yield "Secret", secret.get("secretName") or secret.get("name", "")
        if not settings.get("optional"):
            yield "ConfigMap", settings.get("name", "")
    yield "PersistentVolumeClaim", volume.get("persistentVolumeClaim", {}).get("claimName", "")


def _of_container(container: Object) -> Iterator[tuple[str, str]]:
    for each in container.get("env", []):
        if each["name"] == "STORAGE_URI":
            yield "PersistentVolumeClaim", _claim(each.get("value", ""))
        source = each.get("valueFrom", {})
        for kind, key in (("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef")):
            if not source.get(key, {}).get("optional"):
                yield kind, source.get(key, {}).get("name", "")
    for each in container.get("envFrom", []):
        for kind, key in (("Secret", "secretRef"), ("ConfigMap", "configMapRef")):
            if not each.get(key, {}).get("optional"):
                yield kind, each.get(key, {}).get("name", "")


def _claim(uri: str) -> str:
    parts = urlsplit(uri)
    return parts.netloc if parts.scheme == "pvc" else ""
