"""What the chart renders: valid, hardened, and as the server means it."""

import json
import math
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

import model
from model.server import STOP_WITHIN_SECONDS
from model.settings import Settings
from tests.deploy.matrix import put
from tests.deploy.rendering import (
    CASES,
    CHART,
    ROOT,
    container,
    faults,
    files,
    objects,
    of_kind,
    pods,
    predictor,
    values_of,
)

IMAGE_ENVIRONMENT = {"SKLEARN_KSERVE_HOST": "0.0.0.0", "SKLEARN_KSERVE_ALLOW_UNAUTHENTICATED": "true"}
STORED = {"models": [{"name": "iris", "storageUri": "s3://models/iris"}]}


# --- every rendering


@pytest.mark.parametrize("case", CASES)
def test_every_object_is_what_the_cluster_takes(case: str) -> None:
    assert {f"{each['kind']}/{each['metadata']['name']}": faults(each) for each in objects(values_of(case))} == {
        f"{each['kind']}/{each['metadata']['name']}": [] for each in objects(values_of(case))
    }


@pytest.mark.parametrize(
    ("where", "wrong"),
    [
        (("spec", "predictor", "containers", 0, "imagee"), "x"),
        (("spec", "predictor", "minReplicas"), "one"),
        (("spec", "predictor", "topologySpreadConstrains"), []),
        (("spec", "typo"), {}),
    ],
)
def test_the_schemas_would_find_a_fault(where: tuple[Any, ...], wrong: Any) -> None:
    (found,) = of_kind("InferenceService").values()
    inner = found
    for name in where[:-1]:
        inner = inner[name]
    inner[where[-1]] = wrong
    assert faults(found)


@pytest.mark.parametrize("case", CASES)
def test_no_two_objects_have_one_name(case: str) -> None:
    names = [(each["kind"], each["metadata"]["name"]) for each in objects(values_of(case))]
    assert len(set(names)) == len(names)


def gateway_namespace(case: str) -> str:
    """Return where the Gateway is, which policies reach from its own namespace alone."""
    namespace: str = values_of(case).get("route", {}).get("gatewayNamespace", "kserve")
    return namespace


