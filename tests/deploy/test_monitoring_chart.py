"""Monitoring by the chart: the same alerts and dashboards as the files hold, about this release alone."""

import json
import re
from typing import Any

import pytest
import yaml
from helm_python import HelmError

from model.metrics import SECONDS
from tests.deploy.promql import DASHBOARDS, MONITORING, alerts, exported, faults, recorded
from tests.deploy.rendering import Object, container, files, of_kind, predictor, values_of

KINDS = ("PodMonitor", "PrometheusRule", "ConfigMap")


def rendered(**values: Any) -> list[dict[str, Any]]:
    """Return the groups of the PrometheusRule."""
    (found,) = of_kind("PrometheusRule", {"monitoring": {"rules": True, **values}}).values()
    groups: list[dict[str, Any]] = found["spec"]["groups"]
    return groups


def watched(**values: Any) -> dict[str, dict[str, Any]]:
    """Return the alerts of the PrometheusRule by name."""
    return {rule["alert"]: rule for group in rendered(**values) for rule in group["rules"] if "alert" in rule}


def endpoint(values: dict[str, Any]) -> Object:
    (found,) = of_kind("PodMonitor", values).values()
    (each,) = found["spec"]["podMetricsEndpoints"]
    return dict(each)


def labelled(values: dict[str, Any], pod: str) -> dict[str, str]:
    """Relabel a pod's target as Prometheus does, as far as the PodMonitor asks for it."""
    target = {"__meta_kubernetes_pod_name": pod, "__address__": "[fd00::1]:8080"}
    for rule in endpoint(values)["relabelings"]:
        source = ";".join(target[name] for name in rule.get("sourceLabels", []))
        match = re.fullmatch(rule.get("regex", ".*"), source)
        if match:
            target[rule["targetLabel"]] = match.expand(rule["replacement"].replace("$1", r"\1"))
    return target


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_it_is_made_unless_asked_for(kind: str) -> None:
    assert not of_kind(kind)
    assert not of_kind(kind, {"mode": "Knative"})


def test_the_rules_are_those_of_the_file_about_this_release() -> None:
    text = (MONITORING / "rules.yaml").read_text().replace('job="sklearn-kserve"', 'job="ml/demo-sklearn-kserve"')
    expected = yaml.safe_load(text)["groups"]
    for group in expected:
        for rule in group["rules"]:
            if "alert" in rule:
                rule["labels"]["namespace"] = "ml"
    assert rendered() == expected


def test_what_prometheus_fills_in_is_left_to_it() -> None:
    assert watched()["SklearnKserveModelOld"]["annotations"]["summary"].startswith('Model "{{ $labels.model }}"')


@pytest.mark.parametrize("seconds", SECONDS)
def test_every_bound_of_a_bucket_may_be_the_objective(seconds: float) -> None:
    text = json.dumps(rendered(latencySeconds=int(seconds) if seconds.is_integer() else seconds))
    assert {float(bound) for bound in re.findall(r'le=\\"(.*?)\\"', text)} == {seconds}
    # As the server writes it, to the letter.
    assert set(re.findall(r'le=\\"(.*?)\\"', text)) == {
        str(seconds) if seconds >= 0.001 else f"{seconds:.5f}".rstrip("0")
    }


def test_the_objectives_are_the_release_s_own() -> None:
    groups = rendered(availability=0.9995, latencyShare=0.95, modelAgeDays=7, canaryHours=6)
    rules = {rule.get("alert") or rule["record"]: rule for group in groups for rule in group["rules"]}
    assert rules["SklearnKserveErrorBudgetBurn"]["expr"].count("14.4 * (1 - 0.9995)") == 2
    assert rules["SklearnKserveLatencyBudgetBurn"]["expr"].count("14.4 * (1 - 0.95)") == 2
    assert rules["SklearnKserveModelOld"]["expr"].endswith("/ 86400 > 7")
    assert rules["SklearnKserveCanaryStuck"]["for"] == "6h"
    assert not [fault for rule in rules.values() for fault in faults(rule["expr"], exported() | recorded())]


def test_alerts_lead_to_the_runbook_where_it_is() -> None:
    found = watched(runbook="https://example.com/runbook")
    assert all(
        rule["annotations"]["runbook_url"] == f"https://example.com/runbook#{name.lower()}"
        for name, rule in found.items()
    )


def test_an_alert_that_is_not_wanted_is_left_out() -> None:
    assert alerts().keys() - watched(disabledAlerts=["SklearnKserveAbsent"]).keys() == {"SklearnKserveAbsent"}


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_grafana_is_given_the_dashboards_as_they_are(path: Any) -> None:
    found = of_kind("ConfigMap", {"monitoring": {"dashboards": True}})[f"demo-sklearn-kserve-{path.stem}"]
    assert found["data"] == {f"sklearn-kserve-{path.stem}.json": path.read_text().rstrip("\n")}
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"


@pytest.mark.parametrize("case", ["monitoring", "monitoring-keys"])
def test_every_pod_of_the_release_is_scraped_where_it_has_its_metrics(case: str) -> None:
    values = values_of(case)
    (monitor,) = of_kind("PodMonitor", values).values()
    assert monitor["spec"]["selector"].keys() == {"matchLabels"}
    for name in of_kind("InferenceService", values):
        assert monitor["spec"]["selector"]["matchLabels"].items() <= predictor(values, name)["labels"].items()
        ports = {port["name"]: port["containerPort"] for port in container(values, name)["ports"]}
        assert ports[endpoint(values)["port"]] == 8080


