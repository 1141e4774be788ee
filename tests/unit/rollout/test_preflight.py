"""What `python -m rollout preflight` says of a cluster, over HTTP and by the real client."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rollout.cli import main
from tests.deploy import rendering
from tests.tools import built
from tests.unit.rollout.apiserver import ApiServer
from tests.unit.rollout.conftest import Preflight, kubeconfig

ROUTE = {"route": {"enabled": True}}
GATEWAY = "/apis/gateway.networking.k8s.io/v1/namespaces/kserve/gateways/kserve-ingress-gateway"
CONTROLLER = "/apis/apps/v1/namespaces/kserve/deployments/kserve-controller-manager"


def of_kserve(cluster: ApiServer) -> dict[str, str]:
    data: dict[str, str] = cluster.objects["/api/v1/namespaces/kserve/configmaps/inferenceservice-config"]["data"]
    return data


def settle(cluster: ApiServer, part: str, **changes: Any) -> None:
    """Change a part of KServe's ConfigMap."""
    data = of_kserve(cluster)
    data[part] = json.dumps({**json.loads(data[part]), **changes})


# --- the whole


def test_a_cluster_with_all_that_the_values_need_is_fine(preflight: Preflight) -> None:
    done = preflight()
    assert (done.code, done.err) == (0, "")
    assert {each["status"] for each in done.findings} == {"ok"}
    assert {"cluster", "kinds", "kserve", "gateway", "namespace", "permissions", "admission"} == {
        each["check"] for each in done.findings
    }


@pytest.mark.parametrize("case", list(rendering.CASES))
def test_no_case_of_the_chart_lacks_more_than_what_its_values_name(
    preflight: Preflight, cluster: ApiServer, case: str
) -> None:
    done = preflight(case)
    assert done.messages("unknown") == []
    named = [each["message"] for each in done.findings if each["status"] == "missing" and each["check"] != "references"]
    assert named == []


def test_nothing_is_written(preflight: Preflight, cluster: ApiServer) -> None:
    preflight("auth")
    reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert {method for method, path, _ in cluster.asked if path != reviews} == {"GET", "PATCH"}  # all dry runs


def test_the_report_for_people_says_what_is_missing_and_sums_up(preflight: Preflight, cluster: ApiServer) -> None:
    cluster.remove("gateway.networking.k8s.io")
    done = preflight(ROUTE, output="text")
    assert done.code == 1
    (line,) = [line for line in done.out.splitlines() if line.startswith("MISSING")]
    assert line.split()[1] == "kinds"
    assert "no HTTPRoute in gateway.networking.k8s.io/v1; install the Gateway API's CRDs" in line
    assert done.out.splitlines()[-1] == "ml: 1 missing."


def test_what_could_not_be_checked_is_exit_code_2(preflight: Preflight, cluster: ApiServer) -> None:
    cluster.forbidden.add("/api/v1/namespaces/kserve")
    done = preflight()
    assert done.code == 2
    assert all("ask someone who may look there" in each for each in done.messages("unknown"))
    assert len(done.messages("unknown", "kserve")) == 1


def test_missing_comes_before_unchecked(preflight: Preflight, cluster: ApiServer) -> None:
    cluster.forbidden.add("/api/v1/namespaces/kserve")
    cluster.denied.add(("create", "inferenceservices"))
    assert preflight().code == 1


# --- the API server


def test_an_old_cluster(preflight: Preflight, cluster: ApiServer) -> None:
    cluster.version = "v1.28.9"
    assert "1.29 or newer" in preflight().only("missing", "cluster")


def test_the_oldest_kubernetes_is_the_chart_s() -> None:
    from rollout.preflight.api import MINIMUM

    chart = (rendering.CHART / "Chart.yaml").read_text()
    assert f'kubeVersion: ">={MINIMUM[0]}.{MINIMUM[1]}.0-0"' in chart


def test_a_kind_that_is_served_in_other_versions_alone(preflight: Preflight, cluster: ApiServer) -> None:
    cluster.discovery["/apis/gateway.networking.k8s.io/v1alpha2"] = {"resources": []}
    del (
        cluster.discovery["/apis/gateway.networking.k8s.io/v1"],
        cluster.discovery["/apis/gateway.networking.k8s.io/v1beta1"],
    )
    assert "(it serves v1alpha2)" in preflight(ROUTE).only("missing", "kinds")


