"""containerd, Debian's, with runc and the CNI plugins: pods on an L3 network of their own, by a route for each."""

import contextlib
import json
import subprocess
from pathlib import Path
from typing import Final

from tests.cluster.harness.network import PODS, inside
from tests.cluster.harness.node import Node
from tests.cluster.harness.waiting import until

PAUSE_IMAGE: Final = "sklearn-kserve.test/pause:1"
PLUGINS: Final = Path("/usr/lib/cni")
# Not `bridge`: between two pods of it, the rules for Services hold only where br_netfilter is loaded.
PLUGIN: Final = "ptp"
# Where containerd's shims and the CNI plugins keep things whatever the configuration says.
_RESULTS: Final = Path("/var/lib/cni/results")
_RUNS: Final = Path("/run/containerd")
_ELSEWHERE: Final = (_RESULTS, _RESULTS.parent, _RUNS / "s", _RUNS / "runc/k8s.io", _RUNS / "runc", _RUNS)


def endpoint(node: Node) -> Path:
    """Return its socket."""
    return node.state / "containerd.sock"


def ctr(node: Node, *args: str) -> list[str]:
    """Return a command to Kubernetes' part of it."""
    return ["ctr", f"--address={endpoint(node)}", "--namespace=k8s.io", *args]


def kill(node: Node, container: str) -> None:
    """Kill a container by its id, or as a pod's status has it, as the kernel does where memory runs out."""
    node.run(*ctr(node, "tasks", "kill", "--signal=SIGKILL", container.removeprefix("containerd://")))


def start(node: Node) -> None:
    """Start it with root, socket and network of its own."""
    node.write(
        "cni/10-pods.conflist",
        json.dumps(
            {
                "cniVersion": "0.4.0",
                "name": "sklearn-kserve",
                "plugins": [
                    {
                        "type": PLUGIN,
                        "ipam": {
                            "type": "host-local",
                            "ranges": [[{"subnet": PODS}]],
                            "routes": [{"dst": "0.0.0.0/0"}],
                            "dataDir": str(node.state / "ipam"),
                        },
                    }
                ],
            }
        ),
    )
    configuration = node.write(
        "containerd.toml",
        f"""
version = 2
root = "{node.state}/containerd"
state = "{node.state}/containerd-run"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "{endpoint(node)}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  # Where root lacks CAP_SYS_RESOURCE, as in many a sandbox, runc could not lower a score.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{PLUGINS}"
    conf_dir = "{node.state}/cni"
""",
    )
    node.start("containerd", inside("containerd", f"--config={configuration}"), lambda: _answers(node))


def stop(node: Node) -> None:
    """End the containers, which would outlive it, and then itself."""
    if "containerd" in node.running():
        for task in _tasks(node):
            node.run(*ctr(node, "tasks", "kill", "--signal=SIGKILL", "--all", task), check=False)
        until("all containers have ended", lambda: not _tasks(node, "RUNNING"), 20)
        for task in _tasks(node):
            # Its shim ends with it.
            node.run(*ctr(node, "tasks", "delete", "--force", task), check=False)
        for container in node.run(*ctr(node, "containers", "list", "--quiet")).split():
            for result in _RESULTS.glob(f"*-{container}-*"):
                result.unlink()
    node.stop("containerd")
    for directory in _ELSEWHERE:
        with contextlib.suppress(OSError):  # it is not empty, or has never been
            directory.rmdir()


def _answers(node: Node) -> bool:
    return subprocess.run(ctr(node, "version"), capture_output=True, check=False).returncode == 0


def _tasks(node: Node, status: str = "") -> list[str]:
    lines = node.run(*ctr(node, "tasks", "list")).splitlines()[1:]
    return [line.split()[0] for line in lines if status in line]
