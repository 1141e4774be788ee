"""CoreDNS: the names of Services, for pods."""

from typing import Final

from tests.cluster.harness.network import DNS_SERVICE, NODE, inside
from tests.cluster.harness.node import Node, answers
from tests.cluster.harness.objects import Object, apply, by_node
from tests.cluster.harness.pki import kubeconfig
from tests.tools import built

_PORT: Final = 1053
_RIGHTS: Final = [
    {"apiGroups": [""], "resources": ["endpoints", "services", "pods", "namespaces"], "verbs": ["list", "watch"]},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
]


def start(node: Node) -> None:
    """Start it, with the rights that it has in a cluster, behind the Service that pods ask."""
    corefile = node.write(
        "Corefile",
        f""".:{_PORT} {{
    bind {NODE}
    errors
    ready {NODE}:8181
    kubernetes cluster.local {{
        kubeconfig {kubeconfig(node, "coredns")} sklearn-kserve
    }}
}}
""",
    )
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:coredns"}
    user = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "system:coredns"}
    apply(
        node,
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "system:coredns"},
            "rules": _RIGHTS,
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "system:coredns"},
            "roleRef": role,
            "subjects": [user],
        },
        *by_node(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "kube-dns", "namespace": "kube-system"},
                "spec": {"clusterIP": DNS_SERVICE, "ports": [_port("UDP"), _port("TCP")]},
            },
            {53: _PORT},
        ),
    )
    node.start(
        "coredns",
        inside(str(built("coredns") / "coredns"), f"-conf={corefile}"),
        lambda: answers(f"http://{NODE}:8181/ready"),
    )


def stop(node: Node) -> None:
    """End it."""
    node.stop("coredns")


def _port(protocol: str) -> Object:
    return {"name": f"dns-{protocol.lower()}", "port": 53, "protocol": protocol}