def test_every_group_of_the_chart_has_a_word_on_what_brings_it() -> None:
    from rollout.preflight.api import PROVIDERS

    every = {
        each["apiVersion"].rpartition("/")[0]
        for case in rendering.CASES
        for each in rendering.objects(rendering.values_of(case))
    }
    assert {group for group in every if "." in group and not group.endswith("networking.k8s.io")} <= PROVIDERS.keys()


def test_mode_knative_needs_knative(preflight: Preflight, cluster: ApiServer) -> None:
    cluster.remove("serving.knative.dev")
    assert "install Knative Serving" in preflight("knative").only("missing", "kinds")


def test_permissions_name_the_verbs_the_kind_and_the_namespace(preflight: Preflight, cluster: ApiServer) -> None:
    cluster.denied |= {("create", "inferenceservices"), ("delete", "inferenceservices")}
    message = preflight().only("missing", "permissions")
    assert message.startswith("You may not create, delete inferenceservices.serving.kserve.io in namespace ml;")


def test_a_kind_of_the_cluster_is_asked_about_in_the_cluster(preflight: Preflight, cluster: ApiServer) -> None:
    cluster.denied.add(("create", "clusterservingruntimes"))
    message = preflight("runtime-cluster").only("missing", "permissions")
    assert "clusterservingruntimes.serving.kserve.io in the cluster" in message


@pytest.mark.parametrize("status", [400, 403])  # KServe's own webhooks answer 403
def test_what_admission_refuses_is_said_in_its_words(preflight: Preflight, cluster: ApiServer, status: int) -> None:
    cluster.refused["InferenceService"] = (status, 'admission webhook "inferenceservice.kserve" denied the request: no')
    message = preflight().only("missing", "admission")
    assert (
        message
        == 'InferenceService penguins would be refused: admission webhook "inferenceservice.kserve" denied the request: no.'
    )


def test_what_only_the_dry_run_says_of_the_callers_rights_is_no_refusal_of_the_object(
    preflight: Preflight, cluster: ApiServer
) -> None:
    cluster.refused["InferenceService"] = (403, 'inferenceservices is forbidden: User "dev" cannot create resource')
    assert 'User "dev" cannot create resource' in preflight().only("unknown", "admission")


def test_what_the_caller_may_not_write_is_not_tried(preflight: Preflight, cluster: ApiServer) -> None:
    cluster.denied.add(("patch", "inferenceservices"))
    done = preflight()
    assert not [path for method, path, _ in cluster.asked if method == "PATCH" and "inferenceservices" in path]
    assert "1 of 4 objects could not be tried" in done.only("warning", "admission")


def test_who_may_not_look_at_the_namespace_still_has_the_dry_run(preflight: Preflight, cluster: ApiServer) -> None:
    cluster.forbidden.add("/api/v1/namespaces/ml")
    done = preflight()
    assert done.only("ok", "admission") == "A dry run of 4 objects is accepted."
    assert done.code == 2


