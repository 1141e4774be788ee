"""A canary beside the stable, by three ways, from one block of values."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.deploy.rendering import container, files, of_kind, predictor, values_of

ROUTED = {"route": {"enabled": True, "domain": "models.example.com"}}


def rules(values: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = of_kind("HTTPRoute", values)[name]["spec"]["rules"]
    return found


def backends(rule: dict[str, Any]) -> dict[str, int]:
    return {f"{each['name']}:{each['port']}": each.get("weight", 100) for each in rule["backendRefs"]}


def paths(rule: dict[str, Any]) -> set[str]:
    return {match["path"]["value"] for match in rule["matches"]}


def by_header(values: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    return (rule for rule in rules(values, name) if "headers" in rule["matches"][0])


def test_should_not_render_a_route_or_a_canary_when_disabled() -> None:
    assert of_kind("HTTPRoute") == {}
    assert [*of_kind("InferenceService")] == ["penguins"]
    labels = of_kind("InferenceService")["penguins"]["metadata"]["labels"]
    assert "networking.kserve.io/visibility" not in labels
    assert "canary" not in of_kind("InferenceService")["penguins"]["spec"]


# --- the route


def test_a_route_has_the_host_that_kserve_would_give() -> None:
    (route,) = of_kind("HTTPRoute", ROUTED).values()
    assert route["spec"]["hostnames"] == ["penguins-ml.models.example.com"]
    assert route["spec"]["parentRefs"] == [{"name": "kserve-ingress-gateway", "namespace": "kserve"}]


def test_kserve_makes_no_route_where_we_do() -> None:
    for service in of_kind("InferenceService", values_of("canary")).values():
        assert service["metadata"]["labels"]["networking.kserve.io/visibility"] == "cluster-local"


def test_without_a_canary_all_goes_to_the_stable() -> None:
    assert [backends(rule) for rule in rules(ROUTED, "penguins")] == [
        {"penguins-predictor:80": 100},
        {"penguins-predictor:8081": 100},
    ]


def test_rest_and_grpc_have_rules_of_their_own_and_metrics_none() -> None:
    rest, grpc = rules(ROUTED, "penguins")
    assert paths(rest) == {"/v1", "/v2", "/predict", "/docs", "/openapi.json"}
    assert paths(grpc) >= {"/inference.GRPCInferenceService", "/grpc.health.v1.Health"}


# --- by our own route


def test_the_route_splits_rest_and_grpc_by_weight() -> None:
    split = [backends(rule) for rule in rules(values_of("canary"), "iris") if "headers" not in rule["matches"][0]]
    assert split == [
        {"iris-predictor:80": 80, "iris-canary-predictor:80": 20},
        {"iris-predictor:8081": 80, "iris-canary-predictor:8081": 20},
    ]


@pytest.mark.parametrize("weight", [0, 1, 99, 100])
def test_weights_add_up_to_a_hundred(weight: int) -> None:
    values = values_of("canary-image")
    values["canary"]["weight"] = weight
    for rule in rules(values, "penguins"):
        assert backends(rule) in (
            {"penguins-predictor:80": 100 - weight, "penguins-canary-predictor:80": weight},
            {"penguins-predictor:8081": 100 - weight, "penguins-canary-predictor:8081": weight},
        )


def test_a_header_leads_to_the_canary_alone_over_both_protocols() -> None:
    values = values_of("canary")
    chosen = [*by_header(values, "iris")]
    assert [backends(rule) for rule in chosen] == [
        {"iris-canary-predictor:80": 100},
        {"iris-canary-predictor:8081": 100},
    ]
    for rule in chosen:
        assert all(match["headers"] == [{"name": "x-canary", "value": "always"}] for match in rule["matches"])
        assert "filters" not in rule
    plain = [rule for rule in rules(values, "iris") if rule not in chosen]
    assert [paths(rule) for rule in chosen] == [paths(rule) for rule in plain]


def test_mirrored_requests_go_to_the_canary() -> None:
    mirrors = [rule["filters"][0]["requestMirror"] for rule in rules(values_of("canary"), "iris") if "filters" in rule]
    assert mirrors == [
        {"percent": 10, "backendRef": {"name": "iris-canary-predictor", "port": 80}},
        {"percent": 10, "backendRef": {"name": "iris-canary-predictor", "port": 8081}},
    ]


def test_other_models_have_no_canary() -> None:
    assert [backends(rule) for rule in rules(values_of("canary"), "churn")] == [
        {"churn-predictor:80": 100},
        {"churn-predictor:8081": 100},
    ]
    assert {*of_kind("InferenceService", values_of("canary"))} == {"iris", "iris-canary", "churn"}


def test_the_canary_has_its_own_artifact_image_pods_and_budget_but_the_models_name() -> None:
    values = values_of("canary")
    stable, canary = container(values, "iris"), container(values, "iris-canary")
    assert stable["image"].endswith(":0.1.0")
    assert canary["image"].endswith(":0.2.0")
    assert {"name": "STORAGE_URI", "value": "s3://models/iris/2"} in canary["env"]
    assert canary["args"] == stable["args"]
    assert predictor(values, "iris-canary")["minReplicas"] == 2
    budget = of_kind("PodDisruptionBudget", values)["iris-canary"]
    assert budget["spec"]["selector"]["matchLabels"] == {"app": "isvc.iris-canary-predictor"}


def test_a_canary_in_the_image_is_not_fetched() -> None:
    values = values_of("canary-image")
    values["models"] = [{"name": "penguins", "storageUri": "s3://models/penguins"}]
    found = container(values, "penguins-canary")
    assert "--model_dir=/srv/penguins" in found["args"]
    assert [each["name"] for each in found["env"]] == ["PROTOCOL"]


@pytest.mark.parametrize(
    ("canary", "image"),
    [
        ({"storageUri": "s3://b"}, "@sha256:" + "1" * 64),
        ({"imageTag": "9"}, ":9"),
        ({"imageDigest": "sha256:" + "2" * 64}, "@sha256:" + "2" * 64),
        ({"imageTag": "9", "imageDigest": "sha256:" + "2" * 64}, "@sha256:" + "2" * 64),
    ],
)
def test_the_canarys_image_is_the_stables_unless_it_has_one(canary: dict[str, str], image: str) -> None:
    values = {**ROUTED, "image": {"tag": "1", "digest": "sha256:" + "1" * 64}, "canary": {"enabled": True, **canary}}
    assert container(values, "penguins")["image"].endswith("@sha256:" + "1" * 64)
    assert container(values, "penguins-canary")["image"].endswith("sklearn-kserve" + image)


# --- by KServe's own ways


def test_a_native_canary_stands_in_the_stables_spec() -> None:
    (service,) = of_kind("InferenceService", values_of("canary-native")).values()
    (canary,) = service["spec"]["canary"]
    assert canary["trafficPercent"] == 20
    assert canary["predictor"]["name"] == "canary"
    assert canary["predictor"]["containers"][0]["name"] == "kserve-container"
    assert not {"maxReplicas", "scaleTarget", "scaleMetric", "autoScaling"} & set(canary["predictor"])
    assert of_kind("HTTPRoute", values_of("canary-native")) == {}


def test_the_stable_keeps_its_pods_though_kserve_takes_the_canarys_off() -> None:
    (service,) = of_kind("InferenceService", values_of("canary-native")).values()
    canary = service["spec"]["canary"][0]["predictor"]["minReplicas"]
    assert service["spec"]["predictor"]["minReplicas"] - canary == 2
    assert canary == 1


def test_a_native_canary_has_the_workload_names_of_one_by_route() -> None:
    assert "iris-canary" in of_kind("PodDisruptionBudget", values_of("canary-native"))
    assert "iris-canary-test-rest" in of_kind("Pod", values_of("canary-native"))


def test_a_knative_canary_is_the_next_revision() -> None:
    (service,) = of_kind("InferenceService", values_of("canary-knative")).values()
    assert service["metadata"]["name"] == "iris"
    assert service["spec"]["predictor"]["canaryTrafficPercent"] == 10
    assert {"name": "STORAGE_URI", "value": "s3://models/iris/2"} in service["spec"]["predictor"]["containers"][0][
        "env"
    ]


# --- notes


def test_the_notes_say_what_the_canary_gets_and_how_to_go_on() -> None:
    notes = files(values_of("canary"))["NOTES.txt"]
    assert (
        'answers 20 % of the requests, and all with the header "x-canary: always"; 10 % are sent to it besides.'
        in notes
    )
    assert "kubectl --namespace ml rollout status deployment/iris-canary-predictor" in notes
    assert 'curl --header "Host: iris-ml.models.example.com"' in notes


def test_the_notes_say_how_to_begin() -> None:
    routed = "--set canary.enabled=true,canary.model=penguins,canary.storageUri=URI"
    assert routed in files({"route": {"enabled": True}})["NOTES.txt"]
    assert routed.replace("canary", "route.enabled=true,route.domain=DOMAIN,canary", 1) in files()["NOTES.txt"]
