"""
The node's own network namespace.

Rules, bridges and addresses of Kubernetes stay in it, and vanish with it. A veth pair and two routes let the machine's
own processes reach the node, its Services and its pods. The addresses are of the range for benchmarks (RFC 2544), which
no network that a machine is in should use.
"""

import subprocess
from pathlib import Path
from typing import Final

from tests.cluster.harness.node import Node

NAMESPACE: Final = "sklearn-kserve"
HOST: Final = "198.18.255.1"
NODE: Final = "198.18.255.2"
PODS: Final = "198.18.0.0/24"
SERVICES: Final = "198.19.0.0/24"
API_SERVICE: Final = "198.19.0.1"
DNS_SERVICE: Final = "198.19.0.10"
_HOST_LINK: Final = "sklearn-kserve"
_FILE: Final = Path("/run/netns") / NAMESPACE


def start(node: Node) -> None:
    """Make the namespace, and the ways to it."""
    node.run("ip", "netns", "add", NAMESPACE)
    node.run("ip", "link", "add", _HOST_LINK, "type", "veth", "peer", "name", "eth0", "netns", NAMESPACE)
    node.run("ip", "address", "add", f"{HOST}/30", "dev", _HOST_LINK)
    node.run("ip", "link", "set", _HOST_LINK, "up")
    node.run("ip", "-netns", NAMESPACE, "address", "add", f"{NODE}/30", "dev", "eth0")
    for link in ("lo", "eth0"):
        node.run("ip", "-netns", NAMESPACE, "link", "set", link, "up")
    for network in (PODS, SERVICES):
        node.run("ip", "route", "add", network, "via", NODE)
    node.run(*inside("sysctl", "--quiet", "--write", "net.ipv4.ip_forward=1"))


def stop(node: Node) -> None:
    """Remove the namespaces, of the pods that are left as well; the links and routes go with them."""
    for left in _FILE.parent.glob("cni-*"):
        if _is_of_pod(left):
            node.run("ip", "netns", "delete", left.name, check=False)
    node.run("ip", "link", "delete", _HOST_LINK, check=False)
    node.run("ip", "netns", "delete", NAMESPACE, check=False)


def exists() -> bool:
    """Whether the namespace is there."""
    return _FILE.exists()


def inside(*command: str) -> list[str]:
    """Return the command that runs another in the namespace; not by `ip netns exec`, which hides the cgroups' mounts."""
    return ["nsenter", f"--net={_FILE}", "--", *command]


def _is_of_pod(namespace: Path) -> bool:
    """Whether a namespace that a CNI plugin made has an address of our pods."""
    addresses = subprocess.run(
        ["ip", "-netns", namespace.name, "-brief", "address"], capture_output=True, text=True, check=False
    )
    return f" {PODS.removesuffix('0/24')}" in addresses.stdout