def test_the_job_that_the_rules_are_about_is_the_one_that_scrapes() -> None:
    # The operator names the job by namespace and name of the PodMonitor, where no jobLabel says otherwise.
    (monitor,) = of_kind("PodMonitor", {"monitoring": {"podMonitor": True}}).values()
    assert "jobLabel" not in monitor["spec"]
    job = f"{monitor['metadata']['namespace']}/{monitor['metadata']['name']}"
    assert set(re.findall(r'job=\\"(.*?)\\"', json.dumps(rendered()))) == {job}


def test_a_pod_is_known_as_stable_or_canary() -> None:
    values = values_of("monitoring")
    assert set(of_kind("InferenceService", values)) == {"iris", "iris-canary"}
    assert labelled(values, "iris-predictor-5d9-x")["track"] == "stable"
    assert labelled(values, "iris-canary-predictor-5d9-x")["track"] == "canary"


def test_a_canary_by_kserve_is_known_by_the_name_that_kserve_gives_it() -> None:
    values = {**values_of("canary-native"), "monitoring": {"podMonitor": True}}
    (service,) = of_kind("InferenceService", values).values()
    (canary,) = service["spec"]["canary"]
    pod = f"{service['metadata']['name']}-{canary['predictor']['name']}-predictor-5d9-x"
    assert labelled(values, pod)["track"] == "canary"


def test_a_model_whose_name_ends_like_a_canary_s_is_stable() -> None:
    values = {"models": [{"name": "bird-canary", "path": "/srv"}], "monitoring": {"podMonitor": True}}
    assert labelled(values, "bird-canary-predictor-5d9-x")["track"] == "stable"


def test_a_server_that_is_not_ours_is_not_scraped() -> None:
    values = {**values_of("other-runtimes"), "monitoring": {"podMonitor": True}}
    (monitor,) = of_kind("PodMonitor", values).values()
    (named,) = monitor["spec"]["selector"]["matchExpressions"]
    assert (named["key"], named["operator"]) == ("serving.kserve.io/inferenceservice", "NotIn")
    assert {*named["values"]} == of_kind("InferenceService", values).keys() - {"penguins"}


def test_knative_names_the_port_by_its_own_custom() -> None:
    assert endpoint({"mode": "Knative", "monitoring": {"podMonitor": True}})["port"] == "user-port"


def test_behind_a_sidecar_the_merged_metrics_are_read() -> None:
    values = {**values_of("auth"), "monitoring": {"podMonitor": True}}
    assert endpoint(values)["path"] == "/stats/prometheus"
    assert labelled(values, "iris-predictor-5d9-x")["__address__"] == "[fd00::1]:15020"
    assert predictor(values, "iris")["annotations"]["prometheus.io/path"] == "/metrics"
    (policy,) = of_kind("NetworkPolicy", values).values()
    assert [{"port": 15020, "protocol": "TCP"}] in [rule["ports"] for rule in policy["spec"]["ingress"]]


def test_where_the_server_asks_for_keys_prometheus_has_one() -> None:
    credentials = {"name": "metrics-key", "key": "key"}
    assert endpoint(values_of("monitoring-keys"))["authorization"] == {"credentials": credentials}


def test_what_keda_asks_prometheus_is_there_once_the_pods_are_scraped() -> None:
    # The operator labels what a PodMonitor scrapes with the pod and its namespace.
    known = {name: labels | {"namespace", "pod"} for name, labels in exported().items()}
    (scaled, *_) = of_kind("ScaledObject", values_of("keda")).values()
    queries = [each["metadata"]["query"] for each in scaled["spec"]["triggers"] if each["type"] == "prometheus"]
    assert queries
    assert not [fault for query in queries for fault in faults(query, known)]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"apiKeys": {"secret": "api-keys"}, "monitoring": {"podMonitor": True}}, "would be answered with 401"),
        (
            {**values_of("auth"), "apiKeys": {"secret": "api-keys"}, "monitoring": {"podMonitor": True}},
            "would see the sidecars' metrics alone",
        ),
        ({"monitoring": {"rules": True, "disabledAlerts": ["SklearnKserveX"]}}, "names 'SklearnKserveX'"),
        (
            {"models": values_of("other-runtimes")["models"][1:], "monitoring": {"rules": True}},
            "every model of this release is served by another's runtime",
        ),
        ({"monitoring": {"latencySeconds": 0.2}}, "/monitoring/latencySeconds"),
        # The shortest window is five minutes, and a rate needs several scrapes.
        ({"monitoring": {"intervalSeconds": 120}}, "/monitoring/intervalSeconds"),
        ({"monitoring": {"availability": 0.9}}, "/monitoring/availability"),
    ],
)
def test_what_would_watch_nothing_is_refused(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(HelmError, match=re.escape(sentence)):
        files(values)


def test_the_notes_say_how_to_have_it_watched_until_it_is() -> None:
    assert "--set monitoring.rules=true" in files()["NOTES.txt"]
    assert "monitoring.rules" not in files(values_of("monitoring"))["NOTES.txt"]
