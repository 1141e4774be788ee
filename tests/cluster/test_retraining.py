"""Training by the chart's CronJob: from an empty volume to a model that answers, and on to its next version."""

import base64
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import joblib
import palmerpenguins
import pytest
import yaml

from tests.cluster.asking import PROTOCOLS, Caller, Steadily
from tests.cluster.harness.cluster import CHART, Cluster, Namespace
from tests.cluster.harness.images import training
from tests.cluster.harness.waiting import until
from tests.cluster.models import CLAIM, claim, run
from tests.cluster.penguins import CLIENTS, MODEL, birds, species
from tests.tools import ROOT

pytestmark = pytest.mark.needs("training")

CONFIGURATION: Final = "penguins-training"
CRON_JOB: Final = "demo-sklearn-kserve-retraining"
DATA: Final = "penguins-data"
BIRD: Final[Mapping[str, Any]] = {str(name): value for name, value in birds().dropna().iloc[0].to_dict().items()}
_COPY: Final = "import sys, pathlib; pathlib.Path('/models', sys.argv[1]).write_text(sys.argv[2])"
_READ: Final = """
import base64, pathlib, sys
sys.stdout.write(base64.b64encode(pathlib.Path("/mnt/models", sys.argv[1], "model.joblib").read_bytes()).decode())
"""
_LOOK: Final = """
import json, os, pathlib

def written(path):
    try:
        pathlib.Path(path, "x").write_text("x")
    except OSError as error:
        return error.strerror
    pathlib.Path(path, "x").unlink()
    return "written"

status = dict(line.split(":\\t", 1) for line in open("/proc/1/status").read().splitlines() if ":\\t" in line)
paths = ("/", "/opt/venv", "/etc/sklearn-kserve/training", "/data", "/tmp", "/models")
print(json.dumps({
    "paths": {path: written(path) for path in paths},
    "status": {name: status[name] for name in ("CapBnd", "CapEff", "Gid", "NoNewPrivs", "Seccomp", "Uid")},
    "token": os.path.exists("/var/run/secrets/kubernetes.io"),
}))
"""

Values = dict[str, Any]


@dataclass(frozen=True)
class Birdwatcher(Caller):
    """Asks for the species of a bird, to tell the version that answers."""

    def row(self) -> Mapping[str, float | str]:
        return BIRD

    def told(self, value: Any, version: str) -> str:
        return version


def values() -> Values:
    return {
        "models": [{"name": MODEL, "storageUri": f"pvc://{CLAIM}/{MODEL}"}],
        "settings": {"watch_seconds": 1},
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        "retraining": {
            "enabled": True,
            "image": training(),
            "schedule": "0 0 29 2 *",  # so that no run comes but those by hand
            "configMap": CONFIGURATION,
            "claim": CLAIM,
            "dataClaim": DATA,
            "resources": {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"cpu": "2", "memory": "2Gi"}},
        },
    }


def configured(namespace: Namespace, **changed: Any) -> None:
    """Write the configuration: the example's, but for where the rows come from and what is to be changed."""
    example = yaml.safe_load((ROOT / "examples" / "penguins.yaml").read_text())
    written = yaml.safe_dump({**example, "source": "/data/penguins.csv", **changed})
    namespace.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": CONFIGURATION},
            "data": {"training.yaml": written},
        }
    )


def counted(namespace: Namespace, years: int) -> None:
    """Write the birds of the first years to the claim of the data."""
    birds = palmerpenguins.load_penguins()
    known = birds[birds["year"] < birds["year"].min() + years]
    run(namespace, "count", _COPY, "penguins.csv", known.to_csv(index=False), at=DATA)


@pytest.fixture(scope="module")
def release(namespace: Namespace) -> Iterator[str]:
    """The release on a volume that holds no version yet."""
    namespace.apply(claim(mode="ReadWriteMany"), claim(DATA, "ReadWriteMany"))
    counted(namespace, years=2)
    configured(namespace)
    namespace.helm("upgrade", "--install", "demo", str(CHART), "--values=-", stdin=json.dumps(values()))
    yield "demo"
    namespace.helm("uninstall", "demo")


@pytest.fixture(scope="module")
def first(namespace: Namespace, release: str) -> str:
    """What the first run has said."""
    return _trained(namespace, "first")


@pytest.fixture
def caller(cluster: Cluster, namespace: Namespace, first: str) -> Caller:
    found = Birdwatcher(cluster, namespace.host(MODEL), MODEL)
    for protocol in PROTOCOLS:
        until("it answers", lambda: found.once(protocol).isdigit())  # noqa: B023
    return found


def test_the_first_run_fills_an_empty_volume_and_the_model_answers_as_scikit_learn_does(
    cluster: Cluster, namespace: Namespace, first: str, caller: Caller
) -> None:
    assert first.splitlines()[-1].startswith(f"published /models/{MODEL}/1: ")
    namespace.settled()
    assert caller.ask("rest", 20) == caller.ask("grpc", 20) == {"1": 20}
    rows = birds().dropna()
    estimator = joblib.load(io.BytesIO(base64.b64decode(namespace.python(_pod(namespace), _READ, "1"))))
    for protocol in CLIENTS:
        assert species(protocol, cluster, namespace.host(MODEL), rows) == estimator.predict(rows).tolist()


