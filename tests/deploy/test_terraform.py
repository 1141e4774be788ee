"""terraform/: every file can be read, nothing in it is loose, and what the modules give the chart is what it takes."""

import json
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import botocore.session
import hcl2
import pytest
import yaml
from botocore.validate import ParamValidator
from helm_python import Chart

from tests.deploy.rendering import ROOT, faults, objects
from tests.tools import built

TERRAFORM: Final = ROOT / "terraform"
MODULES: Final = sorted({path.parent for path in TERRAFORM.glob("*/*.tf")})
CHECKOV: Final = ROOT / "var" / "checkov" / "bin" / "checkov"
CLOUDS: Final = ("eks", "gke")
SAMPLES: Final = {
    "cluster": "cluster",
    "bucket": "bucket",
    "domain": "models.example.org",
    "region": "region",
    "values": "models: [{name: iris, storageUri: s3://bucket/iris}]",
}
"""What an operator would say for a module's variables without a default."""

Block = dict[str, Any]


def plain(node: Any) -> Any:
    """Return what was parsed without the quotes of literals."""
    if isinstance(node, dict):
        return {plain(key): plain(value) for key, value in node.items() if key != "__is_block__"}
    if isinstance(node, list):
        return [plain(each) for each in node]
    return node[1:-1] if isinstance(node, str) and node[:1] == node[-1:] == '"' else node


@cache
def parsed(module: Path) -> list[Block]:
    """Return what the files of a module hold."""
    return [plain(hcl2.loads(path.read_text())) for path in sorted(module.glob("*.tf"))]


def blocks(module: Path, kind: str) -> Iterator[tuple[str, Block]]:
    """Yield the blocks of a kind with one label, by that."""
    for file in parsed(module):
        for block in file.get(kind, []):
            yield from block.items()


def text(module: Path) -> str:
    return "\n".join(path.read_text() for path in sorted(module.glob("*.tf")))


def releases(module: Path) -> dict[str, Block]:
    return {
        name: body
        for kind, block in blocks(module, "resource")
        if kind == "helm_release"
        for name, body in block.items()
    }


def module_ids(path: Path) -> str:
    return path.name


# --- the files


def test_there_is_a_module_for_each_cloud_and_one_that_they_share() -> None:
    assert [module.name for module in MODULES] == ["eks", "gke", "kserve"]


@pytest.mark.parametrize("module", MODULES, ids=module_ids)
def test_every_variable_is_described_typed_and_used(module: Path) -> None:
    variables = dict(blocks(module, "variable"))
    assert variables
    assert [
        name for name, each in variables.items() if not each["description"].endswith(".") or "type" not in each
    ] == []
    assert set(re.findall(r"\bvar\.(\w+)", text(module))) == variables.keys()


@pytest.mark.parametrize("module", MODULES, ids=module_ids)
def test_every_output_is_described(module: Path) -> None:
    outputs = dict(blocks(module, "output"))
    assert outputs
    assert [name for name, each in outputs.items() if not each["description"].endswith(".")] == []


@pytest.mark.parametrize("module", MODULES, ids=module_ids)
def test_every_resource_and_module_that_is_named_is_there(module: Path) -> None:
    there = {f"{kind}.{name}" for kind, block in blocks(module, "resource") for name in block}
    there |= {f"data.{kind}.{name}" for kind, block in blocks(module, "data") for name in block}
    there |= {f"module.{name}" for name, _ in blocks(module, "module")}
    named = set(re.findall(r"\b(?:data\.)?(?:aws|google|helm)_\w+\.\w+|\bmodule\.\w+", text(module)))
    assert named <= there
    assert {each for each in there if each.startswith("data.")} <= named


@pytest.mark.parametrize("module", MODULES, ids=module_ids)
def test_versions_are_pinned(module: Path) -> None:
    ((_, required),) = [(None, block) for file in parsed(module) for block in file.get("terraform", [])]
    assert required["required_version"] == ">= 1.10"
    (providers,) = required["required_providers"]
    assert all(re.fullmatch(r"~> \d+\.\d+", each["version"]) for each in providers.values())
    for name, each in releases(module).items():
        local = each["chart"].startswith("${path.module}")
        assert local or re.fullmatch(r"v?\d+\.\d+\.\d+", each["version"]), name


@pytest.mark.parametrize("module", MODULES, ids=module_ids)
def test_what_a_module_is_given_are_its_variables(module: Path) -> None:
    for _, given in blocks(module, "module"):
        variables = dict(blocks((module / given["source"]).resolve(), "variable"))
        wanted = {name for name, each in variables.items() if "default" not in each}
        assert wanted <= given.keys() - {"source", "depends_on"} <= variables.keys()


