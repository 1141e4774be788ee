"""A serving runtime of ours, runtimes of others, and what KServe puts around a model."""

from typing import Any

import pytest

from rollout.preflight.selectors import selects
from tests.deploy.rendering import container, files, objects, of_kind, predictor, values_of

RUNTIMES = ("ServingRuntime", "ClusterServingRuntime")


def runtime(case: str) -> dict[str, Any]:
    """Return the only runtime that is rendered."""
    (found,) = [each for each in objects(values_of(case)) if each["kind"] in RUNTIMES]
    return found


def test_should_not_render_when_disabled() -> None:
    assert [each for each in objects() if each["kind"] in RUNTIMES] == []


def test_a_runtime_is_for_the_namespace_or_the_cluster() -> None:
    assert runtime("runtime")["metadata"]["namespace"] == "ml"
    assert runtime("runtime-cluster")["kind"] == "ClusterServingRuntime"
    assert "namespace" not in runtime("runtime-cluster")["metadata"]


def test_the_runtimes_container_is_that_of_a_model_of_its_own_but_for_names_and_places() -> None:
    values = {key: value for key, value in values_of("runtime").items() if key in {"verification", "apiKeys", "image"}}
    (ours,) = runtime("runtime")["spec"]["containers"]
    own = container({**values, "models": [{"name": "iris", "storageUri": "s3://models/iris"}]}, "iris")
    assert ours.pop("args")[:2] == ["--model_name={{.Name}}", "--model_dir=/mnt/models"]
    assert own.pop("args")[:2] == ["--model_name=iris", "--model_dir=/mnt/models"]
    assert [each["name"] for each in ours.pop("env")] == ["PROTOCOL"]
    del own["env"]
    assert ours == own


def test_kserve_takes_the_runtime_before_its_own() -> None:
    (form,) = runtime("runtime")["spec"]["supportedModelFormats"]
    assert form == {"name": "sklearn", "version": "1", "autoSelect": True, "priority": 3}
    assert runtime("runtime-cluster")["spec"]["supportedModelFormats"][0]["autoSelect"] is False
    assert set(runtime("runtime")["spec"]["protocolVersions"]) >= {"v2", "grpc-v2"}


@pytest.mark.parametrize("case", ["auth", "monitoring"])
@pytest.mark.parametrize("scope", ["Namespace", "Cluster"])
def test_what_selects_the_charts_pods_selects_those_of_an_inference_service_that_is_not_its_own(
    case: str, scope: str
) -> None:
    values = {**values_of(case), "runtime": {"create": True, "scope": scope}}
    (ours,) = [each for each in objects(values) if each["kind"] in RUNTIMES]
    selectors = [
        each["spec"].get("selector") or each["spec"]["podSelector"]
        for kind in ("NetworkPolicy", "PodMonitor", "PeerAuthentication", "RequestAuthentication")
        for each in of_kind(kind, values).values()
        if "targetRefs" not in each["spec"]
    ]
    assert len(selectors) == {"auth": 3, "monitoring": 2}[case]
    # KServe adds the runtime's labels and annotations to those of the pods, and its own.
    labels = {**ours["spec"]["labels"], "serving.kserve.io/inferenceservice": "theirs"}
    assert all(selects(each, labels) for each in selectors)
    own = predictor(values, "iris")
    assert own["labels"] == ours["spec"]["labels"]
    assert own.get("annotations", {}).items() <= ours["spec"]["annotations"].items()


def test_a_runtimes_pods_may_fetch_their_models() -> None:
    (closed,) = of_kind("NetworkPolicy").values()
    (policy,) = of_kind("NetworkPolicy", {"runtime": {"create": True}}).values()
    added = [each for each in policy["spec"]["egress"] if each not in closed["spec"]["egress"]]
    assert [each["ports"] for each in added] == [[{"port": 443, "protocol": "TCP"}]]


def test_a_model_by_the_runtime_has_a_format_and_no_container() -> None:
    found = predictor(values_of("runtime"), "iris")
    assert "containers" not in found
    model = found["model"]
    assert model["modelFormat"] == {"name": "sklearn", "version": "1"}
    assert (model["runtime"], model["storageUri"]) == ("demo-sklearn-kserve", "s3://models/iris/1")
    assert "args" not in model
    assert found["terminationGracePeriodSeconds"] == 35
    assert found["securityContext"]["runAsUser"] == 10001


def test_a_canary_by_the_runtime_answers_under_the_stables_name() -> None:
    model = predictor(values_of("runtime"), "iris-canary")["model"]
    assert model["args"] == ["--model_name=iris"]
    assert model["storageUri"] == "s3://models/iris/2"


@pytest.mark.parametrize(
    ("name", "form", "by", "protocol"),
    [
        ("digits", "pytorch", "kserve-torchserve", "v2"),
        ("flowers", "tensorflow", "kserve-tensorflow-serving", "v1"),
        ("cifar", "onnx", "kserve-tritonserver", "v2"),
    ],
)
def test_other_models_go_by_kserves_runtimes(name: str, form: str, by: str, protocol: str) -> None:
    values = values_of("other-runtimes")
    found = predictor(values, name)
    assert (found["model"]["modelFormat"]["name"], found["model"]["runtime"]) == (form, by)
    assert found["model"]["protocolVersion"] == protocol
    assert "runAsUser" not in found["securityContext"], "the image's own user"
    (rule,) = of_kind("HTTPRoute", values)[name]["spec"]["rules"]
    assert rule["backendRefs"] == [{"name": f"{name}-predictor", "port": 80, "weight": 100}]
    assert f"{name}-test-rest" not in of_kind("Pod", values)


def test_a_gpu_reaches_the_runtime() -> None:
    resources = predictor(values_of("other-runtimes"), "cifar")["model"]["resources"]
    assert resources["limits"]["nvidia.com/gpu"] == 1


def test_logger_batcher_transformer_and_explainer_are_passed_through() -> None:
    values = values_of("payload")
    (service,) = of_kind("InferenceService", values).values()
    given = values["models"][0]
    assert service["spec"]["predictor"]["logger"] == given["logger"]
    assert service["spec"]["predictor"]["batcher"] == given["batcher"]
    assert service["spec"]["transformer"] == given["transformer"]
    assert service["spec"]["explainer"] == given["explainer"]


def test_the_closed_network_lets_kserves_parts_through() -> None:
    (policy,) = of_kind("NetworkPolicy", values_of("payload")).values()
    callers = policy["spec"]["ingress"][0]
    assert {port["port"] for port in callers["ports"]} == {8080, 8081, 9081}
    parts = {"key": "component", "operator": "In", "values": ["transformer", "explainer"]}
    assert [parts] in [each["podSelector"].get("matchExpressions") for each in callers["from"] if "podSelector" in each]
    assert policy["spec"]["egress"][-1] == values_of("payload")["networkPolicy"]["egress"][0]
    (usual,) = of_kind("NetworkPolicy").values()
    assert {port["port"] for port in usual["spec"]["ingress"][0]["ports"]} == {8080, 8081}


def test_the_notes_say_how_to_use_the_runtime() -> None:
    notes = files(values_of("runtime-cluster"))["NOTES.txt"]
    assert "modelFormat: {name: sklearn}, runtime: demo-sklearn-kserve, protocolVersion: v2" in notes
    assert "(in any namespace)" in notes
    assert "runtime:" not in files(values_of("runtime"))["NOTES.txt"].split("Wait until")[0]
