"""The kubelet: the node itself. It evicts nothing for the machine's sake, however full its disk is."""

import contextlib
import subprocess
from functools import partial
from pathlib import Path
from typing import Final

from tests.cluster.harness import containerd
from tests.cluster.harness.network import DNS_SERVICE, NODE, inside
from tests.cluster.harness.node import Node, answers
from tests.cluster.harness.pki import NODE_NAME, certificate, key, kubeconfig
from tests.cluster.harness.waiting import until
from tests.tools import built

_CGROUPS: Final = Path("/sys/fs/cgroup")
_PLUGINS: Final = Path("/var/lib/kubelet/device-plugins")
_POD_LOGS: Final = Path("/var/log/containers")


def start(node: Node) -> None:
    """Start it and wait until the node is ready for pods."""
    configuration = node.write(
        "kubelet.yaml",
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {"x509": {"clientCAFile": str(certificate(node, "ca"))}},
            "tlsCertFile": str(certificate(node, "kubelet-serving")),
            "tlsPrivateKeyFile": str(key(node, "kubelet-serving")),
            "containerRuntimeEndpoint": f"unix://{containerd.endpoint(node)}",
            "clusterDNS": [DNS_SERVICE],
            "clusterDomain": "cluster.local",
            "healthzBindAddress": NODE,
            "podLogsDir": str(node.state / "pod-logs"),
            "volumePluginDir": str(node.state / "volume-plugins"),
            "cgroupDriver": "cgroupfs",
            "failCgroupV1": False,
            "failSwapOn": False,
            # None: the machine's own may name a server that no pod reaches.
            "resolvConf": "",
            "evictionHard": dict.fromkeys(
                [
                    "imagefs.available",
                    "imagefs.inodesFree",
                    "memory.available",
                    "nodefs.available",
                    "nodefs.inodesFree",
                ],
                "0%",
            ),
            # How often it looks how full volumes are; it evicts a pod that has filled one.
            "volumeStatsAggPeriod": "5s",
            "imageGCHighThresholdPercent": 100,
            "imageMaximumGCAge": "0s",
        },
    )
    command = [
        str(built("kubernetes") / "kubelet"),
        f"--config={configuration}",
        f"--kubeconfig={kubeconfig(node, 'kubelet')}",
        f"--root-dir={node.state / 'kubelet'}",
        f"--hostname-override={NODE_NAME}",
        f"--node-ip={NODE}",
    ]
    node.start("kubelet", inside(*command), lambda: answers(f"http://{NODE}:10248/healthz"))


def stop(node: Node) -> None:
    """End it; once the containers have ended too, `clean` removes what it leaves."""
    node.stop("kubelet")


def clean(node: Node) -> None:
    """Unmount the volumes and remove the pods' cgroups."""
    for target in _mounts_below(node.state):
        subprocess.run(["umount", "--lazy", target], check=False)
    for root in cgroups():
        until(f"{root} is empty", partial(_remove_cgroups, root), 20)
    with contextlib.suppress(FileNotFoundError):
        for link in _POD_LOGS.iterdir():
            if link.is_symlink() and link.readlink().is_relative_to(node.state):
                link.unlink()
        if not any(_POD_LOGS.iterdir()):
            _POD_LOGS.rmdir()
    # It makes this one besides the directory that it is told.
    (_PLUGINS / "kubelet.sock").unlink(missing_ok=True)
    for directory in (_PLUGINS, _PLUGINS.parent):
        with contextlib.suppress(OSError):  # something else is in it, or it is not there
            directory.rmdir()


def cgroups() -> set[Path]:
    """Return the cgroups in which a kubelet has its pods, of version 1 or 2."""
    return {found.resolve() for pattern in ("kubepods", "*/kubepods") for found in _CGROUPS.glob(pattern)}


def _mounts_below(directory: Path) -> list[str]:
    """Return mount points, the innermost first."""
    targets = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [target for target in reversed(targets) if Path(target).is_relative_to(directory)]


def _remove_cgroups(root: Path) -> bool:
    for directory in sorted((each for each in root.rglob("*") if each.is_dir()), reverse=True):
        with contextlib.suppress(OSError):
            directory.rmdir()
    with contextlib.suppress(OSError):
        root.rmdir()
    return not root.exists()
