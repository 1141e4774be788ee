"""The cluster that the tests run on: this machine's own, or the one that KUBECONFIG names."""

import contextlib
import json
import os
import re
import socket
import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.cluster.asking import PROTOCOLS, Caller
from tests.cluster.harness import istio, own
from tests.cluster.harness.cluster import Cluster, CommandFailed, Namespace, Object, made
from tests.cluster.harness.node import Failed, Node
from tests.cluster.harness.objects import of_file
from tests.cluster.harness.waiting import until
from tests.deploy.record_schemas import SOURCES, directory
from tests.tools import Unavailable, packaged

_TIMEOUT_SECONDS: Final = 600
_BROUGHT_UP: Final = pytest.StashKey[bool]()
_WHY_NOT: Final = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--cluster",
        choices=["own", "kubeconfig"],
        default="own",
        help="own: bring one up on this machine unless it is up; kubeconfig: take the one that KUBECONFIG names",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.cluster)
            item.add_marker(pytest.mark.timeout(_TIMEOUT_SECONDS))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Bring up what the tests need, before the time of any of them runs: of programs yet to be built, many minutes."""
    items = [item for item in session.items if item.get_closest_marker("cluster")]
    if not items or session.config.option.collectonly or not _is_own(session.config):
        return
    node = Node()
    extras = {name for item in items for mark in item.iter_markers("needs") for name in mark.args}
    was_up = own.is_up(node)
    capture = session.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        try:
            own.up(node, sorted(extras))
        except (Failed, Unavailable) as error:
            if len(items) == len(session.items):
                pytest.exit(str(error), 1)
            session.config.stash[_WHY_NOT] = str(error)  # the other tests need none of it
        else:
            session.config.stash[_BROUGHT_UP] = not was_up


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Take down what was brought up; what was up stays."""
    if session.config.stash.get(_BROUGHT_UP, False):
        own.down(Node())


def _is_own(config: pytest.Config) -> bool:
    return bool(config.getoption("--cluster", default="own") == "own")


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """The cluster that the option names."""
    if why_not := request.config.stash.get(_WHY_NOT, ""):
        pytest.fail(why_not)
    if _is_own(request.config):
        kubeconfig = Node().kubeconfig
        yield Cluster(kubeconfig, f"{_gateway_address(kubeconfig)}:80")
    else:
        yield from _named_by_kubeconfig()


@pytest.fixture(scope="session")
def node(request: pytest.FixtureRequest, cluster: Cluster) -> Node:
    """The node of the machine's own cluster, whose parts a test may end and start again."""
    if not _is_own(request.config):
        pytest.skip("The parts of a cluster that KUBECONFIG names are not for tests to end.")
    return Node()


@pytest.fixture(scope="module")
def namespace(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[Namespace]:
    """A namespace for the tests of a module; Pod Security admits restricted pods alone, unless the module says POD_SECURITY."""
    level = getattr(request.module, "POD_SECURITY", "restricted")
    with made(cluster, request.path.stem.replace("_", "-"), level) as found:
        yield found


@pytest.fixture(scope="module")
def caller(request: pytest.FixtureRequest, cluster: Cluster, namespace: Namespace, release: str) -> Caller:
    """Somebody whom a module's MODEL answers, by either protocol."""
    model = request.module.MODEL
    found = Caller(cluster, namespace.host(model), model)
    for protocol in PROTOCOLS:
        until(f"{model} answers by {protocol}", lambda: found.once(protocol).isdigit())  # noqa: B023
    return found


@pytest.fixture(scope="module")
def definitions(cluster: Cluster) -> Iterator[None]:
    """The CRDs of operators that the chart writes for and that do not run here."""
    present = set(cluster.kubectl("get", "crds", "--output=name").split())
    missing = [
        found
        for module, files in SOURCES.items()
        for file in files
        for found in of_file(directory(module) / file)
        if found["kind"] == "CustomResourceDefinition" and _named(found) not in present
    ]
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": missing})
    cluster.kubectl("apply", "--server-side", "--filename=-", stdin=listed)
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", *map(_named, missing))
    yield
    cluster.kubectl("delete", *map(_named, missing))


def _named(definition: Object) -> str:
    return f"customresourcedefinition.apiextensions.k8s.io/{definition['metadata']['name']}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to a failure what the cluster has to say about it."""
    report = yield
    namespace = getattr(item, "funcargs", {}).get("namespace")
    if report.failed and isinstance(namespace, Namespace):
        report.sections.append((f"namespace {namespace.name}", _told_by(namespace)))
    return report


def _told_by(namespace: Namespace) -> str:
    told = []
    for command in (
        ("get", "inferenceservices,httproutes,deployments,pods", "--output=wide"),
        ("get", "events", "--sort-by=.lastTimestamp"),
        ("logs", "--selector=app.kubernetes.io/name=sklearn-kserve", "--all-containers", "--tail=20", "--prefix"),
    ):
        try:
            told.append(namespace.kubectl(*command))
        except CommandFailed as error:
            told.append(str(error))
    return "\n".join(told)


def _named_by_kubeconfig() -> Iterator[Cluster]:
    file = Path(os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")
    service = f"service/{istio.GATEWAY}-istio"
    with subprocess.Popen(
        [packaged("kubectl"), f"--kubeconfig={file}", f"--namespace={istio.GATEWAY_NAMESPACE}", "port-forward", service, ":80"],
        stdout=subprocess.PIPE,
        text=True,
    ) as forward:  # fmt: skip
        assert forward.stdout
        try:
            found = re.search(r"127\.0\.0\.1:(\d+)", forward.stdout.readline())
            assert found, f"{service} in {istio.GATEWAY_NAMESPACE} can't be reached: see tests/cluster/README.md"
            yield Cluster(file, f"127.0.0.1:{found[1]}")
        finally:
            forward.terminate()


def _gateway_address(kubeconfig: Path) -> str:
    service = f"service/{istio.GATEWAY}-istio"
    found = Cluster(kubeconfig, "").get(f"--namespace={istio.GATEWAY_NAMESPACE}", service)
    address: str = found["spec"]["clusterIP"]

    def listens() -> bool:
        with socket.socket() as client:
            client.settimeout(1)
            return client.connect_ex((address, 80)) == 0

    until(f"the Gateway listens at {address}", listens)
    return address
