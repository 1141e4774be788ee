"""`python -m rollout preflight` on a real API server, whose authorizers, schemas and webhooks have their say."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.harness.cluster import Namespace
from tests.deploy import rendering
from tests.tools import ROOT


@dataclass(frozen=True)
class Outcome:
    code: int
    findings: list[dict[str, str]]

    def messages(self, status: str, check: str | None = None) -> list[str]:
        return [f["message"] for f in self.findings if f["status"] == status and check in {None, f["check"]}]


Preflight = Callable[..., Outcome]


@pytest.fixture
def preflight(namespace: Namespace, tmp_path: Path) -> Preflight:
    """Run the command on what the chart makes of values, as the cluster's administrator or with a token."""

    def ask(
        values: dict[str, Any] | None = None, *, token: str = "", edit: Callable[[Any], None] | None = None
    ) -> Outcome:
        objects = rendering.objects(values, namespace=namespace.name)
        for each in objects:
            if edit and each["kind"] == "InferenceService":
                edit(each)
        manifests, kubeconfig = tmp_path / "manifests.yaml", tmp_path / "kubeconfig"
        manifests.write_text(yaml.safe_dump_all(objects))
        config = yaml.safe_load(namespace.cluster.kubeconfig.read_text())
        if token:
            config["users"][0]["user"] = {"token": token}
        kubeconfig.write_text(yaml.safe_dump(config))
        done = subprocess.run(
            [sys.executable, "-m", "rollout", "preflight", "--manifests", manifests, "--kubeconfig", kubeconfig,
             "--namespace", namespace.name, "--output", "json"],
            cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.stdout, done.stderr
        return Outcome(done.returncode, json.loads(done.stdout)["findings"])

    return ask


def test_nothing_is_missing_where_the_chart_installs(preflight: Preflight, namespace: Namespace) -> None:
    before = namespace.objects()
    done = preflight()
    assert (done.messages("missing"), done.messages("unknown"), done.code) == ([], [], 0)
    assert done.messages("ok", "admission") == ["A dry run of 4 objects is accepted."]
    assert namespace.objects() == before


def test_a_gateway_that_is_not_there(preflight: Preflight) -> None:
    done = preflight({"route": {"enabled": True, "gateway": "nowhere"}})
    assert done.code == 1
    assert "Gateway kserve/nowhere is not there" in done.messages("missing", "gateway")[0]


def test_what_kserve_s_webhook_refuses(preflight: Preflight) -> None:
    done = preflight(edit=lambda model: model["spec"]["predictor"].update(model={"modelFormat": {"name": "sklearn"}}))
    assert "denied the request" in done.messages("missing", "admission")[0]


def test_a_field_that_the_crd_does_not_know(preflight: Preflight) -> None:
    done = preflight(edit=lambda model: model["spec"]["predictor"].update(minimumReplicas=3))
    assert "minimumReplicas" in done.messages("missing", "admission")[0]


def test_a_quota_that_is_too_small(preflight: Preflight, namespace: Namespace) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small"},
        "spec": {"hard": {"requests.cpu": "100m"}},
    }
    namespace.apply(quota)
    namespace.kubectl("wait", "--for=jsonpath={.status.hard}", "resourcequota/small")
    try:
        assert "leaves 0.1 requests.cpu" in preflight().messages("missing", "namespace")[0]
    finally:
        namespace.kubectl("delete", "resourcequota", "small")


def test_a_user_who_may_do_some_of_it(preflight: Preflight, namespace: Namespace) -> None:
    namespace.kubectl("create", "serviceaccount", "dev")
    namespace.kubectl(
        "create",
        "role",
        "dev",
        "--verb=*",
        "--resource=serviceaccounts,networkpolicies.networking.k8s.io,poddisruptionbudgets.policy",
    )
    namespace.kubectl("create", "rolebinding", "dev", "--role=dev", f"--serviceaccount={namespace.name}:dev")
    done = preflight(token=namespace.kubectl("create", "token", "dev").strip())
    assert done.code == 1
    (message,) = done.messages("missing", "permissions")
    assert message.startswith("You may not get, create, patch, delete inferenceservices.serving.kserve.io")
    assert "KServe's ConfigMap" in " ".join(done.messages("unknown", "kserve"))