def test_a_cluster_that_is_too_old_for_the_chart_is_checked_for_all_the_rest(
    helm: Path, address: str, cluster: ApiServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kubeconfig").write_text(kubeconfig(address))
    cluster.version = "v1.28.9-gke.1"
    assert main(["preflight", "--kubeconfig", str(tmp_path / "kubeconfig")]) == 1
    assert json.loads(helm.read_text())[5:7] == ["--kube-version", "1.29.0"]
    assert "A dry run of 4 objects is accepted." in capsys.readouterr().out


# --- KServe


def test_a_controller_without_a_pod(preflight: Preflight, cluster: ApiServer) -> None:
    cluster.objects[CONTROLLER]["status"] = {}
    assert "no available pod" in preflight().only("missing", "kserve")


@pytest.mark.parametrize(
    ("case", "image", "lacking"),
    [
        ("default", "kserve/kserve-controller:v0.16.3", "0.17 or newer is needed; upgrade"),
        ("default", "registry:5000/kserve-controller:v0.17.0@sha256:0", None),
        ("canary-native", "kserve/kserve-controller:v0.20.0", "0.21 or newer is needed for canary.method native"),
        ("canary-native", "kserve/kserve-controller:v0.21.0", None),
    ],
)
def test_kserve_s_version(preflight: Preflight, cluster: ApiServer, case: str, image: str, lacking: str | None) -> None:
    cluster.objects[CONTROLLER]["spec"]["template"]["spec"]["containers"][0]["image"] = image
    found = preflight(case).messages("missing", "kserve")
    assert [lacking in each for each in found] == [True] if lacking else found == []


def test_a_version_that_can_t_be_told_is_no_error(preflight: Preflight, cluster: ApiServer) -> None:
    cluster.objects[CONTROLLER]["spec"]["template"]["spec"]["containers"][0]["image"] = "controller@sha256:0"
    assert "can't be told" in preflight().only("warning", "kserve")


def test_kserve_elsewhere(preflight: Preflight, cluster: ApiServer) -> None:
    assert "--kserve-namespace" in preflight(None, "--kserve-namespace", "elsewhere").only("missing", "kserve")


def test_a_native_canary_needs_the_gateway_api_in_kserve(preflight: Preflight, cluster: ApiServer) -> None:
    settle(cluster, "ingress", enableGatewayApi=False)
    assert "turn it on, or use canary.method route" in preflight("canary-native").only("missing", "kserve")
    assert "by Ingress" in preflight().only("warning", "kserve")
    assert preflight("canary").messages("warning", "kserve") == []  # the release routes for itself


def test_kserve_without_routes(preflight: Preflight, cluster: ApiServer) -> None:
    settle(cluster, "ingress", disableIngressCreation=True)
    assert "turn route.enabled on" in preflight().only("warning", "kserve")


def test_the_default_mode_matters_to_those_who_use_the_runtime(preflight: Preflight, cluster: ApiServer) -> None:
    settle(cluster, "deploy", defaultDeploymentMode="Knative")
    assert "deploymentMode: Standard" in preflight("runtime").only("warning", "kserve")
    assert "default mode is Knative" in preflight().messages("ok", "kserve")[-1]


# --- gateways


def test_a_gateway_that_is_not_there(preflight: Preflight, cluster: ApiServer) -> None:
    del cluster.objects[GATEWAY]
    for values in (None, ROUTE):  # KServe's own, and the release's
        assert "kserve/kserve-ingress-gateway is not there" in preflight(values).only("missing", "gateway")


def test_a_gateway_that_is_not_programmed(preflight: Preflight, cluster: ApiServer) -> None:
    condition = {"type": "Programmed", "status": "False", "message": "no address."}
    cluster.objects[GATEWAY]["status"] = {"conditions": [condition]}
    assert "not programmed, so nothing listens: no address;" in preflight().only("missing", "gateway")


@pytest.mark.parametrize(
    ("allowed", "taken"),
    [
        ({"namespaces": {"from": "All"}}, True),
        ({"namespaces": {"from": "Same"}}, False),
        ({"namespaces": {"from": "None"}}, False),
        (None, False),
        (
            {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"kubernetes.io/metadata.name": "ml"}}}},
            True,
        ),
        ({"namespaces": {"from": "Selector", "selector": {"matchLabels": {"team": "other"}}}}, False),
        ({"namespaces": {"from": "All"}, "kinds": [{"kind": "TCPRoute"}]}, False),
        ({"namespaces": {"from": "All"}, "kinds": [{"kind": "HTTPRoute"}]}, True),
    ],
)
def test_routes_from_the_namespace(
    preflight: Preflight, cluster: ApiServer, allowed: dict[str, Any] | None, *, taken: bool
) -> None:
    cluster.objects[GATEWAY]["spec"]["listeners"] = [{"name": "http", "allowedRoutes": allowed}]
    found = preflight().messages("missing", "gateway")
    assert found == [] if taken else ["takes no routes from namespace ml" in each for each in found] == [True]


@pytest.mark.parametrize(
    ("hostname", "taken"),
    [("*.example.com", True), ("penguins-ml.example.com", True), ("*.example.org", False), ("example.com", False)],
)
def test_the_routes_host_and_the_listener_s(
    preflight: Preflight, cluster: ApiServer, hostname: str, *, taken: bool
) -> None:
    listener = {"name": "http", "hostname": hostname, "allowedRoutes": {"namespaces": {"from": "All"}}}
    cluster.objects[GATEWAY]["spec"]["listeners"] = [listener]
    found = preflight(ROUTE).messages("missing", "gateway")
    assert found == [] if taken else ["no listener for the host" in each for each in found] == [True]


