"""The namespace: whether it is there, what Pod Security it enforces, and what its quota leaves."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from rollout.cluster import quantity
from rollout.preflight.mesh import ENFORCE
from rollout.preflight.report import Finding, Install, fine, guarded, missing, unknown, warning
from rollout.release import Pod

RESTRICTED: Final = "restricted"


def namespace(install: Install) -> Iterator[Finding]:
    """
    Check the namespace that the release goes to.

    Parameters
    ----------
    install : Install
        What is to be installed, and where.

    Yields
    ------
    Finding
        One about the namespace, and one for each quota that is too small.
    """
    name = install.release.namespace
    yield from guarded(_there(install, name), f"namespace {name}")
    yield from guarded(_quotas(install, name), f"the quotas of namespace {name}")


def _there(install: Install, name: str) -> Iterator[Finding]:
    found = install.cluster.find("v1", "namespaces", name)
    if found is None:
        creatable = install.cluster.may("create", install.cluster.resources("v1")["Namespace"])
        if creatable:
            yield warning(f"Namespace {name} is not there yet; install with --create-namespace, or make it first.")
        else:
            yield missing(f"Namespace {name} is not there, and you may not create it; ask someone who may.")
        return
    if found["metadata"].get("deletionTimestamp"):
        yield missing(f"Namespace {name} is being deleted; wait for its end, or take another.")
        return
    level = (found["metadata"].get("labels") or {}).get(ENFORCE)
    if level == RESTRICTED:
        yield fine(f"Namespace {name} enforces Pod Security {RESTRICTED}.")
    else:
        yield warning(
            f"Namespace {name} enforces Pod Security {level or 'nothing'}; the release's own pods fit {RESTRICTED}: kubectl label namespace {name} {ENFORCE}={RESTRICTED}."
        )


def _quotas(install: Install, name: str) -> Iterator[Finding]:
    for quota in install.cluster.every("v1", "resourcequotas", name):
        spec, status = quota["spec"], quota.get("status", {})
        if spec.get("scopes") or spec.get("scopeSelector"):
            yield unknown(
                f"ResourceQuota {quota['metadata']['name']} counts some pods only; compare it with the values yourself."
            )
            continue
        needed = _needed(install, name)
        for resource, hard in sorted((status.get("hard") or spec.get("hard") or {}).items()):
            left = quantity(hard) - quantity((status.get("used") or {}).get(resource, "0"))
            if needed.get(resource, Decimal(0)) > left:
                yield missing(
                    f"ResourceQuota {quota['metadata']['name']} leaves {left.normalize():f} {resource}, and the release's pods need {needed[resource].normalize():f}; raise it, or ask for less in resources and replicas."
                )


def _needed(install: Install, name: str) -> dict[str, Decimal]:
    """Return what the pods to begin with ask for, by the names that quotas have; of models that run already nothing."""
    needed: dict[str, Decimal] = {}
    for pod in install.release.pods():
        if pod.namespace == name and pod.count and not _runs(install, pod):
            for resource, each in _asked(pod).items():
                needed[resource] = needed.get(resource, Decimal(0)) + each * pod.count
    return needed


def _runs(install: Install, pod: Pod) -> bool:
    resource = install.cluster.resources(pod.owner["apiVersion"]).get(pod.owner["kind"])
    if resource is None:
        return False
    return (
        install.cluster.find(pod.owner["apiVersion"], resource.plural, pod.owner["metadata"]["name"], pod.namespace)
        is not None
    )


def _asked(pod: Pod) -> dict[str, Decimal]:
    """Return what one pod asks for. Its own containers alone: what a mesh or KServe adds is not known before."""
    asked = {"pods": Decimal(1), "count/pods": Decimal(1)}
    for container in pod.spec.get("containers", []):
        for kind in ("requests", "limits"):
            for resource, amount in container.get("resources", {}).get(kind, {}).items():
                names = [f"{kind}.{resource}"] + [resource] * (kind == "requests")
                for each in names:
                    asked[each] = asked.get(each, Decimal(0)) + quantity(amount)
    return asked
