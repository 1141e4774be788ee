"""
What the chart renders, and the Dockerfile, have nothing that checkov would find but what checkov.yaml gives a reason for.

`make test-system` installs checkov in an environment of its own.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.deploy.rendering import CASES, ROOT, objects, pods, values_of

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

CHECKOV: Final = ROOT / "var" / "checkov" / "bin" / "checkov"
EXCEPTIONS: Final = yaml.safe_load((Path(__file__).parent / "checkov.yaml").read_text())
MADE_BY_KSERVE: Final = {"InferenceService", "ServingRuntime", "ClusterServingRuntime"}
"""Kinds that checkov does not know: it is shown the pods that KServe makes of them."""

Object = dict[str, Any]


def shown(case: str) -> list[Object]:
    rendered = objects(values_of(case))
    unknown = [each for each in rendered if each["kind"] in MADE_BY_KSERVE]
    return rendered + [pod(case, label, spec) for label, spec in pods(unknown).items()]


def pod(case: str, label: str, spec: Object) -> Object:
    mode = "knative-" if values_of(case).get("mode") == "Knative" else ""
    name = f"{mode}{label.replace('/', '-').lower()}"
    labels = spec.get("labels", {})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "ml", "labels": labels},
        "spec": spec,
    }


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str]]:
    """Return what checkov finds: the check and the resource."""
    assert CHECKOV.exists(), "checkov is missing: make test-system installs it"
    directory = tmp_path_factory.mktemp("shown")
    for case in CASES:
        (directory / f"{case}.yaml").write_text(yaml.safe_dump_all(shown(case)))
    shutil.copy(ROOT / "Dockerfile", directory)
    options = ["--framework", "kubernetes", "dockerfile", "secrets", "--skip-download", "--quiet", "--compact"]
    done = subprocess.run(
        [CHECKOV, "--directory", directory, *options, "--output", "json"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    reports = json.loads(done.stdout)
    passed = {each["check_type"]: each["summary"]["passed"] for each in reports}
    assert passed["kubernetes"] > 100 * len(CASES), done.stderr
    assert passed["dockerfile"] > 50
    assert [each["summary"]["parsing_errors"] for each in reports] == [0] * len(reports)
    return {(each["check_id"], each["resource"]) for one in reports for each in one["results"]["failed_checks"]}


def covers(exception: dict[str, str], check: str, resource: str) -> bool:
    return exception["check"] == check and re.fullmatch(exception["resources"], resource) is not None


def test_checkov_finds_nothing_but_what_has_a_reason(findings: set[tuple[str, str]]) -> None:
    assert {each for each in findings if not any(covers(exception, *each) for exception in EXCEPTIONS)} == set()


@pytest.mark.parametrize("exception", EXCEPTIONS, ids=lambda each: f"{each['check']}-{each['resources'][:20]}")
def test_no_exception_has_outlived_its_finding(findings: set[tuple[str, str]], exception: dict[str, str]) -> None:
    assert any(covers(exception, *each) for each in findings)
    assert exception["why"].endswith(".")