def test_policies_on_a_gateway_that_is_not_istio_s(preflight: Preflight, cluster: ApiServer) -> None:
    cluster.objects["/apis/gateway.networking.k8s.io/v1/gatewayclasses/istio"]["spec"]["controllerName"] = "envoy"
    assert "AuthorizationPolicy and EnvoyFilter and RequestAuthentication would be heeded by nobody" in preflight(
        "auth-gateway"
    ).only("missing", "gateway")
    assert preflight("canary").messages("missing", "gateway") == []


def test_limits_on_a_gateway_that_is_not_istio_s(preflight: Preflight, cluster: ApiServer) -> None:
    cluster.objects["/apis/gateway.networking.k8s.io/v1/gatewayclasses/istio"]["spec"]["controllerName"] = "envoy"
    limited = {"rateLimit": {"requestsPerSecond": 5}}
    assert "the release's EnvoyFilter would be heeded by nobody" in preflight(limited).only("missing", "gateway")


# --- the mesh


def test_sidecars_that_nobody_injects(preflight: Preflight, cluster: ApiServer) -> None:
    del cluster.objects["/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/istio-sidecar-injector"]
    assert "install istiod" in preflight("auth").only("missing", "mesh")
    assert preflight("auth-gateway").messages("missing", "mesh") == []


def test_a_namespace_that_refuses_sidecars(preflight: Preflight, cluster: ApiServer) -> None:
    cluster.objects["/api/v1/namespaces/ml"]["metadata"]["labels"]["istio-injection"] = "disabled"
    assert "take the label away" in preflight("auth").only("missing", "mesh")


