"""
What istiod would make of the chart's objects: Envoy's configuration of a Gateway's proxy and of a pod's sidecar.

This is a translation of what Istio 1.31 does, from its source, and covers what the chart renders. Fields of the API are
the keywords of the functions that read them, so one that no function knows raises TypeError: the chart can't come to say
what no test runs. Left out is what decides nothing here: telemetry, CORS, the TLS of a Gateway's listener, discovery.
That istiod itself does the same is for the tests with a real istiod to show.

References
----------
In istio.io/istio: ``pilot/pkg/security/authn`` (JWT), ``pilot/pkg/security/authz`` (RBAC),
``pilot/pkg/config/kube/gateway`` and ``pilot/pkg/networking/core/route`` (HTTPRoute), ``listener_builder.go`` (paths),
``pilot/pkg/networking/core/envoyfilter`` (EnvoyFilter).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.deploy.istio_parts import Config, Identity, Object, named, nothing, only, tls
from tests.deploy.istio_policies import filters

HTTP_MANAGER: Final = "envoy.filters.network.http_connection_manager"
ROUTER: Final = "envoy.filters.http.router"
NORMALIZATION: Final[dict[str, Config]] = {
    "NONE": {"normalize_path": False},
    "DEFAULT": {"normalize_path": True},
    "MERGE_SLASHES": {"normalize_path": True, "merge_slashes": True},
    "DECODE_AND_MERGE_SLASHES": {
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "UNESCAPE_AND_FORWARD",
    },
}
"""Envoy's settings by Istio's ``meshConfig.pathNormalization.normalization``."""


@dataclass(frozen=True)
class Workload:
    """A proxy's place: what selects it, and where what it sends goes to."""

    name: str
    namespace: str
    context: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def selected(self, found: Object) -> bool:
        """Whether an object is for this proxy: a Gateway by reference, a pod by its labels."""
        spec = found["spec"]
        if not {"targetRefs", "selector", "workloadSelector"} & set(spec):
            raise TypeError(f"for a whole namespace, which the translation does not know: {found['metadata']['name']}")
        if found["metadata"]["namespace"] != self.namespace:
            return False
        if self.context == "GATEWAY":
            wanted = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": self.name}
            return wanted in spec.get("targetRefs", [])
        chosen = spec.get("selector", spec.get("workloadSelector", {}))
        labels = chosen.get("matchLabels", chosen.get("labels", {}))
        return bool(labels) and bool(labels.items() <= self.labels.items())


def gateway(name: str, namespace: str) -> Workload:
    """Return the proxy of a Gateway."""
    return Workload(name, namespace, "GATEWAY")


def sidecar(service: Object) -> Workload:
    """Return the sidecar in the pods of an InferenceService."""
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    labels = {**service["spec"]["predictor"]["labels"], "app": f"isvc.{name}-predictor"}
    return Workload(name, namespace, "SIDECAR_INBOUND", labels)


def ports(service: Object) -> dict[int, dict[str, Any]]:
    """Return the ports of the Service that KServe makes for a predictor: the first as 80, the others by their number."""
    first, *others = service["spec"]["predictor"]["containers"][0]["ports"]
    return {80: first, **{each["containerPort"]: each for each in others}}


# --- a proxy's listener


def listener(
    workload: Workload,
    objects: Sequence[Object],
    routes: Config,
    *,
    name: str = "http",
    normalization: str = "DECODE_AND_MERGE_SLASHES",
    identity: Identity | None = None,
) -> Config:
    """Return a listener on a free port, with what the objects ask of callers before ``routes`` take them on."""
    of_istio = [each for each in objects if each["apiVersion"].split("/")[0].endswith("istio.io")]
    if others := {each["kind"] for each in of_istio} - KINDS:
        raise TypeError(f"kinds that the translation does not know: {others}")
    mine = [each for each in of_istio if workload.selected(each)]
    manager = {
        "stat_prefix": name,
        "codec_type": "AUTO",
        "use_remote_address": workload.context == "GATEWAY",
        "http_filters": [*filters(mine), named(ROUTER, "router.v3.Router", {})],
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
        **NORMALIZATION[normalization],
        **routes,
    }
    chain: Config = {"filters": [named(HTTP_MANAGER, _MANAGER, manager, kind="network")]}
    for each in mine:
        if each["kind"] == "PeerAuthentication":
            chain["transport_socket"] = _peers(identity, **each["spec"])
        elif each["kind"] == "EnvoyFilter":
            _patched(chain["filters"], workload, **each["spec"])
    address = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
    return {"name": name, "address": address, "filter_chains": [chain]}


KINDS: Final = {"AuthorizationPolicy", "EnvoyFilter", "PeerAuthentication", "RequestAuthentication"}
"""Kinds of Istio's that the chart renders."""
_MANAGER: Final = "http_connection_manager.v3.HttpConnectionManager"


# --- PeerAuthentication


def _peers(identity: Identity | None, *, mtls: Object, selector: Any) -> Config:
    assert identity is not None, "mutual TLS wants a certificate"
    if mtls != {"mode": "STRICT"}:
        raise TypeError(f"a mode that the translation does not know: {mtls}")
    return tls("Downstream", identity, {"require_client_certificate": True}, protocols=["h2", "http/1.1"])


# --- EnvoyFilter


def _patched(filters: list[Config], workload: Workload, *, configPatches: Sequence[Object], **where: Any) -> None:
    """Change a chain's filters as the patches for this kind of proxy say."""
    nothing({name: each for name, each in where.items() if name not in {"targetRefs", "workloadSelector"}})
    for patch in configPatches:
        _patch(filters[0], workload, **patch)


def _patch(manager: Config, workload: Workload, *, applyTo: str, match: Object, patch: Object) -> None:
    """Change a filter that is named by the chain from its manager on."""
    context, place = _place(**match)
    operation, value = _change(**patch)
    if context != workload.context:
        return
    config, what = manager["typed_config"], (applyTo, operation, place)
    if what == ("HTTP_FILTER", "INSERT_BEFORE", {"name": HTTP_MANAGER, "subFilter": {"name": ROUTER}}):
        config["http_filters"].insert(-1, value)
    elif what == ("NETWORK_FILTER", "MERGE", {"name": HTTP_MANAGER}):
        changes = only(value, "typed_config")
        if changes["@type"] != config["@type"] or any(isinstance(each, dict | list) for each in changes.values()):
            raise TypeError("a change that istiod joins otherwise than by replacing what was there")
        config |= changes
    else:
        raise TypeError(f"a patch that the translation does not know: {what}")


def _place(*, context: str, listener: Object) -> tuple[str, Any]:
    return context, only(only(listener, "filterChain"), "filter")


def _change(*, operation: str, value: Config) -> tuple[str, Config]:
    return operation, value
