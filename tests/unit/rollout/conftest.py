import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollout.cli import main
from tests.deploy import rendering
from tests.unit.rollout.apiserver import TOKEN, ApiServer, listening

REPOSITORY = Path(__file__).resolve().parents[3]
INGRESS = {"enableGatewayApi": True, "kserveIngressGateway": "kserve/kserve-ingress-gateway"}


def kubeconfig(address: str, *, token: str = TOKEN, namespace: str = "ml") -> str:
    context = {"cluster": "here", "user": "operator", "namespace": namespace}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "contexts": [{"name": "here", "context": context}],
            "clusters": [{"name": "here", "cluster": {"server": address}}],
            "users": [{"name": "operator", "user": {"token": token}}],
        }
    )


@pytest.fixture
def cluster() -> ApiServer:
    """Return a cluster that has all that any case of the chart needs."""
    state = ApiServer()
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    state.add("/api/v1/namespaces/ml", metadata={"name": "ml", "labels": restricted})
    for namespace in ("kserve", "gateways", "monitoring"):
        state.add(f"/api/v1/namespaces/{namespace}")
    manager = {"name": "manager", "image": "kserve/kserve-controller:v0.21.0"}
    state.add(
        "/apis/apps/v1/namespaces/kserve/deployments/kserve-controller-manager",
        spec={"template": {"spec": {"containers": [manager]}}},
        status={"availableReplicas": 1},
    )
    settings = {"deploy": json.dumps({"defaultDeploymentMode": "Standard"}), "ingress": json.dumps(INGRESS)}
    state.add("/api/v1/namespaces/kserve/configmaps/inferenceservice-config", data=settings)
    state.add(
        "/apis/gateway.networking.k8s.io/v1/gatewayclasses/istio",
        spec={"controllerName": "istio.io/gateway-controller"},
    )
    for namespace, name in (("kserve", "kserve-ingress-gateway"), ("gateways", "models")):
        listener = {"name": "http", "allowedRoutes": {"namespaces": {"from": "All"}}}
        state.add(
            f"/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/gateways/{name}",
            spec={"gatewayClassName": "istio", "listeners": [listener]},
            status={"conditions": [{"type": "Programmed", "status": "True"}]},
        )
    state.add(
        "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/istio-sidecar-injector",
        metadata={"name": "istio-sidecar-injector", "labels": {"app": "sidecar-injector"}},
    )
    state.add(
        "/apis/apps/v1/namespaces/istio-system/daemonsets/istio-cni-node",
        metadata={"name": "istio-cni-node", "labels": {"k8s-app": "istio-cni-node"}},
    )
    for group in ("metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io", "serving.knative.dev"):
        version = "v1" if group == "serving.knative.dev" else "v1beta1"
        kind = {"kind": "Service", "name": "services", "namespaced": True}
        state.discovery[f"/apis/{group}/{version}"] = {"groupVersion": f"{group}/{version}", "resources": [kind]}
    state.add("/api/v1/namespaces/monitoring/services/prometheus-operated")
    state.add(
        "/apis/monitoring.coreos.com/v1/namespaces/monitoring/prometheuses/main",
        spec={
            "podMonitorSelector": {},
            "podMonitorNamespaceSelector": {},
            "ruleSelector": {},
            "ruleNamespaceSelector": {
                "matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["ml"]}]
            },
        },
    )
    return state


@dataclass
class Outcome:
    """What a run of the command came to."""

    code: int
    out: str
    err: str

    @property
    def findings(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = json.loads(self.out)["findings"]
        return found

    def messages(self, status: str, check: str | None = None) -> list[str]:
        return [
            each["message"] for each in self.findings if each["status"] == status and check in {None, each["check"]}
        ]

    def only(self, status: str, check: str) -> str:
        (message,) = self.messages(status, check)
        return message


Preflight = Callable[..., Outcome]


@pytest.fixture
def address(cluster: ApiServer) -> Iterator[str]:
    with listening(cluster) as found:
        yield found


@pytest.fixture
def preflight(address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Preflight:
    """Run the command on what the chart makes of values, given or of a case."""
    config = tmp_path / "kubeconfig"
    config.write_text(kubeconfig(address))

    def ask(values: str | dict[str, Any] | None = None, *arguments: str, output: str = "json") -> Outcome:
        given = rendering.values_of(values) if isinstance(values, str) else values
        texts = [text for name, text in rendering.files(given).items() if name != "NOTES.txt"]
        manifests = tmp_path / "manifests.yaml"
        manifests.write_text("\n---\n".join(texts))
        common = ["preflight", "--kubeconfig", str(config), "--output", output]
        code = main([*common, "--manifests", str(manifests), *arguments])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return ask


@pytest.fixture
def helm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a `helm` on the PATH: Helm's own library behind the one command that is asked of it; the calls, written down."""
    calls = tmp_path / "calls"
    program = tmp_path / "bin" / "helm"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\n{HELM.format(calls=str(calls), root=str(REPOSITORY))}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    assert subprocess.run(["helm", "version"], capture_output=True, check=False).returncode == 1
    calls.unlink()
    return calls


HELM = """
import argparse, json, sys
import yaml
from helm_python import Chart
open({calls!r}, "a").write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[1] != "template":
    sys.exit("this one knows template alone")
parser = argparse.ArgumentParser()
for name in ("command", "name", "chart"):
    parser.add_argument(name)
parser.add_argument("--namespace")
parser.add_argument("--kube-version")
parser.add_argument("--values", action="append", default=[])
parser.add_argument("--set", action="append", default=[])
given = parser.parse_args()
values = {{}}
for file in given.values:
    values.update(yaml.safe_load(open(file)))
for each in given.set:
    key, _, value = each.partition("=")
    values[key] = value
try:
    rendered = Chart.load({root!r} + "/" + given.chart).render(values, name=given.name, namespace=given.namespace)
except Exception as error:
    sys.exit(f"Error: {{error}}")
print("\\n---\\n".join(text for name, text in rendered.items() if not name.endswith("NOTES.txt")))
"""
