"""
Record what an API server says of the kinds it serves.

    python -m tests.unit.rollout.record_discovery

asks Go for the modules below (`go mod download`) and writes `discovery.json`, by path: Kubernetes' own from the answers
that Kubernetes keeps of its API server, custom resources from their CRDs as an API server tells of them.
"""

import json
from pathlib import Path
from typing import Any, Final

import yaml

from tests.deploy.record_schemas import SOURCES, directory

KUBERNETES: Final = "k8s.io/kubernetes@v1.35.4"
BUILT_IN: Final = (
    "api__v1",
    "apis__admissionregistration.k8s.io__v1",
    "apis__apps__v1",
    "apis__autoscaling__v2",
    "apis__batch__v1",
    "apis__networking.k8s.io__v1",
    "apis__policy__v1",
    "apis__scheduling.k8s.io__v1",
)
BESIDE: Final = {
    "sigs.k8s.io/gateway-api": [
        "config/crd/standard/gateway.networking.k8s.io_gateways.yaml",
        "config/crd/standard/gateway.networking.k8s.io_gatewayclasses.yaml",
    ],
    "github.com/prometheus-operator/prometheus-operator": [
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheuses.yaml"
    ],
}
"""CRDs that preflight looks at and the chart makes nothing of."""

Answers = dict[str, dict[str, Any]]


def resource(kind: str, name: str, *, namespaced: bool) -> dict[str, Any]:
    return {"kind": kind, "name": name, "namespaced": namespaced}


def built_in() -> Answers:
    found: Answers = {}
    for name in BUILT_IN:
        answer = json.loads((directory(KUBERNETES) / "api" / "discovery" / f"{name}.json").read_text())
        resources = [
            resource(each["kind"], each["name"], namespaced=each["namespaced"]) for each in answer["resources"]
        ]
        found["/" + name.replace("__", "/")] = {**answer, "resources": resources}
    return found


def custom() -> Answers:
    found: Answers = {}
    for module, files in SOURCES.items():
        beside = next((more for name, more in BESIDE.items() if module.startswith(f"{name}@")), [])
        for file in [*files, *beside]:
            for crd in yaml.load_all((directory(module) / file).read_text(), yaml.CSafeLoader):
                spec = crd["spec"]
                for version in [each["name"] for each in spec["versions"] if each["served"]]:
                    group_version = f"{spec['group']}/{version}"
                    head = {
                        "kind": "APIResourceList",
                        "apiVersion": "v1",
                        "groupVersion": group_version,
                        "resources": [],
                    }
                    answer = found.setdefault(f"/apis/{group_version}", head)
                    names, namespaced = spec["names"], spec["scope"] == "Namespaced"
                    answer["resources"].append(resource(names["kind"], names["plural"], namespaced=namespaced))
    return found


def main() -> None:
    """Write every answer anew."""
    answers = dict(sorted((built_in() | custom()).items()))
    lines = ",\n".join(f"{json.dumps(path)}: {json.dumps(answer, sort_keys=True)}" for path, answer in answers.items())
    (Path(__file__).parent / "discovery.json").write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
