import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import joblib
import pandas as pd
import pytest

from tests.clusters import DaskCluster
from tests.unit.training.fitting.samples import classes, fitted, numbers
from tests.unit.training.project import Project
from training.config.backend import Backend
from training.errors import BackendError, ConfigurationError
from training.fitting import backends
from training.fitting.backends import running

X = numbers(120)
Y = classes(X)
SEARCH = {"space": {"C": {"loguniform": [0.01, 10]}}, "candidates": 3, "folds": 2}

# What a cluster of distributed 2026.8 does when it is left, on any Python that warns of it.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with DaskCluster(tmp_path_factory.mktemp("dask")) as started:
        yield started


def test_this_machine_works_on_all_cpus_that_it_has() -> None:
    with running(Backend()):
        assert joblib.parallel.get_active_backend()[1] == joblib.cpu_count()
    with running(Backend(jobs=3)):
        assert joblib.parallel.get_active_backend()[1] == 3


def test_affinity_limits_the_cpus() -> None:
    script = (
        "import joblib; from training.config.backend import Backend; from training.fitting.backends import running\n"
        "with running(Backend()): print(joblib.parallel.get_active_backend()[1])"
    )
    first = str(min(os.sched_getaffinity(0)))
    told = subprocess.run(
        ["taskset", "-c", first, sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert told.stdout == "1\n"


@pytest.mark.parametrize("method", ["halving", "optuna"])
def test_a_cluster_finds_what_this_machine_does(cluster: DaskCluster, method: str) -> None:
    def found(backend: dict[str, Any]) -> tuple[pd.DataFrame, Any]:
        result, _ = fitted(X, Y, search={**SEARCH, "method": method}, calibration={"folds": 2}, backend=backend)
        return result.search.drop(columns="seconds"), result.pipeline.predict_proba(X).tolist()

    here, there = found({"jobs": 1}), found({"address": cluster.address})
    pd.testing.assert_frame_equal(here[0], there[0])
    assert here[1] == there[1]


def test_the_work_is_done_on_the_workers(cluster: DaskCluster) -> None:
    with running(Backend(address=cluster.address)):
        pids = joblib.Parallel()(joblib.delayed(os.getpid)() for _ in range(8))
    assert os.getpid() not in pids
    assert len(set(pids)) <= 2


def test_the_command_takes_a_cluster_and_fits_the_same(project: Project, cluster: DaskCluster) -> None:
    project.write_config(search={**SEARCH, "method": "random"})
    fitted_here, fitted_there = (_fitted_by_command(project, more) for more in ([], ["--backend", cluster.address]))
    # Under the same key: where it was made decides nothing.
    assert fitted_here == fitted_there


def _fitted_by_command(project: Project, more: list[str]) -> dict[str, bytes]:
    root = project.directory / ("there" if more else "here")
    assert project.train(root, command="ingest").code == 0
    result = project.train(root, command="fit", more=more)
    assert result.code == 0
    assert "3 candidates of LogisticRegression in 2 folds by accuracy" in result.err
    models = (root / ".runs" / "steps" / "fruit" / "fit").glob("*/model.joblib")
    return {model.parent.name: model.read_bytes() for model in models}


def test_a_scheduler_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "_TIMEOUT_SECONDS", 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"dask://127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(BackendError, match=f"{address} cannot be reached within 1 s"),
            running(Backend(address=address)),
        ):
            pytest.fail("it was reached")


def test_a_cluster_without_workers_is_refused(cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def waited(client: Any, count: int, timeout: float) -> None:
        raise TimeoutError(f"Only 0/{count} workers arrived after {timeout}")

    monkeypatch.setattr("distributed.Client.wait_for_workers", waited)
    with (
        pytest.raises(BackendError, match=r"dask://.* has no workers after 10 s; start some by dask worker"),
        running(Backend(address=cluster.address)),
    ):
        pytest.fail("it has workers")


def test_other_software_on_a_worker_is_refused(cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sklearn.__version__", "0.1")
    with (
        pytest.raises(BackendError, match=r"worker tcp://.* has scikit-learn 1\..*; expected 0\.1"),
        running(Backend(address=cluster.address)),
    ):
        pytest.fail("it was taken")


def test_an_address_of_no_cluster_is_wrong_usage(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        project.train(more=["--backend", "http://here"])
    assert caught.value.code == 2
    assert "'http://here' is no cluster; expected dask://HOST:PORT" in capsys.readouterr().err


def test_dask_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(ConfigurationError, match=r"install it by pip install 'sklearn-kserve\[dask\]'"),
        running(Backend(address="dask://127.0.0.1:1")),
    ):
        pytest.fail("it is there")
