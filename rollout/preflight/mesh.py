"""Istio: who puts the sidecars into the pods, and whether the namespace lets them in."""

from collections.abc import Iterator
from typing import Final

from rollout.preflight.report import Finding, Install, fine, guarded, missing, warning

STRICT: Final = frozenset({"baseline", "restricted"})
"""Levels of Pod Security that refuse a sidecar's init container, which sets up the pod's network."""
ENFORCE: Final = "pod-security.kubernetes.io/enforce"


def mesh(install: Install) -> Iterator[Finding]:
    """
    Check that sidecars are injected, and that Pod Security lets their init container in.

    Parameters
    ----------
    install : Install
        What is to be installed, and where.

    Yields
    ------
    Finding
        Nothing where no pod asks for a sidecar.
    """
    if any(pod.sidecar for pod in install.release.pods()):
        yield from guarded(_injector(install), "the webhook that injects Istio's sidecars")
        yield from guarded(_labels(install), f"namespace {install.release.namespace}")
        yield from guarded(_init(install), "whether istio-cni runs")


def _injector(install: Install) -> Iterator[Finding]:
    found = install.cluster.every(
        "admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations", labels="app=sidecar-injector"
    )
    if found:
        yield fine("Istio injects sidecars.")
    else:
        yield missing(
            "Nothing injects Istio's sidecars, which auth.pods relies on; install istiod, or turn auth.pods off and ask at the gateway alone."
        )


def _labels(install: Install) -> Iterator[Finding]:
    labels = _namespace_labels(install)
    if labels.get("istio-injection") == "disabled":
        yield missing(
            f"Namespace {install.release.namespace} has istio-injection=disabled, so its pods get no sidecar; take the label away, or turn auth.pods off."
        )


def _init(install: Install) -> Iterator[Finding]:
    level = _namespace_labels(install).get(ENFORCE, "privileged")
    nodes = install.cluster.every("apps/v1", "daemonsets", labels="k8s-app=istio-cni-node")
    if nodes:
        yield fine("istio-cni runs, so pods with sidecars need no privilege.")
    elif level in STRICT:
        yield missing(
            f"Namespace {install.release.namespace} enforces Pod Security {level}, which refuses the init container of Istio's sidecars; install istio-cni, which does without it."
        )
    else:
        yield warning(
            "istio-cni is not there, so pods with sidecars have an init container that sets up their network as root; install istio-cni to do without."
        )


def _namespace_labels(install: Install) -> dict[str, str]:
    found = install.cluster.find("v1", "namespaces", install.release.namespace) or {}
    labels: dict[str, str] = found.get("metadata", {}).get("labels") or {}
    return labels
