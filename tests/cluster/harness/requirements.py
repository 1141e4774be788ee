"""What the machine has to have, what each thing is for, and how it comes there."""

import os
import platform
import shutil
import subprocess
from typing import Final, NamedTuple

from tests.cluster.harness import containerd, kubelet, network
from tests.cluster.harness.node import Failed
from tests.tools import go


class _Package(NamedTuple):
    """A package of Debian's, by one of its programs."""

    name: str
    program: str
    purpose: str


_PACKAGES: Final = (
    _Package("buildah", "buildah", "builds our image from the Dockerfile"),
    _Package("conntrack", "conntrack", "lets kube-proxy forget the connections of pods that are gone"),
    _Package("containerd", "containerd", "runs the pods"),
    _Package("containernetworking-plugins", f"{containerd.PLUGINS}/{containerd.PLUGIN}", "gives each pod its network"),
    _Package("debootstrap", "debootstrap", "makes the Debian that images begin with"),
    _Package("etcd-server", "etcd", "is Kubernetes' store"),
    _Package("iproute2", "ip", "makes the node's network"),
    _Package("nftables", "nft", "is how kube-proxy leads Services to pods"),
    _Package("procps", "sysctl", "lets the node forward"),
    _Package("runc", "runc", "runs containers for containerd"),
    _Package("util-linux", "nsenter", "enters the node's network"),
)
_PATH: Final = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def lacking() -> list[str]:
    """Return a sentence for each thing that keeps the cluster from coming up on this machine."""
    if platform.system() != "Linux":
        return [
            f"The cluster is made of Linux processes, and this is {platform.system()}; see tests/cluster/README.md for kind."
        ]
    found = []
    if os.geteuid() != 0:
        found.append("Namespaces, mounts and cgroups take root.")
    if missing := _missing():
        names = ", ".join(each.name for each in missing)
        found.append(f"Missing of Debian's packages: {names}. `make cluster-setup` installs them.")
    if not go():
        found.append("Missing: Go, 1.26 or newer. `make cluster-setup` installs PyPI's.")
    if kubelet.cgroups() and not network.exists():
        found.append("There are cgroups `kubepods`: another kubelet runs here, and two would take each other's pods.")
    return found


def install() -> None:
    """
    Install the packages that are missing, and say what each is for.

    Raises
    ------
    Failed
        They can't be installed.
    """
    missing = _missing()
    for each in missing:
        print(f"Debian's {each.name} {each.purpose}.")
    if not missing:
        return
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    quiet = ["--quiet=2", "--yes", "--no-install-recommends"]
    try:
        subprocess.run([*sudo, "apt-get", "update", "--quiet=2"], check=True)
        subprocess.run([*sudo, "apt-get", "install", *quiet, *(each.name for each in missing)], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Failed(f"The packages could not be installed: {error}") from error


def _missing() -> list[_Package]:
    return [each for each in _PACKAGES if not shutil.which(each.program, path=_PATH)]
