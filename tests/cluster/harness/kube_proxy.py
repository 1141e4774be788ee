"""kube-proxy: Services as nftables rules of the node's namespace."""

from tests.cluster.harness.network import NODE, PODS, inside
from tests.cluster.harness.node import Node, answers
from tests.cluster.harness.pki import NODE_NAME, kubeconfig
from tests.tools import built


def start(node: Node) -> None:
    """Start it, once there is a Node for it to be on; it would end if its configuration were written again."""
    configuration = node.write(
        "kube-proxy.yaml",
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "clusterCIDR": PODS,
            "hostnameOverride": NODE_NAME,
            "healthzBindAddress": f"{NODE}:10256",
            "clientConnection": {"kubeconfig": str(kubeconfig(node, "proxy"))},
            # The machine's limit, which a namespace can't set.
            "conntrack": {"maxPerCore": 0},
        },
    )
    command = [str(built("kubernetes") / "kube-proxy"), f"--config={configuration}"]
    node.start("kube-proxy", inside(*command), lambda: answers(f"http://{NODE}:10256/healthz"))


def stop(node: Node) -> None:
    """End it."""
    node.stop("kube-proxy")
