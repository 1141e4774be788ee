"""One server with many models for the whole session, and what makes smaller ones with settings of their own."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.protocol import zoo
from tests.protocol.wires import Clients
from tests.servers import ServerProcess

# Shared machines find no deadline fair; and the server under test is meant to live from one example to the next.
settings.register_profile(
    "wire", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
settings.load_profile("wire")

Start = Callable[..., Clients]


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models of every kind, and some that have several versions; published once for all of xdist's processes."""
    own = tmp_path_factory.mktemp("models")
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return _publish(own)
    shared = tmp_path_factory.getbasetemp().parent / "models"
    try:
        shared.with_suffix(".lock").touch(exist_ok=False)
    except FileExistsError:
        return _wait_for(shared)
    return _publish(own).rename(shared)


def _publish(root: Path) -> Path:
    zoo.publish_subjects(root, *zoo.FAMILIES, *zoo.PARTS)
    zoo.publish_constants(root, "newest", 1, 2, 10, 11)
    zoo.spoil(root / "newest" / "11")
    (root / "newest" / "latest").mkdir()
    zoo.publish_constants(root, "champion", 1, 2, 3)
    zoo.set_champion(root / "champion", 2)
    zoo.publish_constants(root, "vacant", 1, 2)
    zoo.set_champion(root / "vacant", 7)
    return root


def _wait_for(directory: Path) -> Path:
    end = time.monotonic() + 100
    while not directory.exists():
        assert time.monotonic() < end, "another process of this run did not publish the models in time"
        time.sleep(0.1)
    return directory


@pytest.fixture(scope="session")
def clients(root: Path) -> Iterator[Clients]:
    """Clients of the server that holds them all."""
    args = ("--model_root", str(root), "--code_dir", str(zoo.CODE_DIR), "--drain_seconds", "0")
    with ServerProcess.start(*args) as server:
        clients = Clients.of(server)
        yield clients
        clients.close()
    assert server.stray == []


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start servers that live as long as a module of tests: models by name, flags, and variables by ``env``."""
    with ExitStack() as stack:

        def start(*models: str, args: tuple[str, ...] = (), key: str | None = None, **options: Any) -> Clients:
            if models:
                root = tmp_path_factory.mktemp("models")
                zoo.publish_subjects(root, *models)
                args = ("--model_root", str(root), *args)
            server = ServerProcess.start("--code_dir", str(zoo.CODE_DIR), "--drain_seconds", "0", *args, **options)
            clients = Clients.of(stack.enter_context(server), key)
            stack.callback(clients.close)
            return clients

        yield start
