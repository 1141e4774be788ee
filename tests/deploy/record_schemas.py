"""
Record the schemas of custom resources from the Go modules that define them.

    python -m tests.deploy.record_schemas

asks Go for each module below (`go mod download`) and writes `schemas/<kind>.<group>.json`: the schema of the version
that the chart uses, without its descriptions, with what is said twice said once under `$defs`, and with the source.
"""

import hashlib
import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from tests.tools import go

SCHEMAS = Path(__file__).parent / "schemas"
SOURCES = {
    "github.com/kserve/kserve@v0.20.0": {
        "config/crd/full/serving.kserve.io_inferenceservices.yaml": {"InferenceService": "v1beta1"},
        "config/crd/full/serving.kserve.io_servingruntimes.yaml": {"ServingRuntime": "v1alpha1"},
        "config/crd/full/serving.kserve.io_clusterservingruntimes.yaml": {"ClusterServingRuntime": "v1alpha1"},
    },
    "sigs.k8s.io/gateway-api@v1.6.0": {
        "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml": {"HTTPRoute": "v1"},
    },
    "istio.io/api@v1.31.1": {
        "kubernetes/customresourcedefinitions.gen.yaml": {
            "AuthorizationPolicy": "v1",
            "EnvoyFilter": "v1alpha3",
            "PeerAuthentication": "v1",
            "RequestAuthentication": "v1",
        },
    },
    "knative.dev/serving@v0.51.0": {
        "config/core/300-resources/service.yaml": {"Service": "v1"},
    },
    "github.com/kedacore/keda/v2@v2.21.0": {
        "config/crd/bases/keda.sh_scaledobjects.yaml": {"ScaledObject": "v1alpha1"},
    },
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": {
        "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml": {"PodMonitor": "v1"},
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml": {"PrometheusRule": "v1"},
    },
}
WORTH_SHARING = 300
"""Characters of JSON from which a part that occurs again goes under `$defs`."""


def directory(module: str) -> Path:
    """Return where Go keeps the module, fetching it first where need be."""
    command = [go() or "go", "mod", "download", "-json", module]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    return Path(json.loads(done.stdout)["Dir"])


def bare(node: Any, *, names: bool = False) -> Any:
    """Leave descriptions out; a property of that name stays."""
    if isinstance(node, list):
        return [bare(each) for each in node]
    if not isinstance(node, dict):
        return node
    kept = {key: value for key, value in node.items() if names or key != "description"}
    return {key: bare(value, names=key == "properties" and not names) for key, value in kept.items()}


def shared(schema: dict[str, Any]) -> dict[str, Any]:
    """Say once what is said several times: KServe repeats a whole pod dozens of times."""
    seen: Counter[str] = Counter()

    def count(node: Any) -> None:
        text = json.dumps(node, sort_keys=True)
        if isinstance(node, dict) and "type" in node and isinstance(node["type"], str):
            seen[text] += 1
            if seen[text] > 1:
                return
        for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            count(each)

    definitions: dict[str, Any] = {}

    def replace(node: Any, *, top: bool = False) -> Any:
        if isinstance(node, list):
            return [replace(each) for each in node]
        if not isinstance(node, dict):
            return node
        text = json.dumps(node, sort_keys=True)
        if not top and seen[text] > 1 and len(text) >= WORTH_SHARING:
            name = hashlib.sha256(text.encode()).hexdigest()[:8]
            if name not in definitions:
                definitions[name] = None
                definitions[name] = {key: replace(value) for key, value in node.items()}
            return {"$ref": f"#/$defs/{name}"}
        return {key: replace(value) for key, value in node.items()}

    count(schema)
    whole = replace(schema, top=True)
    return {**whole, "$defs": dict(sorted(definitions.items()))}


def main() -> None:
    """Write every schema anew."""
    for module, files in SOURCES.items():
        for file, kinds in files.items():
            for crd in yaml.load_all((directory(module) / file).read_text(), yaml.CSafeLoader):
                spec = crd["spec"]
                if not (version := kinds.get(spec["names"]["kind"])):
                    continue
                (found,) = [each for each in spec["versions"] if each["name"] == version]
                head = {"$comment": f"{module} {file}", "apiVersion": f"{spec['group']}/{version}"}
                schema = head | shared(bare(found["schema"]["openAPIV3Schema"]))
                target = SCHEMAS / f"{spec['names']['singular']}.{spec['group']}.json"
                target.write_text(json.dumps(schema, sort_keys=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