def test_a_run_has_no_right_that_it_does_not_need(namespace: Namespace, first: str) -> None:
    """As the kernel sees it: the job's own pod, with another command."""
    found = json.loads(_job(namespace, "look", "--dry-run=client", "--output=json"))
    [container] = found["spec"]["template"]["spec"]["containers"]
    container["command"], container["args"] = ["python", "-c", _LOOK], []
    namespace.apply(found)
    assert json.loads(_ended(namespace, "look", "Complete")) == {
        "paths": {
            "/": "Read-only file system",
            "/opt/venv": "Read-only file system",
            "/etc/sklearn-kserve/training": "Read-only file system",
            "/data": "Read-only file system",
            "/tmp": "written",  # noqa: S108
            "/models": "written",
        },
        "status": {
            "CapBnd": "0000000000000000",
            "CapEff": "0000000000000000",
            "Gid": "10001\t10001\t10001\t10001",
            "NoNewPrivs": "1",
            "Seccomp": "2",
            "Uid": "10001\t10001\t10001\t10001",
        },
        "token": False,
    }


def test_a_run_on_the_same_data_publishes_nothing(namespace: Namespace, first: str, caller: Caller) -> None:
    before = _versions(namespace)
    said = _trained(namespace, "again")
    assert said.splitlines()[-1] == f"nothing to do: {MODEL}/1 holds the same data and configuration"
    assert _versions(namespace) == before
    assert caller.ask("rest", 20) == {"1": 20}


def test_new_data_become_a_version_that_takes_over_without_a_lost_request(namespace: Namespace, caller: Caller) -> None:
    with Steadily(caller) as steadily:
        counted(namespace, years=3)
        assert _trained(namespace, "new-data").splitlines()[-1].startswith(f"published /models/{MODEL}/2: ")
        for protocol in PROTOCOLS:
            until("version 2 answers", lambda: caller.ask(protocol, 20) == {"2": 20})  # noqa: B023
    assert steadily.failures("1", "2") == {}
    assert min(steadily.answers["1"], steadily.answers["2"]) > 0


def test_a_model_that_the_gate_refuses_fails_its_run_at_once_and_the_one_before_goes_on(
    namespace: Namespace, caller: Caller
) -> None:
    """A second pod would find that there is nothing to do, and the job were complete."""
    before = caller.ask("rest", 20)
    configured(namespace, drop=["year", "bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"])
    said = _trained(namespace, "refused", "Failed")
    assert re.search(
        rf"^sklearn-kserve-train: {MODEL} is not published: accuracy is [\d.]+, expected at least 0.95$",
        said,
        re.MULTILINE,
    )
    assert namespace.get("job/refused")["status"]["conditions"][-1]["reason"] == "PodFailurePolicy"
    assert len(namespace.get("pods", "--selector=job-name=refused")["items"]) == 1
    assert caller.ask("rest", 20) == caller.ask("grpc", 20) == before


def test_a_wrong_configuration_fails_its_run_with_a_sentence_and_the_model_goes_on(
    namespace: Namespace, caller: Caller
) -> None:
    before = caller.ask("rest", 20)
    configured(namespace, estimators={"class": "sklearn.svm.SVC"})
    said = _trained(namespace, "wrong", "Failed")
    file = "/etc/sklearn-kserve/training/training.yaml"
    assert said.startswith(f"sklearn-kserve-train: {file}: key 'estimators' is unknown; expected one of name, ")
    assert len(said.splitlines()) == 1
    assert caller.ask("rest", 20) == caller.ask("grpc", 20) == before


def _job(namespace: Namespace, name: str, *args: str) -> str:
    """Start a run by hand, as the chart's README says it."""
    return namespace.kubectl("create", "job", f"--from=cronjob/{CRON_JOB}", name, *args)


def _trained(namespace: Namespace, name: str, condition: str = "Complete") -> str:
    """Start a run, wait for how it is to end, and return what it has said."""
    _job(namespace, name)
    return _ended(namespace, name, condition)


def _ended(namespace: Namespace, name: str, condition: str) -> str:
    """Wait for how a job is to end, and return what it has said."""
    ended = until(f"job/{name} has ended", lambda: _conditions(namespace, name) & {"Complete", "Failed"}, 120)
    said = namespace.kubectl("logs", f"job/{name}")
    assert ended == {condition}, said
    return said


def _conditions(namespace: Namespace, name: str) -> set[str]:
    found = namespace.get(f"job/{name}")["status"].get("conditions", [])
    return {each["type"] for each in found if each["status"] == "True"}


def _versions(namespace: Namespace) -> list[str]:
    """Return the versions that are on the volume."""
    code = "import os; print(*sorted(name for name in os.listdir('/mnt/models') if name.isdigit()))"
    return namespace.python(_pod(namespace), code).split()


def _pod(namespace: Namespace) -> str:
    [pod] = namespace.get("pods", "--selector=app.kubernetes.io/component=predictor")["items"]
    name: str = pod["metadata"]["name"]
    return name
