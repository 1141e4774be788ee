"""Istio's policies as they are rendered; whom they let through is for test_gateway_auth.py to show, by a real Envoy."""

import pytest

from tests.deploy.rendering import CASES, files, objects, of_kind, predictor, values_of

ISSUER = "https://login.example.com"


def test_should_not_render_when_disabled() -> None:
    assert [each["kind"] for each in objects() if each["apiVersion"].startswith("security.istio.io")] == []
    assert "annotations" not in predictor()
    assert "sidecar.istio.io/inject" not in predictor()["labels"]


# --- tokens and certificates


def test_tokens_are_asked_for_at_the_gateway_and_in_the_pods() -> None:
    gateway, pods = of_kind("RequestAuthentication", values_of("auth")).values()
    assert gateway["metadata"]["namespace"] == "gateways"
    assert gateway["spec"]["targetRefs"] == [
        {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "models"},
    ]
    assert pods["spec"]["selector"]["matchLabels"].items() <= predictor(values_of("auth"), "iris")["labels"].items()
    for each in (gateway, pods):
        (rule,) = each["spec"]["jwtRules"]
        assert rule == {
            "issuer": ISSUER,
            "jwksUri": f"{ISSUER}/.well-known/jwks.json",
            "audiences": ["models.example.com"],
            "forwardOriginalToken": True,
        }


def test_without_pods_there_is_neither_a_sidecar_nor_mutual_tls() -> None:
    values = values_of("auth-gateway")
    assert of_kind("PeerAuthentication", values) == {}
    assert "sidecar.istio.io/inject" not in predictor(values)["labels"]
    assert {each["metadata"]["namespace"] for each in of_kind("AuthorizationPolicy", values).values()} == {"kserve"}
    (asked,) = of_kind("RequestAuthentication", values).values()
    assert "keys" in asked["spec"]["jwtRules"][0]["jwks"]


def test_without_the_gateway_nothing_is_put_on_it() -> None:
    values = values_of("auth")
    values["auth"]["gateway"] = False
    assert {each["metadata"]["namespace"] for each in objects(values)} == {"ml"}


# --- paths and limits


@pytest.mark.parametrize(("case", "namespaces"), [("auth", {"gateways", "ml"}), ("auth-gateway", {"kserve"})])
def test_paths_are_normalized_wherever_rules_compare_them(case: str, namespaces: set[str]) -> None:
    found = [each for name, each in of_kind("EnvoyFilter", values_of(case)).items() if name.endswith("-paths")]
    assert {each["metadata"]["namespace"] for each in found} == namespaces
    for each in found:
        (patch,) = each["spec"]["configPatches"]
        assert patch["patch"]["value"]["typed_config"]["path_with_escaped_slashes_action"] == "REJECT_REQUEST"


def test_should_not_render_filters_when_disabled() -> None:
    values = values_of("auth")
    values["auth"]["normalizePaths"] = False
    assert of_kind("EnvoyFilter", values) == {}
    assert of_kind("EnvoyFilter", values_of("canary")) == {}
    assert "DECODE_AND_MERGE_SLASHES" in files(values)["NOTES.txt"]


def test_a_limit_at_the_gateway_needs_no_tokens() -> None:
    values = {"route": {"domain": "models.example.com"}, "rateLimit": {"requestsPerSecond": 50, "burstSeconds": 4}}
    (found,) = of_kind("EnvoyFilter", values).values()
    (bucket,) = found["spec"]["configPatches"][0]["patch"]["value"]["typed_config"]["descriptors"]
    assert bucket["token_bucket"] == {"max_tokens": 200, "tokens_per_fill": 50, "fill_interval": "1s"}
    assert found["metadata"]["namespace"] == "kserve"


def test_the_notes_tell_the_limits() -> None:
    notes = files(values_of("rate-limit"))["NOTES.txt"]
    assert "every proxy of the Gateway gateways/models, beyond which the answer is 429: " in notes
    # A host that nobody asks for is limited in vain.
    assert "429: iris-ml.models.example.com 20, churn-ml.models.example.com 5, each caller 4.\n" in notes
    assert "every pod, beyond which the answer is 429: iris 20.\n" in files(values_of("rate-limit-pods"))["NOTES.txt"]


def test_the_pods_take_mutual_tls_alone() -> None:
    (peers,) = of_kind("PeerAuthentication", values_of("auth")).values()
    assert peers["spec"]["mtls"] == {"mode": "STRICT"}
    assert predictor(values_of("auth"), "iris")["labels"]["sidecar.istio.io/inject"] == "true"


def test_the_sidecar_outlives_the_server() -> None:
    values = {**values_of("auth"), "settings": {"drain_seconds": 60}}
    annotations = predictor(values, "iris")["annotations"]
    assert '"terminationDrainDuration": "63s"' in annotations["proxy.istio.io/config"]
    assert predictor(values, "iris")["terminationGracePeriodSeconds"] == 68
    assert annotations["example.com/owner"] == "risk"


def test_metrics_and_istiod_are_let_through_the_closed_network() -> None:
    (policy,) = of_kind("NetworkPolicy", values_of("auth")).values()
    assert [port["port"] for port in policy["spec"]["ingress"][1]["ports"]] == [15020]
    assert [15012] in [[port["port"] for port in rule["ports"]] for rule in policy["spec"]["egress"]]


@pytest.mark.parametrize("case", CASES)
def test_the_gateways_namespace_may_call(case: str) -> None:
    values = values_of(case)
    namespace = values.get("route", {}).get("gatewayNamespace", "kserve")
    if policy := of_kind("NetworkPolicy", values).get("demo-sklearn-kserve"):
        peers = [each.get("namespaceSelector", {}).get("matchLabels") for each in policy["spec"]["ingress"][0]["from"]]
        assert {"kubernetes.io/metadata.name": namespace} in peers


def test_pods_of_helm_test_are_left_out_where_they_would_be_turned_away() -> None:
    assert of_kind("Pod", values_of("auth")) == {}
    assert of_kind("Pod", values_of("auth-gateway"))


# --- notes


def test_the_notes_say_what_a_caller_needs_and_what_istio_has_to_do() -> None:
    notes = files(values_of("auth"))["NOTES.txt"]
    assert "DECODE_AND_MERGE_SLASHES" not in notes
    assert '--header "Authorization: Bearer $TOKEN"' in notes
    assert "helm test demo" not in notes
    assert "Nothing asks callers" not in notes
    assert "Only the Gateway asks" in files(values_of("auth-gateway"))["NOTES.txt"]
