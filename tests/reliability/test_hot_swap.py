"""Versions that come, fail, move and go while a real server answers. Every version answers its own number."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import psutil
import pytest
from sklearn.dummy import DummyRegressor

from model.artifact import publish
from tests.protocol.encodings import Ask, Sent, document, infer_path, message
from tests.protocol.wires import Clients
from tests.protocol.zoo import set_champion, spoil
from tests.reliability.conftest import Serve, until
from tests.reliability.load import Asked, Asker
from tests.reliability.parts import Malice, bare
from tests.reliability.test_readiness import index, ready

LONG = os.environ.get("SKLEARN_KSERVE_TEST_CHAOS") == "1"
SWAPS = 200 if LONG else 25
MEBIBYTE = 1 << 20
WATCH = ("--watch_seconds", "0.05")


def number(version: float) -> DummyRegressor:
    X = np.arange(6.0).reshape(6, 1)
    return DummyRegressor(strategy="constant", constant=float(version)).fit(X, X[:, 0])


def publish_number(root: Path, name: str, version: int, column: str = "x") -> Path:
    sample = pd.DataFrame({column: np.arange(6.0)})
    estimator = DummyRegressor(strategy="constant", constant=float(version)).fit(sample, sample[column])
    directory = publish(estimator, sample, name=name, root=root, accelerate=False)
    assert directory.name == str(version)
    return directory


def ask(name: str, version: str = "", column: str = "x") -> Ask:
    return Ask(name, (Sent(column, "FP64", (1, 1), (0.5,)),), version)


def asked(clients: Clients, name: str, version: str = "", column: str = "x") -> str:
    """Return which version has answered, by its own word and by its answer, which are to be the same."""
    answer = clients.post(infer_path(name, version), document(ask(name, version, column)))
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["outputs"][0]["data"] == [float(body["model_version"])]
    return str(body["model_version"])


def becomes(clients: Clients, name: str, version: int) -> None:
    """Wait until a version answers by default."""
    until(lambda: asked(clients, name) == str(version), f"version {version} of {name} answers")


def samples(clients: Clients, start: str) -> dict[str, float]:
    lines = clients.rest.get("/metrics").text.splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line.startswith(start))
    return {name: float(value) for name, value in pairs}


def swaps(clients: Clients, name: str, result: str) -> float:
    return samples(clients, "model_swaps_total")[f'model_swaps_total{{model="{name}",result="{result}"}}']


class Answers:
    """Asks over one connection; a version that another has answered for, or that comes back, is a failure."""

    def __init__(self, port: int, send: Callable[[], tuple[str, float]]) -> None:
        self._port = port
        self._send = send
        self._newest = 0

    def __call__(self) -> Asked:
        at = time.monotonic()
        try:
            version, value = self._send()
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is the test's subject
            return Asked(at, self._port, repr(error))
        right = float(version) == value and int(version) >= self._newest
        self._newest = int(version)
        return Asked(at, self._port, "200" if right else f"{value} by version {version} after {self._newest}")

    def close(self) -> None:
        """The clients are closed by the fixture."""


def over_rest(clients: Clients, name: str) -> Callable[[], tuple[str, float]]:
    body = json.dumps(document(ask(name))).encode()

    def send() -> tuple[str, float]:
        answer = clients.rest.post(infer_path(name), content=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["model_version"], answer.json()["outputs"][0]["data"][0]

    return send


def over_grpc(clients: Clients, name: str) -> Callable[[], tuple[str, float]]:
    request = message(ask(name))

    def send() -> tuple[str, float]:
        answer = clients.call("ModelInfer", request)
        return answer.model_version, answer.outputs[0].contents.fp64_contents[0]

    return send


@contextmanager
def under_load(clients: Clients, name: str) -> Iterator[list[Asker]]:
    """Ask 200 times a second over four connections; nothing may fail."""
    several = [Clients.of(clients.server) for _ in range(4)]
    ways = (over_rest, over_grpc, over_rest, over_grpc)
    askers = [Asker(Answers(n, way(c, name))) for n, (way, c) in enumerate(zip(ways, several, strict=True))]
    for asker in askers:
        asker.start()
    try:
        yield askers
    finally:
        for asker, one in zip(askers, several, strict=True):
            asker.stop()
            one.close()
    assert [failure for asker in askers for failure in asker.failures()] == []


@pytest.mark.timeout(600)
def test_swaps_under_load_lose_no_request_and_leave_nothing_behind(tmp_path: Path, serve: Serve) -> None:
    shelf, root = tmp_path / "shelf", tmp_path / "models"
    for version in range(1, SWAPS + 2):
        publish_number(shelf, "swapped", version)
    (root / "swapped").mkdir(parents=True)
    (shelf / "swapped" / "1").rename(root / "swapped" / "1")
    clients = serve("--model_root", root, *WATCH)
    process = psutil.Process(clients.server.process.pid)
    warm = 0
    with under_load(clients, "swapped") as askers:
        for version in range(2, SWAPS + 2):
            (shelf / "swapped" / str(version)).rename(root / "swapped" / str(version))
            becomes(clients, "swapped", version)
            assert ready(clients) == 200
            if version == SWAPS // 4:
                warm = process.memory_info().rss
    assert min(len(asker.asked) for asker in askers) > SWAPS
    assert process.memory_info().rss - warm < 24 * MEBIBYTE
    assert swaps(clients, "swapped", "success") == SWAPS
    assert swaps(clients, "swapped", "failure") == 0
    assert len(samples(clients, "model_info{")) == len(samples(clients, "model_last_load_timestamp_seconds{")) == 3
    assert asked(clients, "swapped", str(SWAPS)) == str(SWAPS), "the version before is still there"
    assert clients.post(infer_path("swapped", "1"), document(ask("swapped", "1"))).status_code == 404


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    publish_number(root, "first", 1)
    return root


@pytest.fixture(scope="module")
def watched(serve_all: Serve, root: Path) -> Clients:
    """A server that watches a root, in which each test has a model of its own."""
    return serve_all("--model_root", root, *WATCH)


def appear(watched: Clients, root: Path, name: str, *, versions: int = 1) -> None:
    """Publish a new model and wait until all of its versions answer."""
    for version in range(1, versions + 1):
        publish_number(root, name, version)
    until(lambda: index(watched).get((name, str(versions)), ("",))[0] == "READY", f"{name} is loaded")
    assert asked(watched, name) == str(versions)


def truncated(version: Path, marker: Path) -> None:
    estimator = version / "model.joblib"
    estimator.write_bytes(estimator.read_bytes()[:-20])


def bit_flipped(version: Path, marker: Path) -> None:
    spoil(version)


def half_copied(version: Path, marker: Path) -> None:
    (version / "model.joblib").unlink()


def forged(version: Path, marker: Path) -> None:
    joblib.dump(Malice(marker), version / "model.joblib")


@pytest.mark.parametrize("damage", [truncated, bit_flipped, half_copied, forged])
def test_a_bad_new_version_leaves_the_old_one_and_is_taken_when_mended(
    watched: Clients, root: Path, tmp_path: Path, damage: Callable[[Path, Path], None]
) -> None:
    name = damage.__name__
    appear(watched, root, name)
    good = publish_number(shutil.copytree(root / name, tmp_path / name).parent, name, 2)
    marker = tmp_path / "marker"
    damage(shutil.copytree(good, tmp_path / "bad"), marker)
    (tmp_path / "bad").rename(root / name / "2")
    until(lambda: index(watched).get((name, "2"), ("",))[0] == "UNAVAILABLE", "version 2 is refused")
    assert ("is missing" if damage is half_copied else "was damaged or replaced") in index(watched)[name, "2"][1]
    assert asked(watched, name) == "1"
    assert (ready(watched), ready(watched, name)) == (200, 200)
    assert swaps(watched, name, "failure") == 1

    shutil.copyfile(good / "model.joblib", root / name / "2" / "model.joblib")
    becomes(watched, name, 2)
    assert len([line for line in watched.server.events("version refused") if line["model"] == name]) == 1
    assert not marker.exists()


def test_a_new_model_that_is_broken_leaves_the_server_ready(watched: Clients, root: Path) -> None:
    bare(root / "broken" / "1", number(1))
    (root / "broken" / "1" / "model.joblib").write_bytes(b"no estimator")
    until(lambda: index(watched).get(("broken", "1"), ("",))[0] == "UNAVAILABLE", "the model is refused")
    assert (ready(watched), ready(watched, "broken")) == (200, 503)
    shutil.rmtree(root / "broken")
    until(lambda: ("broken", "1") not in index(watched), "the model is forgotten")


def test_a_champion_moved_back_is_a_rollback(watched: Clients, root: Path) -> None:
    appear(watched, root, "rolled", versions=2)
    loads = samples(watched, 'model_loads_total{model="rolled"')
    for version in (1, 2, 1):
        set_champion(root / "rolled", version)
        becomes(watched, "rolled", version)
    assert samples(watched, 'model_loads_total{model="rolled"') == loads, "both were there"
    assert swaps(watched, "rolled", "success") in {3, 4}, "and one more if the first look came between the versions"


def test_metadata_and_the_openapi_document_follow(watched: Clients, root: Path) -> None:
    def described() -> dict[str, Any]:
        paths: dict[str, Any] = watched.rest.get("/openapi.json").json()["paths"]
        return {path: json.dumps(item) for path, item in paths.items() if "described" in path}

    appear(watched, root, "described")
    before = described()
    assert "/v2/models/described/versions/1/infer" in before
    publish_number(root, "described", 2, column="length")
    until(lambda: index(watched).get(("described", "2"), ("",))[0] == "READY", "version 2 is loaded")
    metadata = watched.rest.get("/v2/models/described").json()
    assert metadata["versions"] == ["1", "2"]
    assert [column["name"] for column in metadata["inputs"]] == ["length"]
    assert asked(watched, "described", column="length") == "2"
    assert described().keys() - before.keys() == {"/v2/models/described/versions/2/infer"}


def test_deleting_a_version_unloads_it_and_deleting_all_does_not(watched: Clients, root: Path) -> None:
    appear(watched, root, "deleted", versions=2)
    (root / "deleted" / "2").rename(root / ".away")
    becomes(watched, "deleted", 1)
    assert [line for line in samples(watched, "model_info{") if 'model="deleted",' in line] != []
    assert ("deleted", "2") not in index(watched)
    (root / "deleted").rename(root / ".all-away")
    gone = watched.server.wait_for("the model's directory is of no use", lambda line: line["model"] == "deleted")
    assert gone["level"] == "error"
    assert asked(watched, "deleted") == "1"
    assert ready(watched) == 200


def test_an_artifact_that_is_replaced_in_place_answers_anew(tmp_path: Path, serve: Serve) -> None:
    directory = bare(tmp_path / "mnt", number(1))
    clients = serve("--model_dir", directory, "--model_name", "mine", *WATCH)

    def answer() -> Any:
        return clients.post(infer_path("mine"), document(ask("mine"))).json()["outputs"][0]["data"]

    assert answer() == [1.0]
    joblib.dump(number(2), directory / "model.joblib")
    until(lambda: answer() == [2.0], "the new file answers")
    (directory / "model.joblib").write_bytes(b"")
    until(lambda: "can't be loaded" in index(clients)["mine", ""][1], "the empty file is refused")
    assert answer() == [2.0]
    assert (swaps(clients, "mine", "success"), swaps(clients, "mine", "failure")) == (1, 1)
