import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.clients.models import Models, published
from tests.processes import unmeasured
from tests.servers import REPOSITORY, ServerProcess

Run = Callable[..., "Answers"]


class Answers:
    """What a script was answered, or what was raised to it, by question."""

    def __init__(self, entries: dict[str, dict[str, Any]]) -> None:
        self._entries = entries

    def __getitem__(self, question: str) -> Any:
        entry = self._entries[question]
        assert "answer" in entry, entry
        return entry["answer"]

    def values(self, question: str, output: str = "predict") -> Any:
        return self[question]["values"][output]

    def error(self, question: str) -> tuple[str, str]:
        """Return the exception's class and what it says."""
        entry = self._entries[question]
        assert "raised" in entry, entry
        return entry["raised"], entry["message"]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return published(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def server(models: Models) -> Iterator[ServerProcess]:
    with ServerProcess.start("--model_root", str(models.root), "--drain_seconds", "0") as running:
        yield running
    assert running.stray == []


@pytest.fixture(scope="session")
def run() -> Run:
    """Run a client's script in a process of its own, where its generated modules clash with no others."""

    def ask(script: str, *args: object) -> Answers:
        command = [sys.executable, "-m", f"tests.clients.scripts.{script}", *map(str, args)]
        done = subprocess.run(
            command, cwd=REPOSITORY, env=unmeasured(), capture_output=True, text=True, timeout=100, check=False
        )
        assert done.returncode == 0, done.stderr
        return Answers(json.loads(done.stdout))

    return ask