@pytest.mark.parametrize(
    ("level", "status"), [("restricted", "missing"), ("baseline", "missing"), ("privileged", "warning")]
)
def test_sidecars_without_istio_cni(preflight: Preflight, cluster: ApiServer, level: str, status: str) -> None:
    del cluster.objects["/apis/apps/v1/namespaces/istio-system/daemonsets/istio-cni-node"]
    cluster.objects["/api/v1/namespaces/ml"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = level
    assert "install istio-cni" in preflight("auth").only(status, "mesh")


# --- scaling


@pytest.mark.parametrize(
    ("case", "group", "advice"),
    [
        ("hpa", "metrics.k8s.io", "install metrics-server"),
        ("external", "metrics.k8s.io", "install metrics-server"),
        ("external", "custom.metrics.k8s.io", "autoscaling.class keda"),
        ("keda", "external.metrics.k8s.io", "KEDA's metrics server"),
    ],
)
def test_metrics_that_nobody_serves(
    preflight: Preflight, cluster: ApiServer, case: str, group: str, advice: str
) -> None:
    path = f"/apis/{group}/v1beta1"
    cluster.broken.add(path)
    assert "does not answer" in preflight(case).only("missing", "scaling")
    del cluster.discovery[path]
    assert advice in preflight(case).only("missing", "scaling")


def test_a_release_that_is_not_scaled_needs_no_metrics(preflight: Preflight, cluster: ApiServer) -> None:
    cluster.remove("metrics.k8s.io")
    assert preflight().messages("missing") == []


def test_keda_s_prometheus(preflight: Preflight, cluster: ApiServer) -> None:
    del cluster.objects["/api/v1/namespaces/monitoring/services/prometheus-operated"]
    assert "no Service prometheus-operated in monitoring" in preflight("keda").only("missing", "scaling")


# --- monitoring


def test_a_podmonitor_that_no_prometheus_selects(preflight: Preflight, cluster: ApiServer) -> None:
    path = "/apis/monitoring.coreos.com/v1/namespaces/monitoring/prometheuses/main"
    cluster.objects[path]["spec"]["podMonitorSelector"] = {"matchLabels": {"release": "other"}}
    assert "give it the labels of podMonitorSelector" in preflight("monitoring").only("missing", "monitoring")
    cluster.objects[path]["spec"] |= {"podMonitorSelector": {}, "podMonitorNamespaceSelector": None}
    assert len(preflight("monitoring").messages("missing", "monitoring")) == 1  # its own namespace alone


# --- the namespace


def test_a_namespace_that_is_not_there(preflight: Preflight, cluster: ApiServer) -> None:
    del cluster.objects["/api/v1/namespaces/ml"]
    done = preflight()
    assert "--create-namespace" in done.only("warning", "namespace")
    assert "could not be tried" in done.only("warning", "admission")
    cluster.denied.add(("create", "namespaces"))
    assert "you may not create it" in preflight().only("missing", "namespace")


def test_a_namespace_that_ends(preflight: Preflight, cluster: ApiServer) -> None:
    cluster.objects["/api/v1/namespaces/ml"]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert "being deleted" in preflight().only("missing", "namespace")


def test_a_namespace_without_pod_security(preflight: Preflight, cluster: ApiServer) -> None:
    cluster.objects["/api/v1/namespaces/ml"]["metadata"]["labels"] = {}
    assert "kubectl label namespace ml" in preflight().only("warning", "namespace")


@pytest.mark.parametrize(
    ("resource", "status", "needed"),
    [
        ("pods", {"hard": "4", "used": "3"}, "3"),
        ("requests.cpu", {"hard": "2", "used": "600m"}, "1.5"),
        ("cpu", {"hard": "1400m"}, "1.5"),
        ("limits.memory", {"hard": "3Gi", "used": "1Mi"}, "3221225472"),
    ],
)
def test_a_quota_that_is_too_small(
    preflight: Preflight, cluster: ApiServer, resource: str, status: dict[str, str], needed: str
) -> None:
    path = "/api/v1/namespaces/ml/resourcequotas/small"
    quota = cluster.add(path, spec={}, status={key: {resource: amount} for key, amount in status.items()})
    assert f"need {needed}; raise it" in preflight({"replicas": 3}).only("missing", "namespace")
    quota["status"]["used"] = {}
    quota["status"]["hard"] = {resource: "100Gi"}
    assert preflight({"replicas": 3}).code == 0


def test_a_quota_is_not_asked_twice_for_a_model_that_runs(preflight: Preflight, cluster: ApiServer) -> None:
    cluster.add(
        "/api/v1/namespaces/ml/resourcequotas/full", spec={}, status={"hard": {"pods": "1"}, "used": {"pods": "1"}}
    )
    cluster.add("/apis/serving.kserve.io/v1beta1/namespaces/ml/inferenceservices/penguins")
    assert preflight().code == 0


def test_a_quota_of_some_pods_is_left_to_the_reader(preflight: Preflight, cluster: ApiServer) -> None:
    cluster.add(
        "/api/v1/namespaces/ml/resourcequotas/some", spec={"scopes": ["BestEffort"]}, status={"hard": {"pods": "0"}}
    )
    assert preflight().code == 2


# --- what the values name


def test_what_the_values_name_is_to_be_there(preflight: Preflight, cluster: ApiServer) -> None:
    values = {
        "models": [{"name": "iris", "storageUri": "pvc://models/iris"}],
        "verification": {"configMap": "keys", "files": ["release.pem"]},
        "apiKeys": {"secret": "api-keys"},
        "image": {"pullSecrets": ["registry"]},
        "serviceAccount": {"create": False, "name": "reader"},
        "pod": {"priorityClassName": "serving"},
        "env": [{"name": "REGION", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "region"}}}],
    }
    paths = {
        "There is no Secret registry": "/api/v1/namespaces/ml/secrets/registry",
        "There is no Secret api-keys": "/api/v1/namespaces/ml/secrets/api-keys",
        "There is no ConfigMap keys": "/api/v1/namespaces/ml/configmaps/keys",
        "There is no ConfigMap settings": "/api/v1/namespaces/ml/configmaps/settings",
        "There is no PersistentVolumeClaim models": "/api/v1/namespaces/ml/persistentvolumeclaims/models",
        "There is no ServiceAccount reader": "/api/v1/namespaces/ml/serviceaccounts/reader",
        "There is no PriorityClass serving": "/apis/scheduling.k8s.io/v1/priorityclasses/serving",
    }
    said = preflight(values).messages("missing", "references")
    assert sorted(each.split(" in namespace")[0].split(";")[0] for each in said) == sorted(paths)
    for path in paths.values():
        cluster.add(path)
    done = preflight(values)
    assert done.messages("missing") == []
    assert "Secret api-keys" in done.only("ok", "references")


