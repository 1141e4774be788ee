"""Every value is described, checked and used; what is wrong is refused in a sentence."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from helm_python import HelmError, lint
from hypothesis import HealthCheck, given, settings

from helm import readme
from model.settings import Settings
from tests.deploy.matrix import DEFAULTS, LEAVES, SCHEMA, get, mixtures, others, put
from tests.deploy.rendering import CASES, CHART, ROOT, faults, files, objects, predictor, values_of
from tests.docs.pages import pages

CHART_DECIDES = {
    *("model_dir", "model_name", "model_root", "default_model"),
    *("host", "http_port", "grpc_port", "enable_grpc", "protocol"),
    *("verify_key", "api_key_file", "allow_unauthenticated", "ssl_certfile", "ssl_keyfile", "ssl_ca_certs"),
    "ignored",
}
"""Settings of the server that are no values, for the chart gives them or has no place for them."""


def test_every_value_has_a_sentence_of_its_own() -> None:
    sentences = readme.sentences((CHART / "values.yaml").read_text())
    assert set(sentences) == set(LEAVES)
    assert [text for text in sentences.values() if not re.fullmatch(r"[A-Z].*\.", text)] == []
    assert len(set(sentences.values())) == len(sentences)


def test_the_readme_tells_the_values_as_they_are() -> None:
    assert (CHART / "README.md").read_text() == readme.readme(), "run `make chart-docs`"


def test_the_schema_lets_nothing_in_that_it_does_not_name() -> None:
    def open_objects(node: Any, path: str) -> Iterator[str]:
        if isinstance(node, dict):
            if "properties" in node and node.get("additionalProperties") is not False and node.get("type") == "object":
                yield path
            for key, each in node.items():
                yield from open_objects(each, f"{path}/{key}")

    assert list(open_objects(SCHEMA, "")) == []


@pytest.mark.parametrize("path", LEAVES)
def test_an_unknown_value_is_refused(path: str) -> None:
    above, _, name = path.rpartition(".")
    wrong = put({}, f"{above}.{name}Typo".lstrip("."), "x")
    with pytest.raises(HelmError, match=f"{name}Typo"):
        files(wrong)


def test_values_nest_no_deeper_than_two() -> None:
    assert max(path.count(".") for path in LEAVES) <= 1


@pytest.mark.parametrize("path", LEAVES)
def test_a_value_changes_what_is_rendered(path: str) -> None:
    refusals = []
    for case in CASES:
        values = values_of(case)
        before = files(values)
        now = get(values, path) or get(DEFAULTS, path)
        for other in others(LEAVES[path], now):
            try:
                after = files(put(values, path, other))
            except HelmError as refusal:
                refusals.append(str(refusal))
                continue
            if {**after, "NOTES.txt": ""} != {**before, "NOTES.txt": ""}:
                return
    # Where each value of it goes with other values alone, a refusal that names it shows that it is read.
    assert any(path in refusal for refusal in refusals), f"{path} changes no object in any of {[*CASES]}"


REFUSAL = r"execution error at \(sklearn-kserve/templates/inferenceservice\.yaml:1:\d+\): [^\n]+[;:] [^\n]+\."


def test_templates_read_no_value_that_there_is_not() -> None:
    known = {path for leaf in LEAVES for path in (leaf, leaf.partition(".")[0])}
    texts = {path.name: path.read_text() for path in (CHART / "templates").rglob("*") if path.is_file()}
    read = {(name, path) for name, text in texts.items() for path in re.findall(r"\.Values\.([\w.]+)", text)}
    assert len(read) > 50
    assert {
        (name, path) for name, path in read if not any(path == at or path.startswith(f"{at}.") for at in known)
    } == set()


@given(mixtures())
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_any_mixture_of_values_is_valid_or_refused_in_a_sentence(values: dict[str, Any]) -> None:
    rendered: list[dict[str, Any]] = []
    refusal = ""
    try:
        rendered = objects(values)
    except HelmError as error:
        refusal = str(error).strip()
    # A template that fails in any other way fails with a call and a place, and without a word for the operator.
    assert bool(rendered) != bool(re.fullmatch(REFUSAL, refusal)), refusal
    assert [fault for each in rendered for fault in faults(each)] == []
    names = [(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in rendered]
    assert len(set(names)) == len(names)


def test_what_pages_refusals_and_findings_name_are_values() -> None:
    known = {block: set(values) for block, values in DEFAULTS.items() if isinstance(values, dict)}
    known["settings"] = set(Settings.model_fields)
    value = re.compile(rf"(?<![\w./-])({'|'.join(known)})\.(?!md\b)([a-z]\w*)")
    checks = (CHART / "templates" / "_checks.tpl").read_text()
    texts = [page.read_text() for page in pages()] + re.findall(r'fail (?:\(printf )?"([^"]+)"', checks)
    texts += [
        text
        for path in (ROOT / "rollout").rglob("*.py")
        for text in re.findall(r'f?"([^"]+; [^"]+\.)"', path.read_text())
    ]
    named = {match for text in texts for match in value.findall(text)}
    assert len(named) > 60
    assert {f"{block}.{name}" for block, name in named if name not in known[block]} == set()


@pytest.mark.parametrize("path", LEAVES)
def test_an_example_is_what_the_schema_allows(path: str) -> None:
    schema = {**LEAVES[path], "$defs": SCHEMA["$defs"]}
    for example in schema.get("examples", []):
        jsonschema_rs.Draft7Validator(schema).validate(example)


@pytest.mark.parametrize("case", CASES)
def test_lint_finds_nothing(case: str) -> None:
    report = lint(CHART, values_of(case), strict=True, namespace="ml")
    assert report["errors"] == []
    assert [each for each in report["messages"] if each["error"] != "icon is recommended"] == []


# --- the server's settings


def test_settings_are_the_servers_own_but_those_that_the_chart_decides() -> None:
    assert set(SCHEMA["$defs"]["settings"]["properties"]) == set(Settings.model_fields) - CHART_DECIDES


@pytest.mark.parametrize("name", sorted(set(Settings.model_fields) - CHART_DECIDES))
def test_a_setting_is_checked_as_the_server_checks_it(name: str) -> None:
    field = Settings.model_json_schema()["properties"][name]
    field = next((each for each in field.get("anyOf", [field]) if each.get("type") != "null"), field)
    expected = {key: value for key, value in field.items() if key not in {"default", "description", "format", "title"}}
    assert SCHEMA["$defs"]["settings"]["properties"][name] == expected


# --- refusals

STORED: dict[str, Any] = {"name": "iris", "storageUri": "s3://models/iris"}
ROUTED: dict[str, Any] = {"models": [STORED], "route": {"enabled": True}}
CANARY: dict[str, Any] = {"enabled": True, "storageUri": "s3://models/iris/2"}
NATIVE: dict[str, Any] = {**CANARY, "method": "native"}
KNATIVE: dict[str, Any] = {**CANARY, "method": "knative"}
BY_RUNTIME: dict[str, Any] = {
    **ROUTED,
    "runtime": {"create": True},
    "models": [{**STORED, "format": "sklearn"}],
}
OTHER: dict[str, Any] = {**STORED, "format": "onnx"}
RETRAINING: dict[str, Any] = {"enabled": True, "image": "trainer:1", "configMap": "training", "claim": "models"}
AUTH: dict[str, Any] = {"enabled": True, "issuer": "https://login.example.com", "allow": [{"methods": ["GET"]}]}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"models": [STORED, STORED]}, "models names 'iris' twice"),
        ({"models": [{**STORED, "path": "/srv"}]}, "'iris' has both storageUri and path"),
        ({"pod": {"labels": {"app.kubernetes.io/component": "a"}}}, "pod.labels has 'app.kubernetes.io/component'"),
        ({"pod": {"labels": {"app": "a"}}}, "pod.labels has 'app', which the chart or KServe says itself"),
        (
            {"auth": AUTH, "pod": {"labels": {"sidecar.istio.io/inject": "false"}}},
            "pod.labels has 'sidecar.istio.io/inject'",
        ),
        (
            {"auth": AUTH, "pod": {"annotations": {"proxy.istio.io/config": "{}"}}},
            "pod.annotations has 'proxy.istio.io/config'",
        ),
        (
            {"monitoring": {"labels": {"app.kubernetes.io/instance": "a"}}},
            "monitoring.labels has 'app.kubernetes.io/instance'",
        ),
        (
            {"monitoring": {"dashboardLabels": {"app.kubernetes.io/name": "a"}}},
            "monitoring.dashboardLabels has 'app.kubernetes.io/name'",
        ),
        ({"verification": {"configMap": "a", "secret": "b", "files": ["k"]}}, "both configMap and secret"),
        ({"verification": {"configMap": "a"}}, "nothing would be verified"),
        ({"verification": {"files": ["k"]}}, "keys that come from nowhere"),
        ({"models": [{"name": "a", "format": "onnx"}]}, "a format and no storageUri"),
        ({"models": [{**STORED, "format": "onnx", "settings": {"max_rows": 1}}]}, "a format and settings"),
        ({"models": [{**STORED, "format": "sklearn"}]}, "KServe's own would take it"),
        ({"models": [{**STORED, "runtime": "a"}]}, "has runtime and no format"),
        ({"models": [{**STORED, "protocol": "v1"}]}, "has protocol and no format"),
        ({**BY_RUNTIME, "canary": {"enabled": True, "imageTag": "2"}}, "whose image and paths it does not choose"),
        ({**ROUTED, "models": [OTHER], "canary": CANARY}, "names a model by its InferenceService"),
        ({"models": [OTHER], "autoscaling": {"class": "keda", "inFlight": 4}}, "does not count them under our names"),
        ({"replicas": 0}, "'penguins' has 0 replicas, and mode Standard does not start pods"),
        ({"models": [{**STORED, "replicas": 0}]}, "'iris' has 0 replicas"),
        ({"retraining": {**RETRAINING, "image": ""}}, "retraining.enabled without image"),
        ({"retraining": {**RETRAINING, "configMap": ""}}, "retraining.enabled without configMap or config;"),
        ({"retraining": {**RETRAINING, "config": {"name": "a"}}}, "retraining.configMap and retraining.config say"),
        ({"retraining": {**RETRAINING, "claim": ""}}, "retraining.enabled without claim or root;"),
        ({"retraining": {**RETRAINING, "root": "s3://a"}}, "retraining.claim and retraining.root say the same"),
        ({"retraining": RETRAINING}, "retraining.claim is 'models', and no model looks there"),
        (
            {"models": [{"name": "a", "storageUri": "pvc://models/a"}], "retraining": RETRAINING},
            "no model looks there for new versions",
        ),
        ({"verification": {"secret": "a", "files": ["b"]}, "retraining": RETRAINING}, "that nobody has signed"),
        ({"settings": {"enable_repository_api": True}}, "without API keys that would be everybody"),
        ({"models": [{**STORED, "settings": {"enable_repository_api": True}}]}, "without API keys"),
        ({**ROUTED, "mode": "Knative"}, "route.enabled is for mode Standard"),
        ({**ROUTED, "models": [STORED, {"name": "b"}], "canary": CANARY}, "leaves open whose canary it is"),
        ({**ROUTED, "canary": {**CANARY, "model": "b"}}, "canary.model is 'b', and models has none"),
        ({**ROUTED, "canary": {"enabled": True}}, "without anything that differs from the stable"),
        ({**ROUTED, "canary": {**CANARY, "path": "/srv"}}, "canary has both storageUri and path"),
        ({**ROUTED, "canary": {**CANARY, "weight": 100, "mirror": 5}}, "its own requests twice"),
        ({"models": [STORED], "canary": CANARY}, "canary.method route splits by the release's own HTTPRoute"),
        ({"mode": "Knative", "models": [STORED], "canary": CANARY}, "use canary.method knative in mode Knative"),
        ({"models": [STORED], "canary": {**NATIVE, "header": "x"}}, "canary.header needs canary.method route"),
        ({"models": [STORED], "canary": {**NATIVE, "mirror": 1}}, "canary.mirror needs canary.method route"),
        ({"mode": "Knative", "models": [STORED], "canary": NATIVE}, "KServe refuses spec.canary in Knative mode"),
        ({**ROUTED, "canary": NATIVE}, "which route.enabled turns off"),
        ({"canary": NATIVE}, "native needs a stable with a storageUri, and 'penguins' comes from the image"),
        ({"models": [STORED], "canary": {**NATIVE, "storageUri": "", "path": "/b"}}, "canary.path would not be read"),
        ({"models": [STORED], "canary": KNATIVE}, "which KServe ignores in mode Standard"),
        ({"mode": "Knative", "models": [STORED], "canary": {**KNATIVE, "replicas": 2}}, "scales each revision"),
        ({"mode": "Knative", "auth": AUTH}, "auth.enabled is for mode Standard"),
        ({"auth": {**AUTH, "issuer": ""}}, "without an issuer trusts nobody"),
        ({"auth": {**AUTH, "jwksUri": "https://a", "jwks": "{}"}}, "auth has both jwksUri and jwks"),
        ({"auth": {**AUTH, "allow": []}}, "denies everybody everything"),
        ({"auth": {**AUTH, "gateway": False, "pods": False}}, "asks nowhere"),
        ({"auth": {**AUTH, "allow": [{"models": ["walrus"]}]}}, "has a rule for 'walrus'"),
        ({"mode": "Knative", "rateLimit": {"requestsPerSecond": 5}}, "rateLimit is for mode Standard"),
        ({"rateLimit": {"requestsPerSecond": 5, "at": "pods"}}, "these have no sidecars to count"),
        (
            {"models": [{**STORED, "requestsPerSecond": 5}], "rateLimit": {"at": "pods"}},
            "these have no sidecars to count",
        ),
        ({"auth": {**AUTH, "pods": False}, "rateLimit": {"perCaller": 5, "at": "pods"}}, "these have no sidecars"),
        (
            {"rateLimit": {"perCaller": 5}},
            "nothing asks for one where rateLimit.at counts; turn auth.enabled and auth.gateway",
        ),
        ({"auth": {**AUTH, "gateway": False}, "rateLimit": {"perCaller": 5}}, "turn auth.enabled and auth.gateway on"),
        ({"mode": "Knative", "autoscaling": {"class": "hpa"}}, "Knative scales by itself"),
        ({"autoscaling": {"class": "hpa", "cpu": 0}}, "without anything to scale by"),
        ({"autoscaling": {"class": "hpa", "inFlight": 8}}, "KServe's HPA knows CPU and memory alone"),
        ({"autoscaling": {"class": "hpa", "queueDepth": 8}}, "KServe's HPA knows CPU and memory alone"),
        (
            {"replicas": 6, "autoscaling": {"class": "hpa"}},
            "'penguins' has 6 replicas to begin with, and autoscaling.maxReplicas is 5",
        ),
        (
            {"autoscaling": {"class": "external"}, "resources": {"requests": {"cpu": None}}},
            "'penguins' requests no cpu",
        ),
        ({"autoscaling": {"class": "keda"}}, "keda without requests to scale by"),
        ({"autoscaling": {"class": "keda", "inFlight": 8, "memory": 75}}, "keda scales by requests alone"),
        (
            {"autoscaling": {"class": "hpa", "memory": 80}, "resources": {"requests": {"memory": None}}},
            "requests no memory",
        ),
        (
            {"models": [STORED], "canary": NATIVE, "autoscaling": {"class": "hpa"}},
            "KServe gives a native canary fixed pods",
        ),
    ],
)
def test_what_excludes_each_other_is_refused_in_a_sentence(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(HelmError, match=re.escape(sentence)) as refusal:
        files(values)
    assert re.search(r"[;:] .+\.$", str(refusal.value).strip()), "the sentence says what to do"


def test_a_key_that_only_a_sidecar_takes_is_the_users_without_one() -> None:
    assert predictor({"pod": {"annotations": {"prometheus.io/scrape": "true"}}})["annotations"] == {
        "prometheus.io/scrape": "true"
    }


@pytest.mark.parametrize(
    "values",
    [
        {"settings": {"http_port": 9000}},
        {"settings": {"max_rows": 0}},
        {"image": {"digest": "sha256:abc"}},
        {"models": []},
        {"models": [{"name": "Iris"}]},
        {"models": [{"name": "iris", "storageUri": "iris"}]},
        {"pod": {"user": 0}},
        {"mode": "RawDeployment"},
        {"podDisruptionBudget": {"maxUnavailable": 0}},
        {"replicas": -1},
        {"canary": {"weight": 101}},
        {"canary": {"weight": -1}},
    ],
    ids=json.dumps,
)
def test_what_can_not_be_is_refused_by_the_schema(values: dict[str, Any]) -> None:
    with pytest.raises(HelmError, match="values don't meet the specifications of the schema"):
        files(values)
