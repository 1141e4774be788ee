"""Prometheus: whether one takes what the release gives to its operator."""

from collections.abc import Iterator
from typing import Any, Final

from rollout.preflight.report import Finding, Install, fine, guarded, missing
from rollout.preflight.selectors import selects

API: Final = "monitoring.coreos.com/v1"
SELECTORS: Final = {"PodMonitor": "podMonitor", "PrometheusRule": "rule"}
"""How a Prometheus names its selectors for a kind."""


def monitoring(install: Install) -> Iterator[Finding]:
    """
    Check that a Prometheus selects each PodMonitor and PrometheusRule.

    Parameters
    ----------
    install : Install
        What is to be installed, and where.

    Yields
    ------
    Finding
        One for each of them.
    """
    if install.release.of_kind(*SELECTORS) and install.cluster.resources(API).get("Prometheus"):
        yield from guarded(_selected(install), "which Prometheus there is")


def _selected(install: Install) -> Iterator[Finding]:
    every = install.cluster.every(API, "prometheuses")
    for each in install.release.of_kind(*SELECTORS):
        kind, meta = each["kind"], each["metadata"]
        home = install.cluster.find("v1", "namespaces", meta["namespace"]) or {}
        namespace_labels = (home.get("metadata", {}).get("labels") or {}) | {
            "kubernetes.io/metadata.name": meta["namespace"]
        }
        selecting = [
            found["metadata"]["name"] for found in every if _takes(found, SELECTORS[kind], meta, namespace_labels)
        ]
        if selecting:
            yield fine(f"{kind} {meta['name']} is taken by Prometheus {', '.join(selecting)}.")
        else:
            yield missing(
                f"No Prometheus selects {kind} {meta['name']}; give it the labels of {SELECTORS[kind]}Selector by monitoring.labels, and let {SELECTORS[kind]}NamespaceSelector take {meta['namespace']}."
            )


def _takes(prometheus: dict[str, Any], kind: str, meta: dict[str, Any], namespace_labels: dict[str, str]) -> bool:
    spec = prometheus["spec"]
    if not selects(spec.get(f"{kind}Selector"), meta.get("labels") or {}):
        return False
    namespaces = spec.get(f"{kind}NamespaceSelector")
    if namespaces is None:  # its own alone
        return bool(prometheus["metadata"]["namespace"] == meta["namespace"])
    return selects(namespaces, namespace_labels)