def test_a_secret_s_data_are_never_fetched(preflight: Preflight, cluster: ApiServer) -> None:
    preflight("keys")
    asked = [accept for _, path, accept in cluster.asked if "/secrets/" in path]
    assert asked
    assert all(each.startswith("application/json;as=PartialObjectMetadata") for each in asked)


def test_what_the_release_brings_need_not_be_there(preflight: Preflight) -> None:
    assert preflight().messages("missing", "references") == []


def test_a_runtime_of_the_namespace_or_of_the_cluster(preflight: Preflight, cluster: ApiServer) -> None:
    values = {
        "models": [{"name": "digits", "format": "pytorch", "runtime": "kserve-torchserve", "storageUri": "s3://m"}]
    }
    assert "no runtime kserve-torchserve" in preflight(values).only("missing", "references")
    cluster.add("/apis/serving.kserve.io/v1alpha1/clusterservingruntimes/kserve-torchserve")
    assert preflight(values).code == 0


def test_a_claim_that_has_lost_its_volume(preflight: Preflight, cluster: ApiServer) -> None:
    cluster.add("/api/v1/namespaces/ml/persistentvolumeclaims/models", status={"phase": "Lost"})
    values = {"models": [{"name": "iris", "storageUri": "pvc://models/iris"}]}
    assert "has lost its volume" in preflight(values).only("missing", "references")


# --- the command


def test_the_context_s_namespace_or_the_one_given(preflight: Preflight) -> None:
    assert json.loads(preflight().out)["namespace"] == "ml"
    assert json.loads(preflight(None, "--namespace", "other").out)["namespace"] == "other"


def test_helm_renders_the_values(helm: Path, address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "kubeconfig").write_text(kubeconfig(address))
    (tmp_path / "values.yaml").write_text("models: [{name: iris}]\nreplicas: 2\n")
    common = ["preflight", "--kubeconfig", str(tmp_path / "kubeconfig"), "--output", "json"]
    assert main([*common, "-f", str(tmp_path / "values.yaml"), "--set", "mode=Standard"]) == 0
    (call,) = map(json.loads, helm.read_text().splitlines())
    assert call[:5] == ["template", "sklearn-kserve", "helm/sklearn-kserve", "--namespace", "ml"]
    assert call[5:7] == ["--kube-version", "v1.35.4"]
    assert call[7:] == ["--values", str(tmp_path / "values.yaml"), "--set", "mode=Standard"]
    capsys.readouterr()
    assert main([*common, "--set", "mode=Sideways"]) == 2
    assert "helm refuses the values:" in capsys.readouterr().err


