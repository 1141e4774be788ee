"""Artifacts that were damaged on their way, or under a running server, and disks that are full."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from operator import methodcaller
from pathlib import Path

import joblib
import numpy as np
import pytest

from tests.keys import make_key
from tests.protocol.encodings import document, infer_path
from tests.protocol.wires import Clients
from tests.reliability.conftest import Serve
from tests.reliability.parts import ask, edit_manifest, flowers, publish_flowers
from tests.reliability.test_readiness import index, ready
from tests.servers import REPOSITORY


def truncated(version: Path) -> None:
    with (version / "model.joblib").open("r+b") as file:
        file.truncate(file.seek(0, os.SEEK_END) // 2)


def emptied(version: Path) -> None:
    (version / "model.joblib").write_bytes(b"")


def extended(version: Path) -> None:
    with (version / "model.joblib").open("ab") as file:
        file.write(b"\0")


def bit_flipped(version: Path) -> None:
    content = bytearray((version / "model.joblib").read_bytes())
    content[len(content) // 2] ^= 1
    (version / "model.joblib").write_bytes(content)


def missing(version: Path) -> None:
    (version / "model.joblib").unlink()


def a_directory(version: Path) -> None:
    missing(version)
    (version / "model.joblib").mkdir()


def a_pipe(version: Path) -> None:
    missing(version)
    os.mkfifo(version / "model.joblib")


def a_circle_of_links(version: Path) -> None:
    missing(version)
    (version / "model.joblib").symlink_to("model.joblib")


def wrong_digest(version: Path) -> None:
    edit_manifest(version, lambda document: document["files"].update({"model.joblib": "0" * 64}))


def other_minor_release(version: Path) -> None:
    edit_manifest(version, lambda document: document["environment"]["packages"].update({"scikit-learn": "1.2.3"}))


def half_a_manifest(version: Path) -> None:
    content = (version / "manifest.json").read_bytes()
    (version / "manifest.json").write_bytes(content[: len(content) // 2])


def engine_bit_flipped(version: Path) -> None:
    content = bytearray((version / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (version / "model.onnx").write_bytes(content)


def empty(version: Path) -> None:
    for file in version.iterdir():
        file.unlink()


DAMAGES: list[Callable[[Path], None]] = [
    truncated,
    emptied,
    extended,
    bit_flipped,
    missing,
    a_directory,
    a_pipe,
    a_circle_of_links,
    wrong_digest,
    other_minor_release,
    half_a_manifest,
    engine_bit_flipped,
    empty,
]


def answered(clients: Clients, model: str) -> str:
    """Return the version that answered, and see that it answered right."""
    answer = clients.post(infer_path(model), document(ask(2.0, model)))
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["outputs"][0]["data"] == flowers().predict([[2.0, 0.5]]).tolist()
    return str(body["model_version"])


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[str], Path]:
    """Give a model of two equal versions, under a name of its own, without publishing each."""
    source = publish_flowers(tmp_path / "source")

    def copy(name: str) -> Path:
        for version in (1, 2):
            target = tmp_path / "models" / name / str(version)
            shutil.copytree(source, target)
            edit_manifest(target, methodcaller("update", name=name, version=version))
        return tmp_path / "models" / name

    return copy


Copy = Callable[[str], Path]


def test_beside_a_damaged_version_the_one_before_answers(tmp_path: Path, copy: Copy, serve: Serve) -> None:
    for damage in DAMAGES:
        damage(copy(damage.__name__) / "2")
    clients = serve("--model_root", tmp_path / "models", "--require_manifest")
    assert ready(clients) == 200
    states = index(clients)
    for damage in DAMAGES:
        name = damage.__name__
        assert answered(clients, name) == "1", name
        state, reason = states[name, "2"]
        assert state == "UNAVAILABLE", name
        assert "log has the cause" not in reason, name


def test_what_happens_to_the_files_of_a_version_that_answers_does_not_matter(
    tmp_path: Path, copy: Copy, serve: Serve
) -> None:
    models = [copy(damage.__name__) for damage in DAMAGES]
    key = make_key(tmp_path / "keys.json", admin=True)
    flags = ("--enable_repository_api", "--api_key_file", tmp_path / "keys.json")
    clients = serve("--model_root", tmp_path / "models", *flags, key=key)
    for damage, model in zip(DAMAGES, models, strict=True):
        for version in ("1", "2"):
            damage(model / version)
        assert answered(clients, model.name) == "2"
        # Nor does it when they are read again: what was loaded before goes on.
        assert clients.post(f"/v2/repository/models/{model.name}/load", {}).status_code == 503
        assert answered(clients, model.name) == "2"


PUBLISH = """
import resource, runpy, sys
sys.argv[:2] = ["model"]
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
runpy.run_module("model", run_name="__main__")
"""


@pytest.mark.parametrize("room", [0, 300, 1500])
def test_nothing_is_left_where_a_disk_is_full(tmp_path: Path, room: int) -> None:
    """A limit on a file's size stands for the disk: the system refuses the write in the same place."""
    joblib.dump(flowers(), tmp_path / "mine.joblib")
    np.savetxt(
        tmp_path / "rows.csv", np.random.default_rng(1).normal(size=(20, 2)), delimiter=",", header="a,b", comments=""
    )
    root = tmp_path / "root"
    version = publish_flowers(root)
    before = sorted(root.rglob("*"))
    # No coverage data of this process: its file could not be written either.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COV")}
    command = ["-c", PUBLISH, "-", room, "publish", tmp_path / "mine.joblib"]
    options = ["--name", "flowers", "--root", root, "--sample", tmp_path / "rows.csv"]
    done = subprocess.run(
        [sys.executable, *map(str, [*command, *options])],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 1, done
    assert done.stdout == ""
    assert "nothing was published, make room or mend the permissions." in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(root.rglob("*")) == before
    assert (version / "manifest.json").exists()
