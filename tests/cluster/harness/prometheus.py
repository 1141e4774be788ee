"""Prometheus with Kubernetes' discovery; tests tell it what to watch, as its operator would by the chart's objects."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx

from tests.cluster.harness.network import NODE, inside
from tests.cluster.harness.node import Node, answers
from tests.cluster.harness.objects import Object, apply, namespace
from tests.cluster.harness.pki import account, kubeconfig
from tests.tools import built

_NAMESPACE: Final = "monitoring"
_NAME: Final = "prometheus"
URL: Final = f"http://{NODE}:9090"
_RBAC: Final = "rbac.authorization.k8s.io"


def start(node: Node) -> None:
    """Start it, with the right to see pods and with nothing to watch yet."""
    named = {"name": _NAME, "namespace": _NAMESPACE}
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
    apply(
        node,
        namespace(_NAMESPACE),
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": named},
        {"apiVersion": f"{_RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": _NAME}, "rules": rules},
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": _NAME},
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": _NAME},
            "subjects": [{"kind": "ServiceAccount", **named}],
        },
    )
    account(node, _NAMESPACE, _NAME)
    configuration = node.write(
        "prometheus/prometheus.yaml",
        {
            "global": {"evaluation_interval": "1s"},
            "scrape_config_files": ["scrape-*.yaml"],
            "rule_files": ["rules-*.yaml"],
        },
    )
    command = [
        str(built("prometheus") / "prometheus"),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={node.state / 'prometheus' / 'series'}",
        f"--web.listen-address={NODE}:9090",
        "--web.enable-lifecycle",
        "--web.enable-admin-api",
    ]
    node.start("prometheus", inside(*command), lambda: answers(f"{URL}/-/ready"))


def stop(node: Node) -> None:
    """End it."""
    node.stop("prometheus")


class Watched:
    """
    What Prometheus knows of a release.

    Parameters
    ----------
    job : str
        Of the release's PodMonitor.
    """

    def __init__(self, job: str) -> None:
        self.job = job

    def asked(self, query: str) -> list[Object]:
        """Return the series that a query finds."""
        found: list[Object] = _get("query", query=query)["result"]
        return found

    def alerts(self) -> dict[str, Object]:
        """Return the alerts about the release by name, whether they fire or still wait."""
        found = _get("alerts")["alerts"]
        return {each["labels"]["alertname"]: each for each in found if each["labels"].get("job") == self.job}


@contextmanager
def watching(node: Node, monitor: Object, rule: Object) -> Iterator[Watched]:
    """
    Watch a release, and forget it afterwards.

    Parameters
    ----------
    node : Node
    monitor, rule : dict
        The release's PodMonitor and PrometheusRule.
    """
    scrape = _scrape(node, monitor)
    job = f"{monitor['metadata']['namespace']}/{monitor['metadata']['name']}"
    written = [
        node.write("prometheus/scrape-release.yaml", {"scrape_configs": [scrape]}),
        node.write("prometheus/rules-release.yaml", rule["spec"]),
    ]
    _post("/-/reload")
    try:
        yield Watched(job)
    finally:
        for file in written:
            file.unlink()
        _post("/-/reload")
        _post("/api/v1/admin/tsdb/delete_series", **{"match[]": f'{{job="{job}"}}'})


def _scrape(node: Node, monitor: Object) -> Object:
    """Return what the operator makes of a PodMonitor."""
    named, spec = monitor["metadata"], monitor["spec"]
    [endpoint] = spec["podMetricsEndpoints"]
    labels = spec["selector"]["matchLabels"]
    expressions = spec["selector"].get("matchExpressions", [])
    return {
        "job_name": f"podMonitor/{named['namespace']}/{named['name']}/0",
        "kubernetes_sd_configs": [
            {
                "role": "pod",
                "kubeconfig_file": str(kubeconfig(node, _NAME)),
                "namespaces": {"names": [named["namespace"]]},
            }
        ],
        "scrape_interval": endpoint["interval"],
        "scrape_timeout": endpoint["interval"],
        "metrics_path": endpoint["path"],
        "relabel_configs": [
            {"action": "drop", "source_labels": [_meta("phase")], "regex": "Failed|Succeeded"},
            *(_by(f"label_{label}", value) for label, value in labels.items()),
            *(_by(f"label_{each['key']}", "|".join(each["values"]), each["operator"]) for each in expressions),
            _by("container_port_name", endpoint["port"]),
            {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
            {"source_labels": [_meta("container_name")], "target_label": "container"},
            {"source_labels": [_meta("name")], "target_label": "pod"},
            {"target_label": "job", "replacement": f"{named['namespace']}/{named['name']}"},
            *({_snake(key): value for key, value in each.items()} for each in endpoint["relabelings"]),
        ],
    }


def _by(name: str, values: str, operator: str = "In") -> Object:
    """Return the step that keeps the pods of which the discovery says one of these values, or drops them."""
    return {"action": {"In": "keep", "NotIn": "drop"}[operator], "source_labels": [_meta(name)], "regex": values}


def _meta(name: str) -> str:
    """Return the label in which the discovery says something of a pod."""
    return "__meta_kubernetes_pod_" + re.sub(r"\W", "_", name)


def _snake(name: str) -> str:
    return re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", name)


def _get(path: str, **parameters: str) -> Any:
    answer = httpx.get(f"{URL}/api/v1/{path}", params=parameters).json()
    assert answer["status"] == "success", answer
    return answer["data"]


def _post(path: str, **parameters: str) -> None:
    answer = httpx.post(f"{URL}{path}", params=parameters)
    assert answer.is_success, answer.text
