"""The chart with its default values: what a user has after `helm install`, and what is left after `helm uninstall`."""

import base64
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Final

import httpx
import joblib
import numpy as np
import pandas as pd
import pytest

from tests.cluster.harness.cluster import Cluster, Namespace, Object
from tests.cluster.harness.waiting import until
from tests.cluster.penguins import CLIENTS, MODEL, birds, datatype, species
from tests.tools import ROOT

_READ: Final = """
import base64, pathlib, sys
[file] = pathlib.Path("/models/penguins").glob("*/model.joblib")
sys.stdout.write(base64.b64encode(file.read_bytes()).decode())
"""


@pytest.fixture(scope="module")
def empty(namespace: Namespace) -> set[str]:
    """What the namespace holds before anything is installed."""
    return namespace.objects()


@pytest.fixture(scope="module")
def release(namespace: Namespace, empty: set[str]) -> Iterator[str]:
    namespace.release("demo")
    yield "demo"
    if "demo" in namespace.helm("list", "--short").split():
        namespace.helm("uninstall", "demo")


@pytest.fixture(scope="module")
def pod(namespace: Namespace, release: str) -> str:
    name: str = _pods(namespace)[0]["metadata"]["name"]
    return name


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return birds()


@pytest.fixture(scope="module")
def y(namespace: Namespace, pod: str, rows: pd.DataFrame) -> list[str]:
    """What scikit-learn says of the rows: the estimator of the image, outside of the cluster."""
    estimator = joblib.load(io.BytesIO(base64.b64decode(namespace.python(pod, _READ))))
    said: list[str] = estimator.predict(rows).tolist()
    return said


def test_rest_answers_equal_scikit_learns(
    cluster: Cluster, namespace: Namespace, rows: pd.DataFrame, y: list[str]
) -> None:
    columns = [
        {"name": name, "shape": [len(rows)], "datatype": datatype(rows[name]), "data": _values(rows[name])}
        for name in rows.columns
    ]
    answer = httpx.post(
        f"http://{cluster.gateway}/v2/models/{MODEL}/infer",
        json={"inputs": columns},
        headers={"Host": namespace.host(MODEL)},
    )
    assert answer.status_code == httpx.codes.OK, answer.text
    assert answer.json()["outputs"][0]["data"] == y
    assert answer.json()["model_version"] == "1"


@pytest.mark.parametrize("protocol", CLIENTS)
def test_tritons_clients_are_answered_as_scikit_learn_does(
    protocol: str, cluster: Cluster, namespace: Namespace, rows: pd.DataFrame, y: list[str]
) -> None:
    whole = rows.notna().all(axis=1).to_numpy()
    assert species(protocol, cluster, namespace.host(MODEL), rows[whole]) == np.asarray(y)[whole].tolist()


def test_kserves_clients_are_answered_as_scikit_learn_does(
    cluster: Cluster, namespace: Namespace, rows: pd.DataFrame, y: list[str]
) -> None:
    command = [sys.executable, "-m", "tests.cluster.kserve_client", cluster.gateway, namespace.host(MODEL)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = np.asarray(y)[rows.notna().all(axis=1).to_numpy()].tolist()
    assert json.loads(done.stdout) == {"rest": expected, "grpc": expected}


def test_a_host_that_no_model_has_is_unknown(cluster: Cluster) -> None:
    answer = httpx.get(f"http://{cluster.gateway}/v2/models/{MODEL}", headers={"Host": "other.example.com"})
    assert answer.status_code == httpx.codes.NOT_FOUND


def test_the_server_has_no_right_that_it_does_not_need(namespace: Namespace, pod: str) -> None:
    """Hardening as the kernel sees it, not as the manifest says it."""
    status = dict(
        line.split(":\t", 1)
        for line in namespace.python(pod, "print(open('/proc/1/status').read())").splitlines()
        if ":\t" in line
    )
    assert status["Uid"].split() == ["10001"] * 4
    assert status["Gid"].split() == ["10001"] * 4
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


@pytest.mark.parametrize("path", ["/models/penguins/x", "/opt/venv/x", "/x"])
def test_the_server_can_write_nowhere_but_to_tmp(namespace: Namespace, pod: str, path: str) -> None:
    code = f"try: open({path!r}, 'w')\nexcept OSError as error: print(error.strerror)"
    assert namespace.python(pod, code).strip() == "Read-only file system"
    assert namespace.python(pod, "print(open('/tmp/x', 'w').write('1'))").strip() == "1"


def test_no_token_of_the_cluster_is_in_the_pod(namespace: Namespace, pod: str) -> None:
    code = "import os; print(os.path.exists('/var/run/secrets/kubernetes.io'))"
    assert namespace.python(pod, code).strip() == "False"


def test_helm_test_passes(namespace: Namespace, release: str) -> None:
    told = namespace.helm("test", release, "--timeout=120s", "--logs")
    assert told.count("Phase:          Succeeded") == 2, told
    assert "Adelie" in told or "Chinstrap" in told or "Gentoo" in told


def test_an_upgrade_replaces_the_pods_and_a_rollback_brings_the_old_ones_back(
    namespace: Namespace, release: str
) -> None:
    before = _arguments(namespace)
    namespace.release(release, {"settings": {"max_rows": 64}})
    assert {*_arguments(namespace)} - {*before} == {"--max_rows=64"}
    namespace.helm("rollback", release)
    namespace.settled()
    until("the pods of before are back", lambda: _arguments(namespace) == before)


def test_uninstall_leaves_nothing(namespace: Namespace, release: str, empty: set[str]) -> None:
    namespace.helm("uninstall", release)
    until(f"only {empty} is left", lambda: namespace.objects() == empty)


def _pods(namespace: Namespace) -> list[Object]:
    """Return the pods that are to stay."""
    found = namespace.get("pods", "--selector=app.kubernetes.io/component=predictor")["items"]
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def _arguments(namespace: Namespace) -> list[str]:
    [pod] = _pods(namespace)
    arguments: list[str] = pod["spec"]["containers"][0]["args"]
    return arguments


def _values(values: "pd.Series[Any]") -> list[Any]:
    return [None if pd.isna(value) else value for value in values]
