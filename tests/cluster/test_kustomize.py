"""Without Helm: what `kubectl apply -k` gives is what Helm installs, and `kubectl delete -k` leaves nothing of it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from tritonclient.utils import InferenceServerException

from tests.cluster.harness.cluster import CHART, Cluster, Namespace, made
from tests.cluster.harness.waiting import until
from tests.cluster.penguins import CLIENTS, MODEL, birds, species
from tests.tools import ROOT

KUSTOMIZE: Final = ROOT / "kustomize"
COMPONENTS: Final = ("network-policy", "canary", "hpa/canary", "hpa")
"""As kustomize/README.md has them for a namespace of one's own."""

Given = dict[str, Any]


@pytest.fixture(scope="module")
def models(cluster: Cluster) -> Iterator[Namespace]:
    """The namespace that the manifests name."""
    with made(cluster, "models") as found:
        yield found


@pytest.mark.parametrize("environment", ["base", "overlays/dev"])
def test_an_environment_is_what_helm_makes_of_its_values(models: Namespace, environment: str) -> None:
    directory = KUSTOMIZE / environment
    empty = models.objects()
    models.kubectl("apply", f"--kustomize={directory}")
    by_kustomize = given(models)
    models.kubectl("delete", f"--kustomize={directory}")
    until(f"only {empty} is left", lambda: models.objects() == empty)

    models.helm("install", MODEL, str(CHART), f"--values={directory / 'values.yaml'}")
    by_helm = given(models)
    models.helm("uninstall", MODEL)
    until(f"only {empty} is left", lambda: models.objects() == empty)
    assert by_kustomize == by_helm


@pytest.mark.usefixtures("definitions", "models")
@pytest.mark.parametrize("environment", ["overlays/staging", "overlays/production"])
def test_a_larger_environment_is_admitted(cluster: Cluster, environment: str) -> None:
    """Their policies would close the Gateway that the other tests go by, so they are not let in."""
    directory = KUSTOMIZE / environment
    objects = list(yaml.safe_load_all(cluster.kubectl("kustomize", str(directory))))
    told = cluster.kubectl(
        "apply", "--server-side", "--dry-run=server", "--validate=strict", f"--kustomize={directory}"
    )
    assert told.count("serverside-applied (server dry run)") == len(objects), told
    assert {found["kind"] for found in objects} >= {"HTTPRoute", "PodMonitor", "PrometheusRule", "AuthorizationPolicy"}


def test_an_overlay_of_ones_own_puts_a_canary_into_another_namespace(namespace: Namespace, tmp_path: Path) -> None:
    host = namespace.host(MODEL, "acme.test")
    overlay = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": namespace.name,
        "resources": [_from(tmp_path, "base")],
        "components": [_from(tmp_path, f"components/{name}") for name in COMPONENTS],
        "patches": [
            {
                "target": {"kind": "HTTPRoute", "name": MODEL},
                "patch": f"- {{op: replace, path: /spec/hostnames/0, value: {host}}}",
            }
        ],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    named = f"--kustomize={tmp_path}"
    empty = namespace.objects()
    namespace.kubectl("apply", named)
    namespace.settled()
    for headers in ({}, {"x-canary": "always"}):
        for protocol in CLIENTS:
            until("the route leads to it", lambda: _asked(protocol, namespace, host, headers))  # noqa: B023
    assert namespace.kubectl("diff", named) == ""
    scalers = namespace.get("hpa")["items"]
    assert {each["spec"]["scaleTargetRef"]["name"] for each in scalers} == {
        f"{MODEL}-predictor",
        f"{MODEL}-canary-predictor",
    }
    namespace.kubectl("delete", named)
    until(f"only {empty} is left", lambda: namespace.objects() == empty)


def given(namespace: Namespace) -> Given:
    """Wait until the model answers, and return what is there by then and what it says."""
    namespace.settled()
    host = namespace.host(MODEL)
    answers = {
        protocol: until("the route leads to it", lambda: _asked(protocol, namespace, host, {}))  # noqa: B023
        for protocol in CLIENTS
    }
    parts = "deployments,services,httproutes,inferenceservices,networkpolicies,poddisruptionbudgets,serviceaccounts"
    return {
        "objects": {f"{each['kind']}/{each['metadata']['name']}" for each in namespace.get(parts)["items"]},
        "pod": namespace.get(f"deployment/{MODEL}-predictor")["spec"]["template"]["spec"],
        "answers": answers,
    }


def _asked(protocol: str, namespace: Namespace, host: str, headers: dict[str, str]) -> list[str]:
    try:
        return species(protocol, namespace.cluster, host, birds().dropna(), headers)
    except InferenceServerException:
        return []


def _from(directory: Path, part: str) -> str:
    """Return a part of kustomize/ as seen from elsewhere; Kustomize takes no absolute path."""
    return os.path.relpath(KUSTOMIZE / part, directory)
