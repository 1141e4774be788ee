"""HTTPRoute as routes of Envoy, and the clusters that they lead to."""

from collections.abc import Iterator, Sequence
from typing import Any

from tests.deploy.istio_parts import Config, Identity, Object, only, tls


def routes(name: str, objects: Sequence[Object]) -> Config:
    """Return the route configuration of a Gateway: a virtual host for each name of the HTTPRoutes."""
    hosts: dict[str, list[Config]] = {}
    for each in objects:
        if each["kind"] == "HTTPRoute":
            names, found = _route(each["metadata"]["namespace"], **each["spec"])
            for host in names:
                hosts.setdefault(host, []).extend(found)
    virtual = [
        {"name": f"{host}:80", "domains": [host], "routes": _by_precedence(each)} for host, each in hosts.items()
    ]
    return {"name": name, "virtual_hosts": virtual, "ignore_port_in_host_matching": True, "validate_clusters": False}


def _by_precedence(found: list[Config]) -> list[Config]:
    """Sort as the Gateway API has it: the longest path first, then the most headers, then the first."""
    return sorted(
        found, key=lambda each: (-len(each["match"]["path_separated_prefix"]), -len(each["match"]["headers"]))
    )


def _route(
    namespace: str, *, parentRefs: Any, hostnames: list[str], rules: Sequence[Object]
) -> tuple[list[str], list[Config]]:
    return hostnames, [each for rule in rules for each in _route_rule(namespace, **rule)]


def _route_rule(
    namespace: str,
    *,
    matches: Sequence[Object],
    backendRefs: Sequence[Object],
    timeouts: Object,
    filters: Sequence[Object] = (),
) -> Iterator[Config]:
    weights = [_backend(namespace, **each) for each in backendRefs]
    timeout = only(timeouts, "request")
    action = {
        "timeout": timeout,
        "max_grpc_timeout": timeout,
        "cluster_not_found_response_code": "INTERNAL_SERVER_ERROR",
        "retry_policy": {
            "retry_on": "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
            "num_retries": 2,
            "host_selection_retry_max_attempts": 5,
        },
        "request_mirror_policies": [_mirror(namespace, **each) for each in filters],
    }
    if len(weights) == 1:
        action["cluster"] = weights[0]["name"]
    else:
        action["weighted_clusters"] = {"clusters": [each for each in weights if each["weight"]]}
    for each in matches:
        yield {"match": _match(**each), "route": action}


def _match(*, path: Object, headers: Sequence[Object] = ()) -> Config:
    return {"path_separated_prefix": _prefix(**path), "headers": [_exact(**each) for each in headers]}


def _prefix(*, type: str, value: str) -> str:  # noqa: A002
    if type != "PathPrefix" or value == "/":
        raise TypeError(f"a path that the translation does not know: {type} {value}")
    return value


def _exact(*, name: str, value: str) -> Config:
    return {"name": name, "string_match": {"exact": value}}


def _backend(namespace: str, *, name: str, port: int, weight: int = 1) -> Config:
    return {"name": cluster_name(name, namespace, port), "weight": weight}


def _mirror(namespace: str, *, type: str, requestMirror: Object) -> Config:  # noqa: A002
    if type != "RequestMirror":
        raise TypeError(f"a filter that the translation does not know: {type}")
    return _copied(namespace, **requestMirror)


def _copied(namespace: str, *, percent: int, backendRef: Object) -> Config:
    return {
        "cluster": _backend(namespace, **backendRef)["name"],
        "runtime_fraction": {"default_value": {"numerator": percent * 10_000, "denominator": "MILLION"}},
        "trace_sampled": False,
    }


def inbound(cluster: str) -> Config:
    """Return the routes of a sidecar: all to the server that it stands before."""
    host: Config = {
        "name": "inbound|http",
        "domains": ["*"],
        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": cluster}}],
    }
    host["routes"][0]["route"] |= {"timeout": "0s", "max_grpc_timeout": "0s"}
    return {"route_config": {"name": cluster, "virtual_hosts": [host]}}


# --- clusters


def cluster_name(service: str, namespace: str, port: int) -> str:
    """Return the name that istiod gives a Service's port."""
    return f"outbound|{port}||{service}.{namespace}.svc.cluster.local"


def cluster(name: str, address: int, *, http2: bool, identity: Identity | None = None) -> Config:
    """Return a cluster of one endpoint, the port ``address`` of this machine."""
    version: Config = {"http2_protocol_options": {}} if http2 else {"http_protocol_options": {}}
    kind = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    options = {
        "@type": f"type.googleapis.com/{kind}",
        "explicit_http_config": version,
    }
    endpoint = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": address}}}
    found: Config = {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "10s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}]},
        "typed_extension_protocol_options": {kind: options},
    }
    return found if identity is None else {**found, "transport_socket": tls("Upstream", identity, {})}
