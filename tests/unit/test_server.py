"""What of a server's life is not seen from outside; `tests/reliability` has the rest."""

import asyncio
import pickle
import signal
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from structlog.testing import capture_logs

from model.errors import ArtifactError
from model.server import Server, serve
from model.settings import Settings
from model.watcher import Watcher

Log = list[Any]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    directory = tmp_path / "models" / "line"
    directory.mkdir(parents=True)
    (directory / "model.pkl").write_bytes(pickle.dumps(LinearRegression().fit(np.zeros((2, 1)), [0.0, 0.0])))
    return directory.parent


@pytest.fixture
def log() -> Iterator[Log]:
    with capture_logs() as lines:
        yield lines


@pytest.fixture(autouse=True)
def _signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the signals of this process alone."""
    monkeypatch.setattr(Server, "_handle_signals", lambda _: None)


def settings(root: Path, **values: Any) -> Settings:
    return Settings(model_root=root, http_port=0, grpc_port=0, drain_seconds=0, **values)


async def line(log: Log, event: str) -> Any:
    """Wait for a line of the log."""
    async with asyncio.timeout(30):
        while True:
            found = next((line for line in log if line["event"].startswith(event)), None)
            if found is not None:
                return found
            await asyncio.sleep(0.01)


@pytest.mark.asyncio
async def test_it_serves_rest_alone_where_grpc_is_off(root: Path, log: Log) -> None:
    serving = Server(settings(root, enable_grpc=False))
    running = asyncio.create_task(serving.run())
    listening = await line(log, "listening")
    await line(log, "ready")
    assert listening["grpc_port"] is None
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listening['http_port']}") as client:
        assert (await client.get("/v2/health/ready")).json() == {"ready": True}
    serving._signalled(signal.SIGTERM)
    await asyncio.wait_for(running, 30)
    assert (await line(log, "draining"))["seconds"] == 0
    serving.leave()
    assert log[-1]["event"] == "stopped"


@pytest.mark.asyncio
async def test_a_model_dir_is_served_under_its_name(root: Path, log: Log) -> None:
    given = Settings(model_dir=root / "line", model_name="mine", http_port=0, enable_grpc=False, predict_proba=True)
    serving = Server(given)
    running = asyncio.create_task(serving.run())
    assert (await line(log, "ready"))["models"] == ["mine"]
    serving._signalled(signal.SIGINT)
    await asyncio.wait_for(running, 30)
    serving.leave()


@pytest.mark.asyncio
@pytest.mark.parametrize("seconds", [0, 0.01])
async def test_the_models_are_watched_where_that_is_wanted(
    root: Path, log: Log, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    looked = asyncio.Event()

    async def look(_: Watcher) -> None:
        assert any(line["event"] == "ready" for line in log)
        looked.set()

    monkeypatch.setattr(Watcher, "look", look)
    serving = Server(settings(root, enable_grpc=False, watch_seconds=seconds))
    running = asyncio.create_task(serving.run())
    await line(log, "ready")
    if seconds:
        await asyncio.wait_for(looked.wait(), 30)
    else:
        await asyncio.sleep(0)
    serving._signalled(signal.SIGTERM)
    await asyncio.wait_for(running, 30)
    serving.leave()
    assert looked.is_set() is bool(seconds)


def test_a_model_root_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="is no directory; expected one of <name>/<version>/ directories"):
        Server(settings(tmp_path / "none"))


def test_a_key_that_is_none_is_refused(root: Path, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("none")
    with pytest.raises(ArtifactError, match=r"key\.pem holds 0 PEM blocks; expected the PEM of one public key"):
        Server(settings(root, verify_key=(key,)))


def test_what_cannot_start_ends_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", ["here"])
    given = settings(tmp_path / "none", code_dir=tmp_path, ignored=("--max_threads",))
    with capture_logs() as log, warnings.catch_warnings():
        assert serve(given) == 1
        assert sys.path == [str(tmp_path), "here"]
    assert [entry["log_level"] for entry in log] == ["warning", "error"]
    assert log[0]["flags"] == ["--max_threads"]


@pytest.mark.asyncio
@pytest.mark.parametrize(("default", "told"), [("nobody", ["nobody"]), (None, [])])
async def test_a_default_model_that_is_not_there_is_told(
    root: Path, log: Log, default: str | None, told: list[str]
) -> None:
    serving = Server(settings(root, enable_grpc=False, default_model=default))
    running = asyncio.create_task(serving.run())
    await line(log, "ready")
    serving._signalled(signal.SIGTERM)
    await asyncio.wait_for(running, 30)
    serving.leave()
    warned = [line for line in log if line["event"].startswith("the default model is not there")]
    assert [line["model"] for line in warned] == told
