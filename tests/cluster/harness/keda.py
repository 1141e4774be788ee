"""KEDA: its operator, the adapter by which autoscalers read what its scalers have found, and its webhooks."""

import base64
import shutil
from pathlib import Path
from typing import Final

from tests.cluster.harness.network import NODE, inside
from tests.cluster.harness.node import Node, answers
from tests.cluster.harness.objects import Object, apply, apply_crds, by_node, kubectl, namespace, of_file
from tests.cluster.harness.pki import account, certificate, key
from tests.tools import built, source_of

_NAMESPACE: Final = "keda"
_ACCOUNT: Final = "keda-operator"
_PROBES: Final = 8084
_WEBHOOKS: Final = 9445
_WEBHOOKS_PROBES: Final = 8086
_OPERATOR: Final = "127.0.0.1:9666"
"""Where the adapter asks the operator."""
_ADAPTER: Final = 6444
_METRICS: Final = 8085
_TARGETS: Final = {
    "keda-metrics-apiserver": {443: _ADAPTER, 8080: _METRICS},
    "keda-admission-webhooks": {443: _WEBHOOKS, 8080: _METRICS},
}
_PODS_ONLY: Final = ("Deployment", "Kustomization")
_ENVIRONMENT: Final = {"POD_NAMESPACE": _NAMESPACE, "KEDA_CLUSTER_OBJECT_NAMESPACE": _NAMESPACE, "WATCH_NAMESPACE": ""}


def start(node: Node) -> None:
    """Apply its CRDs and objects, start all three, and wait until the API server passes questions on to the adapter."""
    source = source_of("keda", "github.com/kedacore/keda/v2") / "config"
    apply_crds(node, [found for file in sorted((source / "crd" / "bases").glob("*.yaml")) for found in of_file(file)])
    authority = base64.b64encode(certificate(node, "ca").read_bytes()).decode()
    objects = [
        changed
        for directory in ("service_account", "rbac", "metrics-server", "webhooks")
        for file in sorted((source / directory).glob("*.yaml"))
        for found in of_file(file)
        for changed in _changed(found, authority)
    ]
    apply(node, namespace(_NAMESPACE), *objects)
    own = account(node, _NAMESPACE, _ACCOUNT)
    certificates = _certificates(node)
    operator = [
        str(built("keda") / "operator"),
        f"--kubeconfig={own}",
        f"--cert-dir={certificates}",
        "--enable-cert-rotation=false",
        "--metrics-bind-address=0",
        f"--health-probe-bind-address={NODE}:{_PROBES}",
        f"--metrics-service-bind-address={_OPERATOR}",
    ]
    adapter = [
        str(built("keda") / "adapter"),
        f"--kubeconfig={own}",
        f"--lister-kubeconfig={own}",
        f"--authentication-kubeconfig={own}",
        f"--authorization-kubeconfig={own}",
        f"--cert-dir={certificates}",
        f"--tls-cert-file={certificates / 'tls.crt'}",
        f"--tls-private-key-file={certificates / 'tls.key'}",
        f"--bind-address={NODE}",
        f"--secure-port={_ADAPTER}",
        f"--port={_METRICS}",
        f"--metrics-service-address={_OPERATOR}",
    ]
    webhooks = [
        str(built("keda") / "webhooks"),
        f"--kubeconfig={own}",
        f"--cert-dir={certificates}",
        f"--port={_WEBHOOKS}",
        "--metrics-bind-address=0",
        f"--health-probe-bind-address={NODE}:{_WEBHOOKS_PROBES}",
    ]
    node.start("keda-webhooks", inside(*webhooks), lambda: answers(f"http://{NODE}:{_WEBHOOKS_PROBES}/readyz"))
    node.start("keda-operator", inside(*operator), lambda: answers(f"http://{NODE}:{_PROBES}/readyz"), env=_ENVIRONMENT)
    node.start("keda-adapter", inside(*adapter), lambda: answers(f"https://{NODE}:{_ADAPTER}/readyz"), env=_ENVIRONMENT)
    kubectl(node, "wait", "--for=condition=Available", "--timeout=60s", "apiservice/v1beta1.external.metrics.k8s.io")


def stop(node: Node) -> None:
    """End them."""
    node.stop("keda-webhooks")
    node.stop("keda-adapter")
    node.stop("keda-operator")


def _changed(found: Object, authority: str) -> list[Object]:
    if found["kind"] in _PODS_ONLY:
        return []
    if found["kind"] == "Service":
        return by_node(found, _TARGETS[found["metadata"]["name"]])
    for webhook in found.get("webhooks", []):
        webhook["clientConfig"]["caBundle"] = authority
    if found["kind"] == "APIService":
        found["spec"]["caBundle"] = authority
    return [found]


def _certificates(node: Node) -> Path:
    """Return the directory of a pair by which they know each other, and the API server knows them."""
    directory = node.state / "keda"
    directory.mkdir(exist_ok=True)
    for name, file in {
        "ca.crt": certificate(node, "ca"),
        "tls.crt": certificate(node, "keda"),
        "tls.key": key(node, "keda"),
    }.items():
        shutil.copy(file, directory / name)
    return directory
