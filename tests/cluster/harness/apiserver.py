"""The API server, with Pod Security admission, aggregation and the node authorizer as a cluster in earnest has them."""

from tests.cluster.harness import etcd
from tests.cluster.harness.network import NODE, SERVICES, inside
from tests.cluster.harness.node import Node, answers
from tests.cluster.harness.pki import certificate, key
from tests.tools import built


def start(node: Node) -> None:
    """Start it and wait until it has made its own objects."""
    command = [
        str(built("kubernetes") / "kube-apiserver"),
        f"--advertise-address={NODE}",
        f"--etcd-servers={etcd.URL}",
        f"--service-cluster-ip-range={SERVICES}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        "--profiling=false",
        f"--cert-dir={node.state / 'pki'}",
        f"--client-ca-file={certificate(node, 'ca')}",
        f"--tls-cert-file={certificate(node, 'apiserver-serving')}",
        f"--tls-private-key-file={key(node, 'apiserver-serving')}",
        f"--kubelet-certificate-authority={certificate(node, 'ca')}",
        f"--kubelet-client-certificate={certificate(node, 'apiserver')}",
        f"--kubelet-client-key={key(node, 'apiserver')}",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={certificate(node, 'service-accounts')}",
        f"--service-account-signing-key-file={key(node, 'service-accounts')}",
        # What metrics-server asks for: an API server that asks on behalf of others.
        f"--requestheader-client-ca-file={certificate(node, 'ca')}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={certificate(node, 'front-proxy')}",
        f"--proxy-client-key-file={key(node, 'front-proxy')}",
        "--enable-aggregator-routing=true",
    ]
    node.start("apiserver", inside(*command), lambda: answers(f"https://{NODE}:6443/readyz"))


def stop(node: Node) -> None:
    """End it; it takes its time over watches that are open."""
    node.stop("apiserver", timeout_seconds=5)
