"""The API server: its version, the kinds it serves, what it lets the caller do, and what it would say to the objects."""

import re
from collections.abc import Iterator
from typing import Final

from rollout.cluster import Cluster
from rollout.errors import Denied
from rollout.preflight.report import Finding, Install, fine, missing, warning

MINIMUM: Final = (1, 29)
"""The chart's ``kubeVersion``."""
PROVIDERS: Final = {
    "serving.kserve.io": "install KServe 0.17 or newer (its CRDs first)",
    "gateway.networking.k8s.io": "install the Gateway API's CRDs (standard channel, 1.2 or newer) and a gateway",
    "security.istio.io": "install Istio 1.22 or newer, or turn auth.enabled off",
    "networking.istio.io": "install Istio 1.22 or newer, or turn auth.enabled off and leave rateLimit at 0",
    "keda.sh": "install KEDA 2, or take another autoscaling.class",
    "monitoring.coreos.com": "install Prometheus' operator, or turn monitoring.podMonitor and monitoring.rules off",
    "serving.knative.dev": "install Knative Serving, or use mode Standard",
}
"""What brings a group's kinds, and what to turn off in its stead."""
VERBS: Final[tuple[str, ...]] = ("get", "create", "patch", "delete")
"""What Helm and kubectl do to an object between its install and its end."""
RECORDS: Final[tuple[str, ...]] = ("get", "list", "create", "update", "delete")
"""What Helm does to the Secrets in which it keeps its releases."""


def version(install: Install) -> Iterator[Finding]:
    """
    Check that the API server answers, and is new enough.

    Parameters
    ----------
    install : Install
        What is to be installed, and where.

    Yields
    ------
    Finding
        One.
    """
    found = install.cluster.version()
    least = ".".join(map(str, MINIMUM))
    if _older(found):
        yield missing(
            f"The cluster runs Kubernetes {found}, and the chart needs {least} or newer; upgrade the cluster."
        )
    else:
        yield fine(f"Kubernetes {found} answers at {install.cluster.address}.")


def rendered_for(found: str) -> str:
    """
    Return the version of Kubernetes to render the chart for.

    Parameters
    ----------
    found : str
        The cluster's.

    Returns
    -------
    str
        The same; where that is too old for the chart, the oldest that is not, so that the other checks have their say.
    """
    return ".".join(map(str, (*MINIMUM, 0))) if _older(found) else found


def _older(found: str) -> bool:
    numbers = re.match(r"v?(\d+)\.(\d+)", found)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) < MINIMUM


def kinds(install: Install) -> Iterator[Finding]:
    """
    Check that the cluster serves every kind, in the version that the objects are written in.

    Parameters
    ----------
    install : Install
        What is to be installed, and where.

    Yields
    ------
    Finding
        One for each API version.
    """
    wanted: dict[str, set[str]] = {}
    for each in install.release.objects:
        wanted.setdefault(each["apiVersion"], set()).add(each["kind"])
    if install.release.knative:
        wanted["serving.knative.dev/v1"] = {"Service"}
    for api_version, names in sorted(wanted.items()):
        lacking = sorted(names - install.cluster.resources(api_version).keys())
        if not lacking:
            yield fine(f"{api_version} has {', '.join(sorted(names))}.")
            continue
        group = api_version.rpartition("/")[0]
        served = install.cluster.served_versions(group) if group else []
        instead = f" (it serves {', '.join(served)})" if served else ""
        advice = PROVIDERS.get(group, "install what brings it")
        yield missing(f"The cluster has no {', '.join(lacking)} in {api_version}{instead}; {advice}.")


def permissions(install: Install) -> Iterator[Finding]:
    """
    Check that the caller may do to each kind what an install, an upgrade and an uninstall do.

    Parameters
    ----------
    install : Install
        What is to be installed, and where.

    Yields
    ------
    Finding
        One for each kind and namespace in which something is not allowed, or one that all is.
    """
    cluster, release = install.cluster, install.release
    wanted = {
        (resource, each["metadata"]["namespace"] if resource.namespaced else "", VERBS)
        for each in release.objects
        if (resource := cluster.resources(each["apiVersion"]).get(each["kind"]))
    }
    if release.by_helm and (secret := cluster.resources("v1").get("Secret")):
        wanted.add((secret, release.namespace, RECORDS))
    refused = False
    for resource, namespace, verbs in sorted(wanted, key=lambda each: (each[1], each[0].group, each[0].plural)):
        lacking = [verb for verb in verbs if not cluster.may(verb, resource, namespace)]
        if lacking:
            refused = True
            name = f"{resource.plural}.{resource.group}".rstrip(".")
            where = f"in namespace {namespace}" if namespace else "in the cluster"
            why = ", in which Helm keeps its releases" if verbs is RECORDS else ""
            yield missing(
                f"You may not {', '.join(lacking)} {name} {where}{why}; ask for a Role that allows it, or install as someone who may."
            )
    if not refused:
        yield fine(f"You may {', '.join(VERBS)} all {len(wanted)} kinds of objects.")


def admission(install: Install) -> Iterator[Finding]:
    """
    Ask the API server to take each object in a dry run: its schema, its policies and its webhooks have their say.

    Parameters
    ----------
    install : Install
        What is to be installed, and where.

    Yields
    ------
    Finding
        One for each object that would be refused, or one that none would be.
    """
    cluster, taken, refused = install.cluster, 0, 0
    namespaces = {each["metadata"]["namespace"] for each in install.release.objects}
    there = {each: _namespace(cluster, each) for each in namespaces}
    for each in install.release.objects:
        resource, namespace = cluster.resources(each["apiVersion"]).get(each["kind"]), each["metadata"]["namespace"]
        if resource is None:
            continue
        if resource.namespaced and not there[namespace]:
            continue
        if not cluster.may("patch", resource, namespace if resource.namespaced else ""):
            continue
        taken += 1
        label = f"{each['kind']} {each['metadata']['name']}"
        if sentence := " ".join(cluster.refusal(each, resource).split()):
            refused += 1
            yield missing(f"{label} would be refused: {sentence.rstrip('.')}.")
    if len(install.release.objects) > taken:
        yield warning(
            f"{len(install.release.objects) - taken} of {len(install.release.objects)} objects could not be tried in a dry run yet, for what is said above; run this again then."
        )
    if taken and not refused:
        yield fine(f"A dry run of {taken} objects is accepted.")


def _namespace(cluster: Cluster, name: str) -> bool:
    """Tell whether a namespace is there; who may not look learns it from the dry run."""
    try:
        return cluster.find("v1", "namespaces", name) is not None
    except Denied:
        return True
