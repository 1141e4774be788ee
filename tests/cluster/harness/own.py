"""The cluster of this machine, brought up part by part and taken down in the opposite order."""

import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, Protocol

from tests.cluster.harness import (
    apiserver,
    containerd,
    controller_manager,
    coredns,
    etcd,
    images,
    istio,
    keda,
    kserve,
    kube_proxy,
    kubelet,
    metrics_server,
    network,
    object_store,
    pki,
    prometheus,
    requirements,
    scheduler,
    storage,
    training,
)
from tests.cluster.harness.node import Failed, Node
from tests.cluster.harness.objects import kubectl
from tests.cluster.harness.pki import NODE_NAME
from tests.tools import built


class Part(Protocol):
    """A module of this package that runs one part of the cluster."""

    def start(self, node: Node, /) -> None:
        """Start it, and return once it answers."""

    def stop(self, node: Node, /) -> None:
        """End it, and remove what it leaves outside the node's directory; no matter how far it had come."""


_GROUND: Final[tuple[Part, ...]] = (network, pki)
_PODS: Final[tuple[Part, ...]] = (containerd, images)
_CONTROL_PLANE: Final[tuple[Part, ...]] = (etcd, apiserver, controller_manager, scheduler, coredns)
_NODE: Final[tuple[Part, ...]] = (kubelet, kube_proxy)
_PLATFORM: Final[tuple[Part, ...]] = (storage, kserve, istio)
EXTRAS: Final[dict[str, Part]] = {
    "keda": keda,
    "metrics-server": metrics_server,
    "object-store": object_store,
    "prometheus": prometheus,
    "training": training,
}
"""Parts that some tests need, and say so."""
_PROGRAMS: Final = ("kubernetes", "coredns", "kserve", "istio", "pause", "helm4")
_ALL: Final = (*_GROUND, *_PODS, *_CONTROL_PLANE, *_NODE, *_PLATFORM, *EXTRAS.values())


def up(node: Node, extras: Iterable[str] = ()) -> None:
    """
    Bring the cluster up, unless it is, and what it is to have besides.

    Parameters
    ----------
    node : Node
    extras : iterable of str
        Names from `EXTRAS`.

    Raises
    ------
    Failed, Unavailable
        The machine lacks something, or a part did not come up; nothing is left then of what this has brought up, but for
        the logs.
    """
    if is_up(node):
        if not node.kubeconfig.exists():
            raise Failed("The cluster of another checkout is up on this machine; `make cluster-down` takes it down.")
        storage.renew(node)
        _add(node, extras)
        return
    if lacking := requirements.lacking():
        raise Failed("; ".join(lacking))
    down(node)
    for module in _PROGRAMS:
        built(module)
    for directory in (node.state, node.logs):
        directory.mkdir(parents=True, exist_ok=True)
    for log in node.logs.glob("*.log"):
        log.unlink()
    try:
        _start(node)
        _add(node, extras)
    except BaseException:
        down(node)
        raise
    (node.state / "up").touch()


def is_up(node: Node) -> bool:
    """Whether the cluster has come up and nobody has taken it down."""
    return (node.state / "up").exists()


def down(node: Node) -> None:
    """
    Take the cluster down, or what there is of it; the logs stay.

    Raises
    ------
    Failed
        Something is left; what could be removed has been all the same.
    """
    left = []
    for stop in (*(part.stop for part in reversed(_ALL)), kubelet.clean):
        try:
            stop(node)
        except (Failed, OSError) as error:
            left.append(str(error))
    if left:
        raise Failed("; ".join(left))
    if node.state.exists():
        shutil.rmtree(node.state)


@contextmanager
def without(part: Part, node: Node) -> Iterator[None]:
    """End a part of the cluster, and start it again."""
    part.stop(node)
    try:
        yield
    finally:
        part.start(node)


def _start(node: Node) -> None:
    _each(node, _GROUND)
    # Images take as long to unpack as all the rest to start.
    with ThreadPoolExecutor(1) as beside:
        pods = beside.submit(_each, node, _PODS)
        _each(node, _CONTROL_PLANE)
        istio.apply_crds_and_roles(node)
        pods.result()
    _each(node, _NODE)
    kubectl(node, "wait", "--for=condition=Ready", "--timeout=60s", f"node/{NODE_NAME}")
    _each(node, _PLATFORM)


def _add(node: Node, extras: Iterable[str]) -> None:
    for name in extras:
        there = node.state / "extras" / name
        if not there.exists():
            _each(node, (EXTRAS[name],))
            there.parent.mkdir(exist_ok=True)
            there.touch()


def _each(node: Node, parts: tuple[Part, ...]) -> None:
    for part in parts:
        began = time.monotonic()
        part.start(node)
        name = str(getattr(part, "__name__", part)).rpartition(".")[2]
        print(f"{name:20} {time.monotonic() - began:6.1f} s", file=sys.stderr, flush=True)
