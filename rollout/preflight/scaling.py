"""The metrics by which pods are scaled."""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from rollout.errors import ClusterError, Denied, Unreachable
from rollout.preflight.report import Finding, Install, fine, guarded, missing

AUTOSCALER: Final = "serving.kserve.io/autoscalerClass"
APIS: Final = {
    "metrics.k8s.io": ("CPU and memory of pods", "install metrics-server"),
    "custom.metrics.k8s.io": (
        "metrics of pods",
        "install an adapter such as prometheus-adapter, or use autoscaling.class keda",
    ),
    "external.metrics.k8s.io": ("KEDA's metrics", "see that KEDA's metrics server runs"),
}
"""Which group tells what, and who serves it."""
Object = dict[str, Any]


def scaling(install: Install) -> Iterator[Finding]:
    """
    Check that the metrics are served which the autoscalers of the release read.

    Parameters
    ----------
    install : Install
        What is to be installed, and where.

    Yields
    ------
    Finding
        One for each API of metrics, and one for each Prometheus that KEDA is to ask.
    """
    for group in sorted(_wanted(install)):
        yield from guarded(_served(install, group), group)
    for address in sorted(
        {address for each in install.release.of_kind("ScaledObject") for address in _addresses(each)}
    ):
        yield from guarded(_prometheus(install, address), address)


def _wanted(install: Install) -> set[str]:
    release, wanted = install.release, set()
    if any(each["metadata"].get("annotations", {}).get(AUTOSCALER) == "hpa" for each in release.services):
        wanted.add("metrics.k8s.io")
    for each in release.of_kind("HorizontalPodAutoscaler"):
        kinds = {metric["type"] for metric in each["spec"].get("metrics", [])}
        wanted |= {"metrics.k8s.io"} if kinds & {"Resource", "ContainerResource"} else set()
        wanted |= {"custom.metrics.k8s.io"} if kinds & {"Pods", "Object"} else set()
    for each in release.of_kind("ScaledObject"):
        wanted.add("external.metrics.k8s.io")
        if any(trigger["type"] in {"cpu", "memory"} for trigger in each["spec"]["triggers"]):
            wanted.add("metrics.k8s.io")
    return wanted


def _served(install: Install, group: str) -> Iterator[Finding]:
    what, advice = APIS[group]
    try:
        versions = install.cluster.served_versions(group)
        served = any(install.cluster.answers(f"{group}/{each}") for each in versions)
    except (Denied, Unreachable):
        raise
    except ClusterError as error:  # the API server knows the group, and who stands behind it does not answer
        yield missing(
            f"{group} ({what}) is registered and does not answer ({error}), so nothing would be scaled by it; {advice}."
        )
        return
    if served:
        yield fine(f"{group} ({what}) is served.")
    else:
        yield missing(f"Nobody serves {group} ({what}), so nothing would be scaled by it; {advice}.")


def _addresses(scaled: Object) -> Iterator[str]:
    for trigger in scaled["spec"]["triggers"]:
        if trigger["type"] == "prometheus":
            yield trigger["metadata"]["serverAddress"]


def _prometheus(install: Install, address: str) -> Iterator[Finding]:
    """Check an address within the cluster; one outside is KEDA's to reach, not ours."""
    parts = (urlsplit(address).hostname or "").split(".")
    if len(parts) == 2 or parts[2:3] == ["svc"]:  # noqa: PLR2004 -- name.namespace
        name, namespace = parts[:2]
        if install.cluster.find("v1", "services", name, namespace) is None:
            yield missing(
                f"There is no Service {name} in {namespace} for KEDA to ask; say in autoscaling.prometheus where Prometheus is."
            )
