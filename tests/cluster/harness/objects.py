"""Objects of the cluster's own parts: rendered, applied, and waited for."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from helm_python import Chart

from tests.cluster.harness.network import NODE
from tests.cluster.harness.node import Node
from tests.cluster.harness.waiting import until
from tests.tools import packaged

Object = dict[str, Any]
_ESTABLISHED: Final = """
{{range .items}}{{$name := .metadata.name}}
{{range .status.conditions}}{{if eq .type "Established"}}{{$name}}={{.status}} {{end}}{{end}}{{end}}
"""


def kubectl(node: Node, *args: str, stdin: str | None = None) -> str:
    """Run kubectl as the administrator."""
    return node.run(packaged("kubectl"), f"--kubeconfig={node.kubeconfig}", *args, stdin=stdin)


def apply(node: Node, *objects: Object) -> None:
    """Apply objects; server-side, for CRDs are too large for an annotation."""
    listed = {"apiVersion": "v1", "kind": "List", "items": objects}
    kubectl(node, "apply", "--server-side", "--force-conflicts", "--filename=-", stdin=json.dumps(listed))


def apply_crds(node: Node, definitions: Iterable[Object]) -> None:
    """Apply CRDs and wait until the API server knows them."""
    applied = list(definitions)
    apply(node, *applied)
    # Not by `kubectl wait`, which takes a definition that nobody has looked at yet for a broken one.
    wanted = {f"{found['metadata']['name']}=True" for found in applied if found["kind"] == "CustomResourceDefinition"}
    until(
        "the API server serves what the CRDs define",
        lambda: wanted <= set(kubectl(node, "get", "crds", f"--output=go-template={_ESTABLISHED}").split()),
    )


def of_file(file: Path) -> list[Object]:
    """Return the objects of a file."""
    return [found for found in yaml.load_all(file.read_text(), yaml.CSafeLoader) if found]


def of_chart(
    directory: Path,
    namespace: str,
    values: Object | None = None,
    change: Callable[[Object], list[Object]] | None = None,
) -> list[Object]:
    """
    Render a chart.

    Parameters
    ----------
    directory : Path
    namespace : str
    values : dict, optional
    change : callable, optional
        Returns what to apply in an object's stead, for what is a process here and a pod there; nothing leaves it out.
    """
    texts = Chart.load(directory).render(values or {}, name=directory.name, namespace=namespace)
    rendered = [
        found
        for name, text in texts.items()
        if not name.endswith("NOTES.txt")
        for found in yaml.load_all(text, yaml.CSafeLoader)
        if found
    ]
    return [changed for found in rendered for changed in change(found)] if change else rendered


def namespace(name: str, **labels: str) -> Object:
    """Return a namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def by_node(service: Object, targets: Mapping[int, int]) -> list[Object]:
    """
    Return a Service, and endpoints for it on the node: what stands behind it is a process, and no pod.

    Parameters
    ----------
    service : dict
        Its selector, if it has one, is left out.
    targets : mapping of int to int
        The node's ports by the Service's.
    """
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    ports = [
        {"name": port.get("name", ""), "port": targets[port["port"]], "protocol": port.get("protocol", "TCP")}
        for port in service["spec"]["ports"]
    ]
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{name}-node", "namespace": namespace, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [NODE], "conditions": {"ready": True}}],
        "ports": ports,
    }
    spec = {field: value for field, value in service["spec"].items() if field != "selector"}
    return [{**service, "spec": spec}, endpoints]
