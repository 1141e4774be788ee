"""What the pods of `helm test` run, run here against a real server."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.rendering import ROOT, of_kind
from tests.servers import ServerProcess


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Serve the penguins as the image does."""
    root = tmp_path_factory.mktemp("models")
    command = [sys.executable, "-m", "training", "run", "--config", "examples/penguins.yaml", "--root", str(root)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=100)
    with ServerProcess.start("--model_root", str(root), "--drain_seconds", "0") as running:
        yield running


def asked(server: ServerProcess, protocol: str, tmp_path: Path, **changed: str) -> subprocess.CompletedProcess[str]:
    """Run a test pod's command, its address aside."""
    (container,) = of_kind("Pod")[f"penguins-test-{protocol}"]["spec"]["containers"]
    interpreter, flag = container["command"]
    assert interpreter == "python"
    script, _, model, row = container["args"]
    address = f"http://127.0.0.1:{server.http_port}" if protocol == "rest" else f"127.0.0.1:{server.grpc_port}"
    command = [sys.executable, flag, script, address, changed.get("model", model), changed.get("row", row)]
    environment = {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_a_test_pod_gets_the_answer(server: ServerProcess, protocol: str, tmp_path: Path) -> None:
    done = asked(server, protocol, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Chinstrap" in done.stdout


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_a_test_pod_without_a_row_asks_for_readiness_alone(
    server: ServerProcess, protocol: str, tmp_path: Path
) -> None:
    done = asked(server, protocol, tmp_path, row="{}")
    assert done.returncode == 0, done.stderr
    assert "ready" in done.stdout
    assert "Chinstrap" not in done.stdout


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_a_test_pod_fails_where_the_model_is_not_there(server: ServerProcess, protocol: str, tmp_path: Path) -> None:
    assert asked(server, protocol, tmp_path, model="walrus").returncode != 0