@pytest.mark.system
@pytest.mark.parametrize("binary", ["helm3", "helm4"])
def test_the_binaries_that_people_have_render_what_the_library_does(
    binary: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rollout.release import Release

    monkeypatch.setenv("PATH", str(built(binary)))
    monkeypatch.setenv("HOME", str(tmp_path))
    found = Release.rendered(
        "demo",
        str(rendering.CHART),
        "ml",
        files=[rendering.CASES["auth"]],
        kubernetes="v1.35.4",
        settings=["replicas=3"],
    )
    texts = rendering.files({**rendering.values_of("auth"), "replicas": 3})
    wanted = Release.read("\n---\n".join(text for name, text in texts.items() if name != "NOTES.txt"), "ml")
    assert {json.dumps(each, sort_keys=True) for each in found.objects} == {
        json.dumps(each, sort_keys=True) for each in wanted.objects
    }


def test_helm_keeps_its_releases_in_secrets(
    helm: Path, address: str, cluster: ApiServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kubeconfig").write_text(kubeconfig(address))
    cluster.denied.add(("list", "secrets"))
    assert main(["preflight", "--kubeconfig", str(tmp_path / "kubeconfig")]) == 1
    assert "You may not list secrets in namespace ml, in which Helm keeps its releases" in capsys.readouterr().out


def test_no_helm(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kubeconfig").write_text(kubeconfig(address))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["preflight", "--kubeconfig", str(tmp_path / "kubeconfig")]) == 2
    assert "No helm on the PATH" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [("a: [", "no list of Kubernetes objects"), ("a: 1", "no list of Kubernetes objects"), ("", "holds no object")],
)
def test_manifests_that_are_none(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    (tmp_path / "kubeconfig").write_text(kubeconfig(address))
    (tmp_path / "objects.yaml").write_text(text)
    arguments = [
        "preflight",
        "--kubeconfig",
        str(tmp_path / "kubeconfig"),
        "--manifests",
        str(tmp_path / "objects.yaml"),
    ]
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


def test_a_list_of_objects_is_its_items(preflight: Preflight, address: str, tmp_path: Path) -> None:
    from rollout.release import Release

    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"}}
    read = Release.read(json.dumps({"apiVersion": "v1", "kind": "List", "items": [account]}), "ml")
    assert [each["metadata"] for each in read.objects] == [{"namespace": "ml", "name": "a"}]


def test_a_cluster_that_does_not_know_the_caller(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kubeconfig").write_text(kubeconfig(address, token="nobody"))
    (tmp_path / "objects.yaml").write_text(json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}))
    arguments = [
        "preflight",
        "--kubeconfig",
        str(tmp_path / "kubeconfig"),
        "--manifests",
        str(tmp_path / "objects.yaml"),
    ]
    assert main(arguments) == 2
    assert "says Unauthorized; is it the right context?" in capsys.readouterr().err


def test_a_cluster_that_does_not_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "kubeconfig").write_text(kubeconfig("http://127.0.0.1:1"))
    (tmp_path / "objects.yaml").write_text(json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}))
    arguments = [
        "preflight",
        "--kubeconfig",
        str(tmp_path / "kubeconfig"),
        "--manifests",
        str(tmp_path / "objects.yaml"),
    ]
    assert main(arguments) == 2
    assert "http://127.0.0.1:1 does not answer" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--kubeconfig", "/nowhere"], ["--context", "another"]])
def test_no_such_configuration(
    address: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
) -> None:
    (tmp_path / "kubeconfig").write_text(kubeconfig(address))
    given = ["--kubeconfig", str(tmp_path / "kubeconfig"), *arguments]
    assert main(["preflight", *given]) == 2
    assert "name a kubeconfig in --kubeconfig" in capsys.readouterr().err


def test_wrong_usage_is_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["preflight", "--output", "xml"])
    assert left.value.code == 2
    assert "usage: python -m rollout" in capsys.readouterr().err


@pytest.mark.parametrize("program", [["-m", "rollout"], ["-m", "rollout", "preflight"]])
def test_help_needs_no_cluster(program: list[str]) -> None:
    done = subprocess.run([sys.executable, *program, "--help"], capture_output=True, text=True, check=True)
    assert "usage: python -m rollout" in done.stdout


@pytest.mark.parametrize(
    ("selector", "taken"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"team": "a"}}, True),
        ({"matchLabels": {"team": "b"}}, False),
        ({"matchExpressions": [{"key": "team", "operator": "In", "values": ["a", "b"]}]}, True),
        ({"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["a"]}]}, False),
        ({"matchExpressions": [{"key": "other", "operator": "NotIn", "values": ["a"]}]}, True),
        ({"matchExpressions": [{"key": "team", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}, False),
        ({"matchLabels": {"team": "a"}, "matchExpressions": [{"key": "other", "operator": "Exists"}]}, False),
    ],
)
def test_label_selectors(selector: dict[str, Any] | None, *, taken: bool) -> None:
    from rollout.preflight.selectors import selects

    assert selects(selector, {"team": "a"}) is taken


# --- what is written about it


def test_every_check_and_every_flag_is_in_the_documentation() -> None:
    from rollout.cli import _parser
    from rollout.preflight import CHECKS

    text = (rendering.ROOT / "docs" / "preflight.md").read_text()
    first = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    named = {each for cell in first for each in cell.split("`")[1::2]}
    (commands,) = [each for each in _parser()._actions if each.choices]
    flags = {flag for each in dict(commands.choices or {})["preflight"]._actions for flag in each.option_strings}
    assert named == {"cluster", *CHECKS} | flags - {"-h", "--help"}