def test_the_readme_s_settings_are_variables() -> None:
    for cloud in CLOUDS:
        block = (TERRAFORM / cloud / "README.md").read_text().split("mine.auto.tfvars <<'END'\n")[1].split("END")[0]
        variables = dict(blocks(TERRAFORM / cloud, "variable"))
        assert set(hcl2.loads(block)) | {"values"} == {
            name for name, each in variables.items() if "default" not in each
        }


def test_every_release_is_in_the_readme() -> None:
    table = (TERRAFORM / "kserve" / "README.md").read_text()
    names = {each["name"] for each in releases(TERRAFORM / "kserve").values() if "var." not in each["name"]}
    assert [name for name in names if f"`{name}`" not in table] == []


# --- what the chart is given


def given(cloud: str) -> dict[str, Any]:
    """Return the variables of the shared module, as a cloud's sets them."""
    module = TERRAFORM / cloud
    scope = {f"var.{name}": each.get("default", SAMPLES.get(name, name)) for name, each in blocks(module, "variable")}
    scope |= {
        f"local.{name}": value
        for file in parsed(module)
        for each in file.get("locals", [])
        for name, value in each.items()
    }
    ((_, arguments),) = blocks(module, "module")
    shared = {name: each.get("default") for name, each in blocks(TERRAFORM / "kserve", "variable")}
    return shared | {name: filled(value, scope) for name, value in arguments.items()}


def filled(value: Any, scope: dict[str, Any]) -> Any:
    """Put what a plain reference leads to in its place."""
    if isinstance(value, str) and (found := re.fullmatch(r"\$\{([\w.]+)\}", value)):
        return scope.get(found[1], value)
    return value


