"""Servers with settings of their own, started for a test or for a module of them."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.protocol.wires import Clients
from tests.reliability.parts import CODE_DIR
from tests.servers import ServerProcess

Serve = Callable[..., Clients]


class Gates:
    """The gates in a server's models: who has come to one, and opening it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def variables(self) -> dict[str, str]:
        return {"GATES": str(self._directory)}

    def reached(self, name: str) -> bool:
        return (self._directory / f"at-{name}").exists()

    def open(self, name: str) -> None:
        (self._directory / f"open-{name}").touch()

    def close(self, name: str) -> None:
        """Close a gate again, and forget who has come to it."""
        for state in ("open", "at"):
            (self._directory / f"{state}-{name}").unlink(missing_ok=True)


def until(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Wait for a condition, and fail if it does not come true in time."""
    end = time.monotonic() + seconds
    pause = 0.005
    while not condition():
        assert time.monotonic() < end, f"not in {seconds} s: {what}"
        time.sleep(pause)
        pause = min(1.2 * pause, 0.1)  # who asks all the time holds up what it waits for


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    directory = tmp_path / "gates"
    directory.mkdir()
    return Gates(directory)


def _serving(stack: ExitStack) -> Serve:
    def serve(*args: str | Path, key: str | None = None, **options: Any) -> Clients:
        flags = ("--code_dir", str(CODE_DIR), "--drain_seconds", "0", *map(str, args))
        server = stack.enter_context(_ended(ServerProcess.start(*flags, **options)))
        clients = Clients.of(server, key)
        stack.callback(clients.close)
        return clients

    return serve


@contextmanager
def _ended(server: ServerProcess) -> Iterator[ServerProcess]:
    """End a server that the test has left running; how it ends by itself is the subject of some tests alone."""
    try:
        yield server
    except BaseException:
        server.kill()
        raise
    if server.process.poll() is None:
        server.stop()
    assert server.stray == []


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server for a test."""
    with ExitStack() as stack:
        yield _serving(stack)


@pytest.fixture(scope="module")
def serve_all() -> Iterator[Serve]:
    """Start a server for all tests of a module."""
    with ExitStack() as stack:
        yield _serving(stack)
