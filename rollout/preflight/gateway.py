"""The gateways that requests come through."""

from collections.abc import Iterator
from typing import Any, Final

from rollout.preflight.kserve import settings
from rollout.preflight.report import Finding, Install, fine, guarded, missing
from rollout.preflight.selectors import selects

API: Final = "gateway.networking.k8s.io/v1"
ISTIO: Final = "istio.io/"
OF_ISTIO: Final = ("AuthorizationPolicy", "RequestAuthentication", "EnvoyFilter")
"""Kinds that are attached to a Gateway, and that none but Istio's heeds."""
Object = dict[str, Any]


def gateways(install: Install) -> Iterator[Finding]:
    """
    Check that each gateway is there, has an address, and takes routes from the release's namespace.

    Parameters
    ----------
    install : Install
        What is to be installed, and where.

    Yields
    ------
    Finding
        One or more for each gateway.
    """
    if not install.cluster.resources(API).get("Gateway"):
        return
    hosts: dict[tuple[str, str], set[str]] = {}
    for route in install.release.of_kind("HTTPRoute", "GRPCRoute"):
        for parent in route["spec"]["parentRefs"]:
            reference = parent.get("namespace", route["metadata"]["namespace"]), parent["name"]
            hosts.setdefault(reference, set()).update(route["spec"].get("hostnames", []))
    attached: dict[tuple[str, str], set[str]] = {}
    for each in install.release.of_kind(*OF_ISTIO):
        for target in each["spec"].get("targetRefs", []):
            attached.setdefault((each["metadata"]["namespace"], target["name"]), set()).add(each["kind"])
    yield from guarded(_of_kserve(install, hosts), f"KServe's ConfigMap in {install.kserve_namespace}")
    for namespace, name in sorted(hosts.keys() | attached.keys()):
        wanted, kinds = hosts.get((namespace, name)), attached.get((namespace, name), set())
        yield from guarded(_gateway(install, namespace, name, wanted, kinds), f"Gateway {name} in {namespace}")


def _of_kserve(install: Install, hosts: dict[tuple[str, str], set[str]]) -> Iterator[Finding]:
    """Add the gateway that KServe attaches its own routes to."""
    if install.release.knative or not install.release.exposed:
        return
    ingress = (settings(install) or {}).get("ingress", {})
    if ingress.get("enableGatewayApi") and not ingress.get("disableIngressCreation"):
        namespace, _, name = str(ingress.get("kserveIngressGateway", "")).partition("/")
        if name:
            hosts.setdefault((namespace, name), set())
        else:
            yield missing(
                "KServe's ConfigMap turns the Gateway API on and names no kserveIngressGateway; name one as namespace/name."
            )


def _gateway(install: Install, namespace: str, name: str, hosts: set[str] | None, kinds: set[str]) -> Iterator[Finding]:
    label = f"Gateway {namespace}/{name}"
    found = install.cluster.find(API, "gateways", name, namespace)
    if found is None:
        yield missing(
            f"{label} is not there; make it, or name yours in route.gateway and route.gatewayNamespace (KServe's own is kserveIngressGateway in its ConfigMap)."
        )
        return
    conditions = {each["type"]: each for each in found.get("status", {}).get("conditions", [])}
    programmed = conditions.get("Programmed", {})
    if programmed.get("status") != "True":
        why = f": {programmed['message']}" if programmed.get("message") else ""
        yield missing(
            f"{label} is not programmed, so nothing listens{why.rstrip('.')}; see that its controller runs and that it gets an address."
        )
    if hosts is not None:
        yield from _listeners(install, found, label, hosts)
    if kinds:
        yield from _enforcer(install, found, label, kinds)


def _listeners(install: Install, gateway: Object, label: str, hosts: set[str]) -> Iterator[Finding]:
    target = install.release.namespace
    labels = ((install.cluster.find("v1", "namespaces", target) or {}).get("metadata", {}).get("labels") or {}) | {
        "kubernetes.io/metadata.name": target
    }
    admitting = [
        each for each in gateway["spec"]["listeners"] if _admits(each, gateway["metadata"]["namespace"], target, labels)
    ]
    if not admitting:
        yield missing(
            f"{label} takes no routes from namespace {target}; set allowedRoutes.namespaces on one of its listeners."
        )
        return
    for host in sorted(hosts):
        if not any(_covers(each.get("hostname", ""), host) for each in admitting):
            yield missing(
                f"{label} has no listener for the host {host}; change route.domain, or a listener's hostname."
            )
            return
    yield fine(f"{label} takes routes from namespace {target}.")


def _admits(listener: Object, home: str, target: str, labels: dict[str, str]) -> bool:
    allowed = listener.get("allowedRoutes") or {}
    if allowed.get("kinds") and not any(each["kind"] == "HTTPRoute" for each in allowed["kinds"]):
        return False
    namespaces = allowed.get("namespaces") or {}
    match namespaces.get("from", "Same"):
        case "All":
            return True
        case "Selector":
            return selects(namespaces.get("selector"), labels)
        case "Same":
            return home == target
        case _:
            return False


def _covers(pattern: str, host: str) -> bool:
    """Tell whether a listener's hostname takes a route's, either of which may begin with a wildcard."""
    if not pattern or pattern == host:
        return True
    return (pattern.startswith("*.") and host.endswith(pattern[1:])) or (
        host.startswith("*.") and pattern.endswith(host[1:])
    )


def _enforcer(install: Install, gateway: Object, label: str, kinds: set[str]) -> Iterator[Finding]:
    """Check that what Istio's objects target is Istio's: any other gateway would let everybody and everything through."""
    name = gateway["spec"]["gatewayClassName"]
    found = install.cluster.find(API, "gatewayclasses", name)
    controller = str((found or {}).get("spec", {}).get("controllerName", ""))
    if not controller.startswith(ISTIO):
        yield missing(
            f"{label} is of class {name}, which is not Istio's, so the release's {' and '.join(sorted(kinds))} would be heeded by nobody; use an Istio gateway, or turn auth.gateway off and set no rateLimit at the gateway."
        )