def merged(into: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Merge values as Helm does."""
    both = {key: merged(into[key], other[key]) for key in into.keys() & other.keys() if isinstance(other[key], dict)}
    return {**into, **other, **both}


def values_of(cloud: str) -> dict[str, Any]:
    """Return the values that the chart is given on a cloud."""
    variables, release = given(cloud), releases(TERRAFORM / "kserve")["models"]
    values: dict[str, Any] = yaml.safe_load((TERRAFORM / cloud / "values.yaml").read_text())
    values = merged(values, yaml.safe_load(SAMPLES["values"]))
    values = merged(values, {"serviceAccount": {"annotations": variables["service_account_annotations"]}})
    for each in release["set"]:
        value = filled(each["value"], {f"var.{name}": value for name, value in variables.items()})
        nested: Any = {"true": True, "false": False}.get(value, value)
        for key in reversed(each["name"].split(".")):
            nested = {key: nested}
        values = merged(values, nested)
    return values


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_chart_takes_what_a_cloud_gives_it(cloud: str) -> None:
    rendered = objects(values_of(cloud), namespace="models")
    assert [fault for each in rendered for fault in faults(each)] == []
    (route,) = [each for each in rendered if each["kind"] == "HTTPRoute"]
    assert route["spec"]["hostnames"] == ["iris-models.models.example.org"]
    (gateway,) = [each for each in ground({}) if each["kind"] == "Gateway"]
    (parent,) = route["spec"]["parentRefs"]
    assert (parent["namespace"], parent["name"]) == (gateway["metadata"]["namespace"], gateway["metadata"]["name"])


@pytest.mark.parametrize(
    ("cloud", "subject"), [("eks", "system:serviceaccount:%s:%s"), ("gke", "/subject/ns/%s/sa/%s")]
)
def test_the_pods_account_is_the_one_that_may_read_the_bucket(cloud: str, subject: str) -> None:
    (account,) = [each for each in objects(values_of(cloud)) if each["kind"] == "ServiceAccount"]
    assert account["metadata"]["name"] == given(cloud)["service_account"] == "models"
    assert subject % ("${var.namespace}", "${local.service_account}") in (TERRAFORM / cloud / "main.tf").read_text()


def test_on_eks_the_account_bears_the_role() -> None:
    (account,) = [each for each in objects(values_of("eks")) if each["kind"] == "ServiceAccount"]
    assert "eks.amazonaws.com/role-arn" in account["metadata"]["annotations"]


def test_on_gke_the_pods_reach_the_metadata_server_that_knows_who_they_are() -> None:
    (policy,) = [each for each in objects(values_of("gke")) if each["kind"] == "NetworkPolicy"]
    reached = {
        (peer["ipBlock"]["cidr"], rule["ports"][0]["port"])
        for rule in policy["spec"]["egress"]
        for peer in rule.get("to", [])
        if "ipBlock" in peer
    }
    assert {("169.254.169.254/32", 80), ("169.254.169.252/32", 988)} <= reached


def ground(values: dict[str, Any]) -> list[dict[str, Any]]:
    rendered = Chart.load(TERRAFORM / "kserve" / "ground").render(values, name="ground", namespace="kserve")
    return [found for each in rendered.values() for found in yaml.safe_load_all(each) if found]


@pytest.mark.parametrize(("secret", "port"), [("", 80), ("certificate", 443)])
def test_the_gateway_takes_routes_from_the_models_namespace_alone(secret: str, port: int) -> None:
    (gateway,) = [
        each for each in ground({"tlsSecret": secret, "annotations": {"a": "b"}}) if each["kind"] == "Gateway"
    ]
    (listener,) = gateway["spec"]["listeners"]
    assert listener["port"] == port
    assert listener["allowedRoutes"]["namespaces"]["selector"]["matchLabels"] == {
        "kubernetes.io/metadata.name": "models"
    }
    assert ("tls" in listener) is bool(secret)
    assert gateway["spec"]["infrastructure"] == {"annotations": {"a": "b"}}


def test_the_models_namespace_enforces_restricted_pods_and_outlives_the_release() -> None:
    (namespace,) = [each for each in ground({}) if each["kind"] == "Namespace"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert namespace["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_the_ground_is_given_values_that_it_has() -> None:
    (values,) = releases(TERRAFORM / "kserve")["ground"]["values"]
    known = yaml.safe_load((TERRAFORM / "kserve" / "ground" / "values.yaml").read_text())
    assert set(re.findall(r"(\w+)\s*[=:] *var\.", values)) == known.keys()


# --- without Kubernetes


def test_cloud_run_s_service_is_one() -> None:
    service = yaml.safe_load((TERRAFORM / "cloud-run" / "service.yaml").read_text())
    assert faults(service) == []


def test_ecs_s_task_definition_is_one() -> None:
    ecs = botocore.session.get_session().get_service_model("ecs")
    task = json.loads((TERRAFORM / "ecs" / "task-definition.json").read_text())
    report = ParamValidator().validate(task, ecs.operation_model("RegisterTaskDefinition").input_shape)
    assert report.generate_report() == ""


def arguments() -> dict[str, list[str]]:
    service = yaml.safe_load((TERRAFORM / "cloud-run" / "service.yaml").read_text())
    task = json.loads((TERRAFORM / "ecs" / "task-definition.json").read_text())
    (server,) = [each for each in task["containerDefinitions"] if each["name"] == "server"]
    return {"cloud-run": service["spec"]["template"]["spec"]["containers"][0]["args"], "ecs": server["command"]}


@pytest.mark.parametrize(("where", "killed_after_seconds"), [("cloud-run", 10), ("ecs", 35)])
def test_the_server_takes_the_arguments_and_ends_before_it_is_killed(where: str, killed_after_seconds: float) -> None:
    from model.settings import Settings

    settings = Settings.from_sources(arguments()[where], {"SKLEARN_KSERVE_ALLOW_UNAUTHENTICATED": "true"})
    assert settings.require_manifest
    assert settings.drain_seconds + settings.request_timeout_seconds < killed_after_seconds


@pytest.mark.parametrize("where", ["cloud-run", "ecs"])
def test_every_name_to_fill_in_is_in_the_readme(where: str) -> None:
    (definition,) = [path for path in (TERRAFORM / where).iterdir() if path.suffix in {".yaml", ".json"}]
    bare = re.sub(r"^\s*#.*$", "", definition.read_text(), flags=re.MULTILINE)
    names = set(re.findall(r"\b[A-Z]{6,}\b", bare)) & {
        "PROJECT",
        "REGION",
        "REPOSITORY",
        "BUCKET",
        "ACCOUNT",
    }
    readme = (TERRAFORM / where / "README.md").read_text()
    assert names
    assert all(f"s/{name}/${name}/" in readme for name in names)


# --- by the tools of the field


@pytest.mark.system
@pytest.mark.parametrize("path", sorted(TERRAFORM.glob("*/*.tf")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_file_is_as_the_formatter_writes_it(path: Path) -> None:
    done = subprocess.run(
        [built("hcl") / "hclfmt", "-require-no-change", path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr or f"{path} is not formatted"


@pytest.mark.system
def test_the_formatter_sees_what_is_not_formatted(tmp_path: Path) -> None:
    (tmp_path / "loose.tf").write_text("locals {\n  a   = 1\n}\n")
    assert subprocess.run(
        [built("hcl") / "hclfmt", "-require-no-change", tmp_path / "loose.tf"], capture_output=True, check=False
    ).returncode


@pytest.mark.system
@pytest.mark.timeout(300)
def test_checkov_finds_nothing_but_what_is_passed_over_with_a_reason() -> None:
    assert CHECKOV.exists(), "checkov is missing: make test-system installs it"
    options = ["--framework", "terraform", "--skip-download", "--quiet", "--compact", "--output", "json"]
    done = subprocess.run(
        [CHECKOV, "--directory", TERRAFORM, *options], capture_output=True, text=True, timeout=240, check=False
    )
    report = json.loads(done.stdout)
    assert report["results"]["failed_checks"] == []
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 50
    assert report["summary"]["skipped"] == sum(text(module).count("#checkov:skip=") for module in MODULES)
