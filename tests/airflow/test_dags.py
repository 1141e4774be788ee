"""
The example DAGs in a real Airflow: parsed, and run from the decision to the champion.

`make test-system` installs Airflow in an environment of its own; what it calls is the command of this one.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import pytest

from tests.deploy.rendering import ROOT, faults
from training.cli import _parser
from training.registry import CHAMPION, Registry

# Each task starts Airflow's own API in its process, for want of a server.
pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

BIN: Final = ROOT / "var" / "airflow" / "bin"
DAGS: Final = ROOT / "examples" / "airflow"
STEPS: Final = ["decide", "validate", "fit", "evaluate", "publish", "promote"]
NAMES: Final = {"image": "trainer:1", "namespace": "ml", "claim": "models", "configmap": "penguins-training"}


class Airflow:
    """
    An Airflow with a home of its own, without a scheduler.

    Parameters
    ----------
    home : Path
    """

    def __init__(self, home: Path) -> None:
        assert (BIN / "airflow").exists(), "Airflow is missing: make test-system installs it"
        self.root = home / "models"
        self.config = home / "penguins.yaml"
        self.config.write_text((ROOT / "examples" / "penguins.yaml").read_text())
        cluster = home / "kubeconfig"
        cluster.write_text(json.dumps(NOBODY))
        variables = {
            "train": str(Path(sys.executable).with_name("sklearn-kserve-train")),
            "config": str(self.config),
            "root": str(self.root),
            "work": str(home / "work"),
            **NAMES,
        }
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "KUBECONFIG": str(cluster),
            "AIRFLOW_HOME": str(home / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            **{f"AIRFLOW_VAR_SKLEARN_KSERVE_{name.upper()}": value for name, value in variables.items()},
        }
        self.does("db", "migrate")

    def does(self, *command: str) -> str:
        """Run a command of Airflow's, and return what it says."""
        return self._run(BIN / "airflow", *command)

    def states(self, date: str) -> Mapping[str, str]:
        """Run the DAG for a date, and return what has become of each task."""
        self.does("dags", "test", "sklearn_kserve_retrain", date)
        said = self.does("tasks", "states-for-dag-run", "sklearn_kserve_retrain", date, "--output", "json")
        return {each["task_id"]: each["state"] for each in json.loads(said[said.index("[{") :])}

    @cached_property
    def parsed(self) -> Any:
        """What it makes of the DAGs."""
        return json.loads(self._run(BIN / "python", ROOT / "tests" / "airflow" / "pods.py", DAGS).splitlines()[-1])

    def _run(self, *command: str | Path) -> str:
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


NOBODY: Final = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "a",
    "clusters": [{"name": "a", "cluster": {"server": "http://127.0.0.1:1"}}],
    "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
}
"""A cluster that is not there."""


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    return Airflow(tmp_path_factory.mktemp("airflow"))


def test_airflow_parses_the_dags_in_the_order_of_the_steps(airflow: Airflow) -> None:
    assert airflow.parsed["errors"] == {}
    assert airflow.parsed["order"] == {"sklearn_kserve_retrain": STEPS, "sklearn_kserve_retrain_pods": STEPS}


def test_a_run_goes_from_the_decision_to_the_champion_and_the_next_one_has_nothing_to_do(airflow: Airflow) -> None:
    assert airflow.states("2026-11-02") == dict.fromkeys(STEPS, "success")
    registry = Registry(airflow.root)
    assert registry.aliases("penguins")[CHAMPION] == "1"
    assert airflow.states("2026-11-09") == dict.fromkeys(STEPS, "skipped")
    assert [version.number for version in registry.versions("penguins")] == [1]


def test_the_pods_run_the_commands_as_the_charts_job_does(airflow: Airflow) -> None:
    every = [pod["spec"]["containers"][0] for pod in airflow.parsed["pods"]]
    assert [each["image"] for each in every] == ["trainer:1"] * len(STEPS)
    commands = [_parser().parse_args(each["args"]) for each in every]
    assert {(str(each.config), each.root) for each in commands} == {
        ("/etc/sklearn-kserve/training/training.yaml", "/models")
    }
    assert [each["args"][0] for each in every] == ["retrain", *STEPS[1:]]
    assert (commands[0].dry_run, commands[0].idle_code) == (True, 99)


def test_the_pods_are_whole_and_fit_pod_security_restricted(airflow: Airflow) -> None:
    for pod in airflow.parsed["pods"]:
        assert faults({"apiVersion": "v1", "kind": "Pod", **pod}) == []
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        (training,) = spec["containers"]
        assert training["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
        volumes = {each["name"]: each for each in spec["volumes"]}
        assert volumes["models"]["persistentVolumeClaim"]["claimName"] == "models"
        assert volumes["config"]["configMap"]["name"] == "penguins-training"
