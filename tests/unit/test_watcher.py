"""Looking for changes at intervals, in the loader's thread, whatever state the disk is in."""

import asyncio
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor
from structlog.testing import capture_logs

from model.artifact import LoadPolicy
from model.metrics import Metrics
from model.repository import ModelRepository
from model.servable import Servable, load_servable
from model.store import model_directories
from model.watcher import Watcher

pytestmark = pytest.mark.asyncio

HOUR = 3600.0


def write(directory: Path) -> None:
    directory.mkdir(parents=True)
    estimator = DummyRegressor().fit(np.zeros((2, 1)), [0, 0])
    (directory / "model.pkl").write_bytes(pickle.dumps(estimator))


class Watched:
    """A repository over a root, and what is needed to watch it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.threads: set[str] = set()
        self.loader = ThreadPoolExecutor(1, thread_name_prefix="loader")
        self.repository = ModelRepository(model_directories(root), self._load, Metrics(), max_versions=3)
        for name in self.repository:
            self.repository.load(name)
        self.threads.clear()

    def _load(self, directory: Path, name: str, version: str) -> Servable:
        self.threads.add(threading.current_thread().name)
        return load_servable(directory, name, LoadPolicy(), version=version or None)

    def watcher(self, seconds: float = HOUR, *, root: bool = True) -> Watcher:
        return Watcher(self.repository, self.loader, seconds, self.root if root else None)

    def served(self) -> list[str]:
        return [f"{servable.name}:{servable.version}" for servable in self.repository.servables()]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    write(tmp_path / "models" / "fish" / "1")
    watched = Watched(tmp_path / "models")
    yield watched
    watched.loader.shutdown()


async def test_versions_and_models_are_taken_in_the_loaders_thread(watched: Watched) -> None:
    watcher = watched.watcher()
    write(watched.root / "fish" / "2")
    write(watched.root / "bird" / "1")
    await watcher.look()
    assert watched.served() == ["fish:1"]
    await watcher.look()
    assert watched.served() == ["fish:1", "fish:2", "bird:1"]
    assert watched.threads == {"loader_0"}


async def test_where_there_is_no_root_the_one_model_is_looked_at(watched: Watched) -> None:
    watcher = watched.watcher(root=False)
    write(watched.root / "fish" / "2")
    write(watched.root / "bird" / "1")
    for _ in range(2):
        await watcher.look()
    assert watched.served() == ["fish:1", "fish:2"]


async def test_a_root_that_is_not_there_for_a_while_changes_nothing_and_is_reported_once(watched: Watched) -> None:
    watcher = watched.watcher()
    before = watched.repository.servables()
    watched.root.rename(watched.root.with_name("away"))
    with capture_logs() as log:
        for _ in range(3):
            await watcher.look()
    assert watched.repository.servables() == before
    assert [line["event"] for line in log] == ["the model root is of no use; what is loaded goes on"]
    assert log[0]["reason"].endswith("is no directory; expected one of <name>/<version>/ directories.")
    watched.root.with_name("away").rename(watched.root)
    with capture_logs() as log:
        for _ in range(2):
            await watcher.look()
    assert watched.repository.servables() == before
    assert [line["event"] for line in log] == ["the model root is there again"]


async def test_a_root_that_is_empty_for_a_while_unloads_nothing(watched: Watched) -> None:
    """So does a disk look that is not mounted."""
    watcher = watched.watcher()
    before = watched.repository.servables()
    watched.root.rename(watched.root.with_name("away"))
    watched.root.mkdir()
    for _ in range(3):
        await watcher.look()
    assert watched.repository.servables() == before
    assert watched.repository.all_ready()
    watched.root.rmdir()
    watched.root.with_name("away").rename(watched.root)
    await watcher.look()
    assert watched.repository.servables() == before
    assert [line.reason for line in watched.repository.index()] == [""]


async def until(condition: asyncio.Event) -> None:
    await asyncio.wait_for(condition.wait(), 20)


async def test_it_looks_again_and_again_whatever_happens_until_it_is_cancelled(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = watched.watcher(seconds=0.001)
    looks = 0
    often = asyncio.Event()

    async def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            often.set()
        raise ZeroDivisionError

    monkeypatch.setattr(watcher, "look", look)
    with capture_logs() as log:
        running = asyncio.create_task(watcher.run())
        await until(often)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert {line["event"] for line in log} == {"a look at the models failed; the next follows"}


async def test_a_model_that_can_not_be_looked_at_keeps_no_other_from_it(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(watched.root / "bird" / "1")
    refreshed: list[str] = []

    def refresh(name: str) -> None:
        refreshed.append(name)
        raise RecursionError

    monkeypatch.setattr(watched.repository, "refresh", refresh)
    with capture_logs() as log:
        await watched.watcher().look()
    assert sorted(refreshed) == ["bird", "fish"]
    assert [(line["event"], line["model"]) for line in log] == [
        ("a look at a model failed; the next follows", name) for name in refreshed
    ]


async def test_what_a_client_loads_comes_in_between_two_models(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(watched.root / "bird" / "1")
    begun, go_on = threading.Event(), threading.Event()
    order: list[str] = []

    def refresh(name: str) -> None:
        order.append(name)
        begun.set()
        assert go_on.wait(20)

    monkeypatch.setattr(watched.repository, "refresh", refresh)
    looking = asyncio.create_task(watched.watcher().look())
    assert await asyncio.to_thread(begun.wait, 20)
    client = asyncio.get_running_loop().run_in_executor(watched.loader, order.append, "client")
    go_on.set()
    await asyncio.gather(looking, client)
    assert order == ["fish", "client", "bird"]
