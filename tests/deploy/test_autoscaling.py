"""One autoscaler, KServe's or ours, and never two."""

from pathlib import Path
from typing import Any

import pytest

from tests.deploy.rendering import ROOT, of_kind, predictor, values_of

BEHAVIOUR = {
    "scaleUp": {
        "stabilizationWindowSeconds": 0,
        "selectPolicy": "Max",
        "policies": [
            {"type": "Percent", "value": 100, "periodSeconds": 15},
            {"type": "Pods", "value": 4, "periodSeconds": 15},
        ],
    },
    "scaleDown": {
        "stabilizationWindowSeconds": 300,
        "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
    },
}


def utilization(name: str, percent: int) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": name, "target": target}}


def classes(case: str) -> set[str]:
    services = of_kind("InferenceService", values_of(case)).values()
    return {service["metadata"]["annotations"].get("serving.kserve.io/autoscalerClass", "") for service in services}


@pytest.mark.parametrize("kind", ["HorizontalPodAutoscaler", "ScaledObject"])
def test_should_not_render_when_disabled(kind: str) -> None:
    assert of_kind(kind) == {}
    assert not {"maxReplicas", "autoScaling"} & set(predictor())


@pytest.mark.parametrize(
    ("case", "kserves", "ours"),
    [
        ("default", "none", []),
        ("hpa", "hpa", []),
        ("external", "external", ["HorizontalPodAutoscaler"]),
        ("keda", "external", ["ScaledObject"]),
        ("knative", "", []),
    ],
)
def test_there_is_never_a_second_autoscaler(case: str, kserves: str, ours: list[str]) -> None:
    assert classes(case) == {kserves}
    assert [kind for kind in ("HorizontalPodAutoscaler", "ScaledObject") if of_kind(kind, values_of(case))] == ours


def test_kserves_hpa_gets_its_bounds_and_metrics() -> None:
    found = predictor(values_of("hpa"))
    assert (found["minReplicas"], found["maxReplicas"]) == (2, 5)
    assert found["autoScaling"]["metrics"] == [utilization("cpu", 70), utilization("memory", 80)]


def test_an_hpa_of_ours_scales_the_deployment_that_kserve_makes_by_all_that_is_asked_for() -> None:
    scalers = of_kind("HorizontalPodAutoscaler", values_of("external"))
    assert set(scalers) == {"iris", "iris-canary"}
    for name, replicas in (("iris", 3), ("iris-canary", 1)):
        spec = scalers[name]["spec"]
        assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"{name}-predictor"}
        assert (spec["minReplicas"], spec["maxReplicas"]) == (replicas, 10)
        assert spec["behavior"] == BEHAVIOUR
        assert spec["metrics"][0] == utilization("cpu", 70)
        assert {
            each["pods"]["metric"]["name"]: each["pods"]["target"]["averageValue"] for each in spec["metrics"][1:]
        } == {
            "inference_requests_in_flight": "16",
            "inference_queue_depth": "4",
        }


def test_kserve_would_delete_an_hpa_of_its_own_name() -> None:
    assert not [
        name for name in of_kind("HorizontalPodAutoscaler", values_of("external")) if name.endswith("-predictor")
    ]


def test_keda_asks_prometheus_for_the_pods_of_this_model_alone() -> None:
    (scaled,) = of_kind("ScaledObject", values_of("keda")).values()
    waiting, in_flight = scaled["spec"]["triggers"]
    pods = '{namespace="ml",pod=~"penguins-predictor-[^-]+-[^-]+"}'
    assert waiting["metadata"] == {
        "serverAddress": "http://prometheus-operated.monitoring:9090",
        "query": f"sum(inference_queue_depth{pods})",
        "threshold": "4",
    }
    assert in_flight["metadata"]["query"] == f"sum(inference_requests_in_flight{pods})"
    assert scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == BEHAVIOUR
    assert (scaled["spec"]["minReplicaCount"], scaled["spec"]["maxReplicaCount"]) == (1, 5)


def test_keda_takes_no_pod_away_while_prometheus_is_silent() -> None:
    (scaled,) = of_kind("ScaledObject", values_of("keda")).values()
    assert scaled["spec"]["fallback"]["behavior"] == "currentReplicasIfHigher"


def test_kedas_webhook_has_no_reason_to_look_for_a_deployment_that_kserve_is_yet_to_make() -> None:
    """As it does for a trigger by CPU or memory, and refuses the install."""
    values = {"autoscaling": {"class": "keda", "inFlight": 8}, "resources": {"requests": {"cpu": None}}}
    (scaled,) = of_kind("ScaledObject", values).values()
    assert {trigger["type"] for trigger in scaled["spec"]["triggers"]} == {"prometheus"}


@pytest.mark.parametrize("metric", ["inference_requests_in_flight", "inference_queue_depth"])
def test_what_is_scaled_by_is_exported(metric: str) -> None:
    assert f"`{metric}` | gauge" in (ROOT / "docs" / "metrics.md").read_text()
    assert metric in "".join(path.read_text() for path in Path(ROOT, "model", "metrics").glob("*.py"))
