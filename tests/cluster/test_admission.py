"""Every object that the chart can make is admitted: by the API server's schemas, the CRDs' rules, and the webhooks."""

import json
from collections.abc import Iterator

import pytest

from tests.cluster.harness.cluster import Cluster, CommandFailed, Namespace, Object
from tests.deploy.rendering import CASES, objects, values_of

Paths = dict[tuple[str, str], str]


@pytest.fixture(scope="module")
def gateways(cluster: Cluster) -> Iterator[None]:
    """The namespace in which a feature's values say that the Gateway is."""
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "gateways"}})
    yield
    cluster.kubectl("delete", "namespace", "gateways")


@pytest.fixture(scope="module")
def paths(cluster: Cluster, definitions: None) -> Paths:
    """Where the API server takes objects, by their version and kind; with and without a namespace."""
    found = {}
    for line in cluster.kubectl("api-resources", "--no-headers").splitlines():
        plural, *_, version, namespaced, kind = line.split()
        root = f"/api{'s' if '/' in version else ''}/{version}"
        within = "/namespaces/{namespace}" if namespaced == "true" else ""
        found[version, kind] = f"{root}{within}/{plural}"
    return found


@pytest.mark.usefixtures("gateways")
@pytest.mark.parametrize("case", CASES)
def test_every_object_of_a_feature_is_admitted(namespace: Namespace, paths: Paths, case: str) -> None:
    for found in objects(values_of(case), namespace=namespace.name):
        _dry_run(namespace.cluster, paths, found)


def test_a_field_that_no_schema_names_is_refused(namespace: Namespace, paths: Paths) -> None:
    [service] = [found for found in objects(namespace=namespace.name) if found["kind"] == "InferenceService"]
    service["spec"]["predictor"]["minimumReplicas"] = 1
    with pytest.raises(CommandFailed, match=r'unknown field "spec\.predictor\.minimumReplicas"'):
        _dry_run(namespace.cluster, paths, service)


def test_a_pod_that_may_do_more_is_refused(namespace: Namespace, paths: Paths) -> None:
    """Pod Security is what admits the pods of the other tests, so it has to refuse others."""
    [pod, _] = [found for found in objects(namespace=namespace.name) if found["kind"] == "Pod"]
    del pod["spec"]["containers"][0]["securityContext"]["capabilities"]
    with pytest.raises(CommandFailed, match='violates PodSecurity "restricted:latest": unrestricted capabilities'):
        _dry_run(namespace.cluster, paths, pod)


def _dry_run(cluster: Cluster, paths: Paths, found: Object) -> None:
    """Have the API server itself look at an object; kubectl would look first, with less than the server knows."""
    path = paths[found["apiVersion"], found["kind"]].format(namespace=found["metadata"].get("namespace"))
    query = "?dryRun=All&fieldValidation=Strict"
    cluster.kubectl("create", f"--raw={path}{query}", "--filename=-", stdin=json.dumps(found))
