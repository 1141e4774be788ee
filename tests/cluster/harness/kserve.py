"""KServe's controller as a process, with its webhooks, in Standard mode and by Gateway API."""

import base64
import json
import shutil
from typing import Final

from tests.cluster.harness import istio
from tests.cluster.harness.network import NODE, inside
from tests.cluster.harness.node import Node, answers
from tests.cluster.harness.objects import Object, apply, apply_crds, by_node, namespace, of_chart
from tests.cluster.harness.pki import certificate, key, kubeconfig
from tests.tools import built, source_of

NAMESPACE: Final = "kserve"
DOMAIN: Final = "example.com"
STORAGE_IMAGE: Final = "docker.io/kserve/storage-initializer:v0.20.0"
"""The image that the ClusterStorageContainer of KServe's chart names."""
_PROBES: Final = 8082
_POD_ONLY: Final = ("Certificate", "Deployment", "Issuer")
_SETTINGS: Final[dict[str, Object]] = {
    "deploy": {"defaultDeploymentMode": "Standard"},
    "ingress": {
        "enableGatewayApi": True,
        "kserveIngressGateway": f"{istio.GATEWAY_NAMESPACE}/{istio.GATEWAY}",
        "ingressGateway": "none/none",
        "ingressDomain": DOMAIN,
        "disableIstioVirtualHost": True,
    },
    # The server reads a claim where it is, and nothing copies it first.
    "storageInitializer": {"enableDirectPvcVolumeMount": True},
}


def start(node: Node) -> None:
    """Apply its CRDs and objects, and start it; its own serving runtimes stay out, for ours needs none of them."""
    charts = source_of("kserve", "github.com/kserve/kserve") / "charts"
    apply(node, namespace(NAMESPACE))
    apply_crds(node, of_chart(charts / "kserve-crd", NAMESPACE))
    authority = base64.b64encode(certificate(node, "ca").read_bytes()).decode()
    rendered = of_chart(charts / "kserve-resources", NAMESPACE, change=lambda found: _changed(found, authority))
    webhooks = [found for found in rendered if found["kind"].endswith("WebhookConfiguration")]
    # They admit nothing while nobody answers.
    held_back = [*webhooks, *(found for found in rendered if found["kind"] == "ClusterStorageContainer")]
    apply(node, *(found for found in rendered if found not in held_back))
    serving = node.state / "kserve" / "k8s-webhook-server" / "serving-certs"
    serving.mkdir(parents=True, exist_ok=True)
    shutil.copy(certificate(node, "kserve-webhook"), serving / "tls.crt")
    shutil.copy(key(node, "kserve-webhook"), serving / "tls.key")
    command = [
        str(built("kserve") / "manager"),
        f"--kubeconfig={kubeconfig(node, 'kserve')}",
        f"--metrics-addr={NODE}:8083",
        f"--health-probe-addr={NODE}:{_PROBES}",
        "--webhook-port=9443",
    ]
    node.start(
        "kserve",
        inside(*command),
        lambda: answers(f"http://{NODE}:{_PROBES}/readyz"),
        env={"POD_NAMESPACE": NAMESPACE, "TMPDIR": str(node.state / "kserve")},
    )
    apply(node, *held_back)


def stop(node: Node) -> None:
    """End it."""
    node.stop("kserve")


def _changed(found: Object, authority: str) -> list[Object]:
    if found["kind"] in _POD_ONLY:
        return []
    for webhook in found.get("webhooks", []):
        webhook["clientConfig"]["caBundle"] = authority
    if found["kind"] == "ConfigMap":
        for name, settings in _SETTINGS.items():
            found["data"][name] = json.dumps({**json.loads(found["data"][name]), **settings})
    if found["metadata"]["name"] == "kserve-webhook-server-service":
        return by_node(found, {443: 9443})
    return [found]
