"""MLflow's own server, which ``make test-system`` installs in an environment of its own."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.unit.training.registry.fish import publish_fish
from training.registry import CHALLENGER, CHAMPION, Registry
from training.tracking import Tracker

REPOSITORY: Final = Path(__file__).parents[3]
PYTHON: Final = REPOSITORY / "var" / "mlflow" / "bin" / "python"

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


@pytest.fixture
def uri(tmp_path: Path) -> Iterator[str]:
    assert PYTHON.exists(), "MLflow is missing: make test-system installs it"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    uri = f"http://127.0.0.1:{port}"
    store = [
        "--backend-store-uri",
        f"sqlite:///{tmp_path}/mlflow.db",
        "--artifacts-destination",
        str(tmp_path / "files"),
    ]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                str(PYTHON),
                "-m",
                "mlflow",
                "server",
                *store,
                "--host",
                "127.0.0.1",
                "--port",
                str(port),
                "--workers",
                "1",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=tmp_path,
            env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
            start_new_session=True,
        )
    try:
        until_it_answers(f"{uri}/health", process, tmp_path / "log")
        yield uri
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def until_it_answers(url: str, process: "subprocess.Popen[bytes]", log: Path, seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(url, timeout=5).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.5)
    raise AssertionError(log.read_text())


def test_versions_and_aliases_are_shown_by_a_real_server(uri: str, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    registry = Registry(tmp_path / "root")
    for answer in (1.0, 2.0):
        mark = {"snapshot": {"sha256": "0" * 64}, "configuration": {f"key{i}": i for i in range(250)}}
        registry.publish("fish", partial(publish_fish, answer=answer, mark=mark))
    for version in registry.versions("fish"):
        registry.move("fish", CHALLENGER, version)
        registry.move("fish", CHAMPION, version)
    tracker = Tracker(uri, registry)
    assert tracker.mirror("fish") == registry.versions("fish")
    registry.rollback("fish")
    assert tracker.mirror("fish") == []

    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    champion, challenger = (client.get_model_version_by_alias("fish", alias) for alias in ("champion", "challenger"))
    assert champion.tags["sklearn-kserve.version"] == "1"
    assert challenger.tags["sklearn-kserve.version"] == "2"
    assert champion.run_id is not None
    run = client.get_run(champion.run_id)
    assert run.data.metrics == {"mae": 1.0}
    assert len(run.data.params) == 250
    directory = client.download_artifacts(champion.run_id, "", str(tmp_path))
    assert (Path(directory) / "manifest.json").read_bytes() == (
        tmp_path / "root" / "fish" / "1" / "manifest.json"
    ).read_bytes()
