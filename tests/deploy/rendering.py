"""The chart rendered by Helm itself, as a library, and objects held to their schemas."""

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import kubernetes_validate
import yaml
from helm_python import Chart

from tests.deploy.validations import Rules

ROOT: Final = Path(__file__).resolve().parents[2]
CHART: Final = ROOT / "helm" / "sklearn-kserve"
CASES: Final = {path.name.removesuffix("-values.yaml"): path for path in sorted((CHART / "ci").glob("*-values.yaml"))}
"""Values by feature."""
SCHEMAS: Final = Path(__file__).parent / "schemas"
KUBERNETES: Final = "1.35"

Object = dict[str, Any]


@cache
def _chart() -> Chart:
    return Chart.load(CHART)


def values_of(case: str) -> dict[str, Any]:
    """Return the values of a feature's file."""
    values: dict[str, Any] = yaml.safe_load(CASES[case].read_text())
    return values


def files(values: dict[str, Any] | None = None, *, release: str = "demo", namespace: str = "ml") -> dict[str, str]:
    """Render the chart; the texts by template."""
    rendered = _chart().render(values or {}, name=release, namespace=namespace)
    return {name.removeprefix("sklearn-kserve/templates/"): text for name, text in rendered.items() if text.strip()}


def objects(values: dict[str, Any] | None = None, *, release: str = "demo", namespace: str = "ml") -> list[Object]:
    """Render the chart; the objects of all templates."""
    texts = [text for name, text in files(values, release=release, namespace=namespace).items() if name != "NOTES.txt"]
    return [found for text in texts for found in yaml.load_all(text, yaml.CSafeLoader) if found]


def of_kind(kind: str, values: dict[str, Any] | None = None) -> dict[str, Object]:
    """Return the objects of a kind by name."""
    return {found["metadata"]["name"]: found for found in objects(values) if found["kind"] == kind}


def predictor(values: dict[str, Any] | None = None, name: str = "penguins") -> Object:
    """Return the predictor of an InferenceService."""
    found: Object = of_kind("InferenceService", values)[name]["spec"]["predictor"]
    return found


def container(values: dict[str, Any] | None = None, name: str = "penguins") -> Object:
    """Return the server's container of an InferenceService."""
    found: Object = predictor(values, name)["containers"][0]
    return found


def _closed(node: Any) -> Any:
    """Refuse properties that a schema does not name: a cluster would drop them without a word."""
    if isinstance(node, list):
        return [_closed(each) for each in node]
    if not isinstance(node, dict):
        return node
    changed = {key: _closed(value) for key, value in node.items()}
    known = isinstance(node.get("properties"), dict) and node.get("type") == "object"
    if known and not node.get("x-kubernetes-preserve-unknown-fields") and "additionalProperties" not in node:
        changed["additionalProperties"] = False
    return changed


@cache
def _custom(kind: str, group: str) -> tuple[str, jsonschema_rs.Validator, Rules] | None:
    path = SCHEMAS / f"{kind.lower()}.{group}.json"
    if not path.exists():
        return None
    recorded = json.loads(path.read_text())
    schema = _closed(recorded)
    # Not every CRD names what every object has.
    schema["properties"] |= {"apiVersion": {}, "kind": {}, "metadata": {"type": "object"}}
    return schema["apiVersion"], jsonschema_rs.Draft202012Validator(schema), Rules(recorded)


def faults(found: Object) -> list[str]:
    """Say what of an object a cluster would refuse or drop."""
    group, _, _ = found["apiVersion"].rpartition("/")
    if "." not in group or (group.endswith(".k8s.io") and group != "gateway.networking.k8s.io"):
        return _core_faults(found)
    custom = _custom(found["kind"], group)
    if custom is None:
        return [f"no schema of {found['kind']} in {group}"]
    version, validator, rules = custom
    wrong = [] if found["apiVersion"] == version else [f"{found['apiVersion']}; the schema is of {version}"]
    wrong += [f"{'.'.join(map(str, each.instance_path))}: {each.message}" for each in validator.iter_errors(found)]
    # As in an API server: rules are about objects whose types are right.
    return wrong or rules.faults(found)


def _core_faults(found: Object) -> list[str]:
    try:
        kubernetes_validate.validate(found, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{'.'.join(map(str, error.path))}: {error.message}"]
    return []


def pods(rendered: list[Object]) -> dict[str, Object]:
    """Return every pod that the objects describe, by kind and name of what describes it."""
    found: dict[str, Object] = {}
    for each in rendered:
        label = f"{each['kind']}/{each['metadata']['name']}"
        match each["kind"]:
            case "InferenceService":
                if "containers" in each["spec"]["predictor"]:
                    found[label] = each["spec"]["predictor"]
            case "ServingRuntime" | "ClusterServingRuntime":
                # The rest of the pod is the InferenceService's to say.
                found[label] = {"automountServiceAccountToken": False, **each["spec"]}
            case "Pod":
                found[label] = each["spec"]
            case "CronJob":
                found[label] = each["spec"]["jobTemplate"]["spec"]["template"]["spec"]
            case "Deployment" | "Job":
                found[label] = each["spec"]["template"]["spec"]
    return found
