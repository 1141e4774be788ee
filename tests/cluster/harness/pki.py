"""Certificates of the cluster: one authority, and who is who by the subject of a client's certificate."""

from pathlib import Path
from typing import Final

from tests.certificates import Authority
from tests.cluster.harness.network import API_SERVICE, NODE
from tests.cluster.harness.node import Node
from tests.tools import packaged

NODE_NAME: Final = "node"
_LIFETIME_HOURS: Final = 24 * 30
_CLIENTS: Final = {
    "admin": ("kubernetes-admin", ["system:masters"]),
    "apiserver": ("kube-apiserver", ["system:masters"]),
    "controller-manager": ("system:kube-controller-manager", []),
    "coredns": ("system:coredns", []),
    "front-proxy": ("front-proxy-client", []),
    "istiod": ("system:serviceaccount:istio-system:istiod", ["system:serviceaccounts"]),
    "kserve": ("system:serviceaccount:kserve:kserve-controller-manager", ["system:serviceaccounts"]),
    "kubelet": (f"system:node:{NODE_NAME}", ["system:nodes"]),
    "proxy": ("system:kube-proxy", []),
    "scheduler": ("system:kube-scheduler", []),
}
_SERVERS: Final = {
    "apiserver-serving": [API_SERVICE, NODE, "kubernetes", "kubernetes.default", "kubernetes.default.svc"],
    "kubelet-serving": [NODE, NODE_NAME],
    # A client as well: the adapter's, at the operator.
    "keda": ["127.0.0.1", "keda-admission-webhooks.keda.svc", "keda-metrics-apiserver.keda.svc"],
    "kserve-webhook": ["kserve-webhook-server-service.kserve.svc"],
    # No server: the pair that service accounts' tokens are signed with.
    "service-accounts": [],
}


def start(node: Node) -> None:
    """Write all certificates, and a kubeconfig for each client; processes outside have the rights of their account."""
    directory = node.state / "pki"
    directory.mkdir(parents=True)
    directory.chmod(0o700)
    authority = Authority("sklearn-kserve-cluster", hours=_LIFETIME_HOURS).write(certificate(node, "ca"))
    for name, hosts in _SERVERS.items():
        authority.issue(certificate(node, name), key(node, name), name, hosts=hosts)
    for name, (user, groups) in _CLIENTS.items():
        authority.issue(certificate(node, name), key(node, name), user, organizations=groups, hosts=[])
        credentials = {"client-certificate": str(certificate(node, name)), "client-key": str(key(node, name))}
        node.write(f"kubeconfig/{name}", _kubeconfig(node, name, credentials))
    node.kubeconfig.write_text(kubeconfig(node, "admin").read_text())
    node.kubeconfig.chmod(0o600)


def stop(node: Node) -> None:
    """Remove what outlives the state: the administrator's access to a cluster that is gone."""
    node.kubeconfig.unlink(missing_ok=True)


def certificate(node: Node, name: str) -> Path:
    """Return a certificate's file."""
    return node.state / "pki" / f"{name}.crt"


def key(node: Node, name: str) -> Path:
    """Return a private key's file."""
    return node.state / "pki" / f"{name}.key"


def kubeconfig(node: Node, name: str) -> Path:
    """Return a client's kubeconfig."""
    return node.state / "kubeconfig" / name


def account(node: Node, namespace: str, name: str) -> Path:
    """Write a kubeconfig by a token of a service account, for a process with the rights of that account."""
    lifetime = f"--duration={_LIFETIME_HOURS}h"
    token = node.run(
        packaged("kubectl"),
        f"--kubeconfig={node.kubeconfig}",
        "create",
        "token",
        f"--namespace={namespace}",
        lifetime,
        name,
    )
    return node.write(f"kubeconfig/{name}", _kubeconfig(node, name, {"token": token.strip()}))


def _kubeconfig(node: Node, name: str, credentials: dict[str, str]) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "sklearn-kserve",
                "cluster": {
                    "server": f"https://{NODE}:6443",
                    "certificate-authority": str(certificate(node, "ca")),
                },
            }
        ],
        "users": [{"name": name, "user": credentials}],
        "contexts": [{"name": "sklearn-kserve", "context": {"cluster": "sklearn-kserve", "user": name}}],
        "current-context": "sklearn-kserve",
    }
