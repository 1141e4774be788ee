"""
What an upgrade may not touch: the fields that a cluster refuses to change in an object that is there.

    python -m tests.deploy.upgrades

records those of the chart as it is now in `releases/<version>.yaml`, with the values that gave them: by it later charts
are held to upgrading from this one. A record may be written anew until its version is tagged, and not after.
"""

from pathlib import Path
from typing import Any, Final

import yaml

from tests.deploy.rendering import CASES, CHART, Object, objects, values_of

RELEASES: Final = Path(__file__).parent / "releases"
FIXED: Final[dict[str, tuple[str, ...]]] = {
    # KServe's webhook, inference_service_validation.go: validateDeploymentMode, validatePredictorNameChange. Its
    # Deployment selects pods by the InferenceService's name alone.
    "InferenceService": ("metadata.annotations.serving.kserve.io/deploymentMode", "spec.predictor.name"),
    # ValidateUpdate in servingruntime_types.go asks for a valid pod, whatever was there.
    "ServingRuntime": (),
    "ClusterServingRuntime": (),
    # No rule of these CRDs names oldSelf (a test holds it), and no webhook of theirs compares with what was: KEDA's
    # looks for another scaler of the same target.
    "ScaledObject": (),
    "HTTPRoute": (),
    "AuthorizationPolicy": (),
    "EnvoyFilter": (),
    "PeerAuthentication": (),
    "RequestAuthentication": (),
    "PodMonitor": (),
    "PrometheusRule": (),
    # Kubernetes, pkg/apis/<group>/validation: Validate<Kind>Update. A ConfigMap's data only once it is immutable; jobs
    # keep the template that they began with, and a CronJob makes the next from a new one.
    "ConfigMap": ("immutable",),
    "CronJob": (),
    "HorizontalPodAutoscaler": (),
    "NetworkPolicy": (),
    "PodDisruptionBudget": (),
    "ServiceAccount": (),
    # All of a pod but images; those of the chart are hooks, and Helm deletes the last before it makes the next.
    "Pod": ("metadata.annotations.helm.sh/hook-delete-policy",),
}
"""By kind, beside the identity of an object; dots separate names, of which an annotation's is the rest of the path."""


def _at(found: Any, path: str) -> Any:
    name, _, rest = path.partition(".")
    if not isinstance(found, dict):
        return None
    return found.get(path) if path in found or not rest else _at(found.get(name), rest)


def fixed(rendered: list[Object]) -> dict[str, dict[str, Any]]:
    """Return what of each object can't change, by what makes it that object."""
    return {
        "/".join([each["apiVersion"], each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]]): {
            path: _at(each, path) for path in FIXED[each["kind"]]
        }
        for each in rendered
    }


def touched(before: list[Object], after: list[Object]) -> dict[str, Any]:
    """Return what an upgrade would be refused for: the objects that are there before and after, and differ in it."""
    old, new = fixed(before), fixed(after)
    return {name: (old[name], new[name]) for name in old.keys() & new.keys() if old[name] != new[name]}


def record() -> dict[str, Any]:
    """Return the values of every feature and what they fix."""
    return {case: {"values": values_of(case), "fixed": fixed(objects(values_of(case)))} for case in CASES}


if __name__ == "__main__":
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]
    head = f"# What chart {version} fixes in a cluster, by values; written by `python -m tests.deploy.upgrades`.\n"
    text = yaml.safe_dump(record(), sort_keys=True, width=120, allow_unicode=True)
    RELEASES.mkdir(exist_ok=True)
    (RELEASES / f"{version}.yaml").write_text(head + text)