@pytest.mark.parametrize("case", CASES)
def test_every_object_is_the_releases_and_in_its_namespace(case: str) -> None:
    for each in objects(values_of(case)):
        labels = each["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == "demo"
        assert labels["app.kubernetes.io/name"] == "sklearn-kserve"
        at_gateway = "targetRefs" in each.get("spec", {})
        place = gateway_namespace(case) if at_gateway else None if each["kind"].startswith("Cluster") else "ml"
        assert each["metadata"].get("namespace") == place


@pytest.mark.parametrize("case", CASES)
def test_every_pod_fits_pod_security_restricted(case: str) -> None:
    described = pods(objects(values_of(case)))
    assert described
    for pod in described.values():
        assert pod["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        for each in pod["containers"]:
            context = each["securityContext"]
            assert context["runAsNonRoot"] is True
            assert context["runAsUser"] > 10_000
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert context["seccompProfile"] == {"type": "RuntimeDefault"}
            assert {"cpu", "memory", "ephemeral-storage"} >= set(each["resources"]["limits"]) >= {"cpu", "memory"}
        for volume in pod.get("volumes", []):
            assert set(volume) - {"name"} <= {"configMap", "secret", "emptyDir", "persistentVolumeClaim"}
            assert "sizeLimit" in volume.get("emptyDir", {"sizeLimit": ""})


@pytest.mark.parametrize("case", CASES)
def test_the_server_takes_the_flags_that_it_is_given(case: str, tmp_path: Path) -> None:
    keys = {"keys.json": '{"keys": []}'}
    for name in ("release.pem", "next.pem", "keys.json"):
        for directory in ("verify-keys", "api-keys"):
            (tmp_path / directory).mkdir(exist_ok=True)
            (tmp_path / directory / name).write_text(keys.get(name, ""))
    served = {"InferenceService", "ServingRuntime", "ClusterServingRuntime"}
    for pod in pods([each for each in objects(values_of(case)) if each["kind"] in served]).values():
        arguments = [each.replace("/etc/sklearn-kserve", str(tmp_path)) for each in pod["containers"][0]["args"]]
        settings = Settings.from_sources(arguments, IMAGE_ENVIRONMENT)
        assert settings.require_manifest
        assert settings.http_port == 8080
        assert settings.ignored == ()


# --- the server's container


def test_without_values_the_model_of_the_image_is_served() -> None:
    assert "COPY --from=example /models /models" in (ROOT / "Dockerfile").read_text()
    trained = yaml.safe_load((ROOT / "examples" / "penguins.yaml").read_text())["name"]
    arguments = container()["args"]
    assert f"--model_dir=/models/{trained}" in arguments
    assert f"--model_name={trained}" in arguments
    assert [each["name"] for each in container()["env"]] == ["PROTOCOL"]


def test_the_chart_serves_by_the_image_of_its_own_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == model.__version__
    assert container()["image"].endswith(f":{model.__version__}")


def test_a_model_from_a_store_is_fetched_by_kserve() -> None:
    found = container(STORED, "iris")
    assert "--model_dir=/mnt/models" in found["args"]
    assert {"name": "STORAGE_URI", "value": "s3://models/iris"} in found["env"]


def test_numbers_stay_as_they_are_written() -> None:
    values = {"settings": {"max_request_bytes": 33554432, "drain_seconds": 2.5}}
    assert {"--max_request_bytes=33554432", "--drain_seconds=2.5"} <= set(container(values)["args"])


def test_a_models_setting_goes_before_the_common_one_even_if_it_is_false_or_zero() -> None:
    own = {"require_manifest": False, "watch_seconds": 0}
    values = {"settings": {"watch_seconds": 5}, "models": [{"name": "iris", "settings": own}]}
    assert {"--require_manifest=false", "--watch_seconds=0"} <= set(container(values, "iris")["args"])


@pytest.mark.parametrize("drain_seconds", [0, 0.5, 8, 26, 27.5, 60])
def test_the_grace_period_outlasts_the_servers_end(drain_seconds: float) -> None:
    ends_within = max(STOP_WITHIN_SECONDS, math.ceil(drain_seconds) + 3)
    grace = predictor({"settings": {"drain_seconds": drain_seconds}})["terminationGracePeriodSeconds"]
    assert ends_within + 5 <= grace <= ends_within + 6


def test_probes_ask_what_the_server_answers() -> None:
    found = container()
    assert found["startupProbe"]["httpGet"] == {"path": "/v2/health/ready", "port": 8080}
    assert found["readinessProbe"]["httpGet"] == {"path": "/v2/health/ready", "port": 8080}
    assert found["livenessProbe"]["httpGet"] == {"path": "/v2/health/live", "port": 8080}
    assert found["startupProbe"]["periodSeconds"] * found["startupProbe"]["failureThreshold"] == 300


def test_rest_comes_first_and_grpc_has_a_name_that_means_http2() -> None:
    assert [(port["name"], port["containerPort"]) for port in container()["ports"]] == [("http", 8080), ("grpc", 8081)]
    knative = {"mode": "Knative", **STORED}
    assert [port["name"] for port in container(knative, "iris")["ports"]] == ["http1"]


def test_a_large_user_number_stays_a_number() -> None:
    assert predictor({"pod": {"user": 1000700000}})["securityContext"]["runAsUser"] == 1000700000


def test_a_digest_goes_before_a_tag() -> None:
    digest = "sha256:" + "0" * 64
    assert container({"image": {"tag": "2", "digest": digest}})["image"].endswith(f"sklearn-kserve@{digest}")
    assert container({"image": {"tag": "2"}})["image"].endswith("sklearn-kserve:2")


def test_secrets_come_as_whole_directories_so_that_they_are_renewed() -> None:
    mounts = container(values_of("keys"))["volumeMounts"]
    assert {each["mountPath"] for each in mounts if "keys" in each["name"]} == {
        "/etc/sklearn-kserve/verify-keys",
        "/etc/sklearn-kserve/api-keys",
    }
    assert [each for each in mounts if "subPath" in each] == []


# --- around it


def test_a_rollout_brings_a_pod_before_it_takes_one() -> None:
    assert predictor()["deploymentStrategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_each_model_is_counted_and_spread_for_itself() -> None:
    values = {"models": [{"name": "iris"}, {"name": "churn", "replicas": 3}]}
    budgets = of_kind("PodDisruptionBudget", values)
    for name, replicas in (("iris", 1), ("churn", 3)):
        mine = {"app": f"isvc.{name}-predictor"}
        assert predictor(values, name)["minReplicas"] == replicas
        assert budgets[name]["spec"]["selector"]["matchLabels"] == mine
        spread = predictor(values, name)["topologySpreadConstraints"]
        assert [each["labelSelector"]["matchLabels"] for each in spread] == [mine, mine]


def test_knative_may_scale_a_model_to_zero() -> None:
    assert predictor(values_of("knative"), "iris")["minReplicas"] == 0
    values = {"mode": "Knative", "replicas": 2, "models": [{"name": "a"}, {"name": "b", "replicas": 0}]}
    assert [predictor(values, name)["minReplicas"] for name in "ab"] == [2, 0]


@pytest.mark.parametrize(
    ("kind", "off"),
    [
        ("ServiceAccount", {"serviceAccount": {"create": False}}),
        ("PodDisruptionBudget", {"podDisruptionBudget": {"enabled": False}}),
        ("PodDisruptionBudget", {"mode": "Knative"}),
        ("NetworkPolicy", {"networkPolicy": {"enabled": False}}),
    ],
)
def test_should_not_render_when_disabled(kind: str, off: dict[str, Any]) -> None:
    assert of_kind(kind)
    assert of_kind(kind, off) == {}


def ports(rule: dict[str, Any]) -> set[int]:
    return {port["port"] for port in rule["ports"]}


def test_the_network_is_closed_but_for_what_is_named() -> None:
    (policy,) = of_kind("NetworkPolicy").values()
    spec = policy["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["podSelector"]["matchLabels"].items() <= predictor()["labels"].items()
    assert [ports(rule) for rule in spec["ingress"]] == [{8080, 8081}, {8080}]
    assert [ports(rule) for rule in spec["egress"]] == [{53}]
    assert all(rule["from"] for rule in spec["ingress"])


@pytest.mark.parametrize(
    ("uri", "out"),
    [
        ("s3://models/iris", [{53}, {443}]),
        ("https://models.example.com/iris.tar.gz", [{53}, {443}]),
        ("pvc://models/iris", [{53}]),
        ("oci://registry.example.com/iris:1", [{53}]),
    ],
)
def test_only_a_model_from_a_store_is_let_out_to_it(uri: str, out: list[set[int]]) -> None:
    (policy,) = of_kind("NetworkPolicy", {"models": [{"name": "iris", "storageUri": uri}]}).values()
    assert [ports(rule) for rule in policy["spec"]["egress"]] == out


def test_the_test_pods_may_call_the_servers() -> None:
    (policy,) = of_kind("NetworkPolicy").values()
    peers = [
        peer["podSelector"]["matchLabels"] for peer in policy["spec"]["ingress"][0]["from"] if "podSelector" in peer
    ]
    for pod in of_kind("Pod").values():
        assert any(peer.items() <= pod["metadata"]["labels"].items() for peer in peers)


def test_a_new_chart_version_does_not_restart_pods() -> None:
    (service,) = of_kind("InferenceService").values()
    assert not {"helm.sh/chart", "app.kubernetes.io/version"} & set(service["metadata"]["labels"])


# --- notes

FILLED_IN = {
    "URI": "s3://models/next",
    "DOMAIN": "models.example.com",
    "ISSUER": "https://login.example.com",
    "SECRET": "metrics-key",
}


def test_the_notes_ask_the_model_that_is_served() -> None:
    notes = files()["NOTES.txt"]
    row = notes.split("curl localhost:8080/predict/penguins -d '")[1].split("'\n")[0]
    assert json.loads(row)["island"] == "Dream"
    ready = """'{.status.conditions[?(@.type=="Ready")].status}'=True"""
    assert f"kubectl --namespace ml wait --for=jsonpath={ready} --timeout=10m inferenceservice/penguins\n" in notes
    assert "WARNING" not in notes


@pytest.mark.parametrize("case", [*CASES, "others"])
def test_what_the_notes_say_to_turn_on_can_be_turned_on(case: str) -> None:
    given = {"models": values_of("other-runtimes")["models"][1:]} if case == "others" else values_of(case)
    commands = re.findall(r"^  helm upgrade .*", files(given)["NOTES.txt"], re.MULTILINE)
    for command in commands:
        values = given
        words = shlex.split(re.sub(r"(?<==)[A-Z]+\b", lambda name: FILLED_IN[name[0]], command), comments=True)
        for assignments in [words[at + 1] for at, word in enumerate(words) if word.startswith("--set")]:
            # `a.b=c,d.e=f`, or one `a[0].b={c,d}`.
            for each in [assignments] if "{" in assignments else assignments.split(","):
                path, _, value = each.partition("=")
                if "[0]." in path:
                    path, _, field = path.partition("[0].")
                    values = put(values, path, [{field: value.strip("{}").split(",")}])
                else:
                    values = put(values, path, yaml.safe_load(value) if value.isalnum() else value)
        assert objects(values)
    assert any("restarted" in command for command in commands)


def test_the_notes_say_how_to_turn_on_whatever_is_off() -> None:
    notes = files()["NOTES.txt"]
    assert [
        name
        for name in ("auth.enabled", "canary.enabled", "autoscaling.class", "monitoring.rules", "monitoring.podMonitor")
        if not re.search(rf"--set (\S+,)?{name}=", notes)
    ] == []


def test_the_notes_warn_of_requests_that_a_rollout_would_cut() -> None:
    notes = files({"settings": {"request_timeout_seconds": 60}})["NOTES.txt"]
    assert (
        "a rollout cuts requests that take longer than\n20 s, and settings.request_timeout_seconds allows 60 s" in notes
    )


def test_the_notes_speak_of_keys_where_there_are_keys() -> None:
    notes = files(values_of("keys"))["NOTES.txt"]
    assert '-H "Authorization: Bearer $KEY"' in notes
    assert "Nothing asks callers" not in notes
