"""What is unpickled and what never is: a malicious pickle, in a real server, and what teams already have."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import pytest

from tests.protocol.encodings import document, infer_path
from tests.protocol.wires import Clients
from tests.reliability.conftest import Serve
from tests.reliability.parts import Malice, ask, bare, edit_manifest, flowers, mlflow, publish_flowers
from tests.reliability.test_readiness import index, ready

UNREADY = "not ready: a model has no version that answers"


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "marker"


def other_pickle(version: Path, malice: Malice) -> None:
    """Put another file in the estimator's place."""
    joblib.dump(malice, version / "model.joblib")


def other_format(version: Path, malice: Malice) -> None:
    """Take the estimator away, and leave a file that a bare directory would be served from."""
    (version / "model.joblib").unlink()
    (version / "model.pkl").write_bytes(pickle.dumps(malice))


def other_name(version: Path, malice: Malice) -> None:
    """Let the manifest vouch for a file elsewhere."""
    (version.parent / "evil.joblib").write_bytes(pickle.dumps(malice))
    edit_manifest(version, lambda document: document["estimator"].update(file="../evil.joblib"))


def no_digest(version: Path, malice: Malice) -> None:
    """Let the manifest vouch for nothing."""
    other_pickle(version, malice)
    edit_manifest(version, lambda document: document.update(files={}))


def half_a_manifest(version: Path, malice: Malice) -> None:
    other_pickle(version, malice)
    manifest = version / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:200])


def empty_manifest(version: Path, malice: Malice) -> None:
    other_pickle(version, malice)
    (version / "manifest.json").write_bytes(b"")


def dead_link(version: Path, malice: Malice) -> None:
    other_pickle(version, malice)
    (version / "manifest.json").unlink()
    (version / "manifest.json").symlink_to("gone.json")


TAMPERINGS: dict[str, Callable[[Path, Malice], None]] = {
    "other_pickle": other_pickle,
    "other_format": other_format,
    "other_name": other_name,
    "no_digest": no_digest,
    "half_a_manifest": half_a_manifest,
    "empty_manifest": empty_manifest,
    "dead_link": dead_link,
}


def test_a_malicious_pickle_does_run_when_it_is_unpickled(tmp_path: Path, marker: Path) -> None:
    joblib.load(bare(tmp_path / "bare", Malice(marker)) / "model.joblib")
    assert marker.is_dir()


def test_a_present_manifest_that_does_not_vouch_is_never_passed_over(
    tmp_path: Path, marker: Path, serve: Serve
) -> None:
    for name, tamper in TAMPERINGS.items():
        tamper(publish_flowers(tmp_path / "models", name), Malice(marker))
    clients = serve("--model_root", tmp_path / "models", until=UNREADY)
    assert ready(clients) == 503
    states = index(clients)
    assert {name for name, _ in states} == TAMPERINGS.keys()
    assert {state for state, _ in states.values()} == {"UNAVAILABLE"}
    assert [reason for _, reason in states.values() if "log has the cause" in reason] == []
    for name in TAMPERINGS:
        assert clients.post(infer_path(name), document(ask(model=name))).status_code == 503
    assert not marker.exists()


def test_nothing_is_unpickled_without_a_manifest_where_one_is_required(
    tmp_path: Path, marker: Path, serve: Serve
) -> None:
    root = tmp_path / "models"
    for file in ("model.joblib", "model.pkl", "model.pickle"):
        bare(root / file.replace(".", "_"), Malice(marker), file)
        bare(root / f"versioned_{file[6:]}" / "1", Malice(marker), file)
    mlflow(root / "mlflow", Malice(marker))
    publish_flowers(root)
    joblib.dump(Malice(marker), root / "flowers" / "beside.joblib")
    clients = serve("--model_root", root, "--require_manifest", until=UNREADY)
    states = index(clients)
    assert states.pop(("flowers", "1")) == ("READY", "")
    assert len(states) == 7
    assert [reason for _, reason in states.values() if "one is required here; publish" not in reason] == []
    assert not marker.exists()


def served(clients: Clients, model: str) -> dict[str, Any]:
    answer = clients.post(infer_path(model), document(ask(2.0, model)))
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert body["outputs"][0]["data"] == flowers().predict([[2.0, 0.5]]).tolist()
    return body


def info(clients: Clients) -> dict[str, str]:
    """Return by model whether it is verified, as the metrics say."""
    lines = [line for line in clients.rest.get("/metrics").text.splitlines() if line.startswith("model_info{")]
    labels = [dict(pair.split("=", 1) for pair in line[11 : line.index("}")].split(",")) for line in lines]
    return {label["model"].strip('"'): label["verified"].strip('"') for label in labels}


def test_what_teams_already_have_is_served_with_a_warning(tmp_path: Path, serve: Serve) -> None:
    for file in ("model.joblib", "model.pkl", "model.pickle"):
        bare(tmp_path / file[6:], flowers(), file)
    mlflow(tmp_path / "mlflow", flowers())
    bare(tmp_path / "versioned" / "4", flowers())
    publish_flowers(tmp_path)
    clients = serve("--model_root", tmp_path)

    for name in ("joblib", "pkl", "pickle", "mlflow"):
        assert "model_version" not in served(clients, name)
        assert "versions" not in clients.rest.get(f"/v2/models/{name}").json()
    assert served(clients, "versioned")["model_version"] == "4"
    assert served(clients, "flowers")["model_version"] == "1"
    bare_ones = {"joblib", "pkl", "pickle", "mlflow", "versioned"}
    assert info(clients) == {**dict.fromkeys(bare_ones, "false"), "flowers": "true"}
    warned = {line["model"] for line in clients.server.log if "nothing vouches for it" in line["event"]}
    assert warned == bare_ones
    assert {line["level"] for line in clients.server.log if "nothing vouches for it" in line["event"]} == {"warning"}


def test_model_dir_is_one_artifact_without_a_version(tmp_path: Path, serve: Serve) -> None:
    clients = serve("--model_dir", bare(tmp_path / "mnt", flowers()), "--model_name", "mine")
    assert "model_version" not in served(clients, "mine")
    assert clients.rest.get("/v1/models").json() == {"models": ["mine"]}
    assert clients.post(infer_path("mine", "1"), document(ask())).status_code == 404


def test_model_dir_is_one_published_version(tmp_path: Path, serve: Serve) -> None:
    publish_flowers(tmp_path)
    version = publish_flowers(tmp_path)
    clients = serve("--model_dir", version, "--model_name", "mine", "--require_manifest")
    assert served(clients, "mine")["model_version"] == "2"
    assert clients.rest.get("/v2/models/mine").json()["versions"] == ["2"]
    assert clients.post(infer_path("mine", "2"), document(ask())).status_code == 200


def test_model_dir_is_one_models_versions(tmp_path: Path, serve: Serve) -> None:
    publish_flowers(tmp_path)
    publish_flowers(tmp_path)
    clients = serve("--model_dir", tmp_path / "flowers")
    assert served(clients, "model")["model_version"] == "2"
    assert clients.rest.get("/v2/models/model").json()["versions"] == ["1", "2"]


@pytest.mark.skipif(Path("/mnt/models").exists(), reason="this machine has models of its own there")
def test_without_flags_it_looks_where_kserve_puts_a_model(serve: Serve) -> None:
    clients = serve(until=UNREADY, env={"STORAGE_URI": "s3://bucket/model"})
    (state, reason) = index(clients)["model", ""]
    assert state == "UNAVAILABLE"
    assert reason.startswith("/mnt/models is no directory that can be read (No such file or directory)")
