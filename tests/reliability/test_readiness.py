"""What makes a server ready, and what it says of a version that does not answer."""

from pathlib import Path
from typing import Any

from tests.protocol.encodings import document, infer_path
from tests.protocol.wires import Clients
from tests.protocol.zoo import set_champion, spoil
from tests.reliability.conftest import Serve
from tests.reliability.parts import ask, edit_manifest, publish_flowers, publish_part
from tests.servers import ServerProcess


def index(clients: Clients) -> dict[tuple[str, str], tuple[str, str]]:
    """Return state and reason of every version."""
    states = clients.post("/v2/repository/index", {}).json()
    return {(line["name"], line.get("version", "")): (line["state"], line["reason"]) for line in states}


def ready(clients: Clients, model: str = "") -> int:
    return clients.rest.get(f"/v2/models/{model}/ready" if model else "/v2/health/ready").status_code


def double(document: dict[str, Any]) -> None:
    """Change what the golden rows are expected to give."""
    (probabilities,) = [item for item in document["golden"]["outputs"] if item["name"] == "predict_proba"]
    probabilities["data"] = [2 * value for value in probabilities["data"]]


def test_a_bad_version_beside_a_good_one_is_reported_and_does_not_matter(tmp_path: Path, serve: Serve) -> None:
    for _ in range(3):
        publish_flowers(tmp_path)
    spoil(tmp_path / "flowers" / "3")
    (tmp_path / "flowers" / "2" / "model.joblib").unlink()
    (tmp_path / "flowers" / "next").mkdir()
    clients = serve("--model_root", tmp_path)

    assert ready(clients) == 200
    states = index(clients)
    assert states["flowers", "1"] == ("READY", "")
    assert [state for state, _ in states.values()] == ["READY", "UNAVAILABLE", "UNAVAILABLE"]
    assert states["flowers", "2"][1].startswith(f"{tmp_path}/flowers/2/model.joblib is missing")
    assert "was damaged or replaced" in states["flowers", "3"][1]
    assert clients.post(infer_path("flowers"), document(ask())).json()["model_version"] == "1"
    bad = clients.post(infer_path("flowers", "3"), document(ask()))
    assert (bad.status_code, bad.headers["retry-after"]) == (503, "1")
    assert bad.json()["error"].startswith("Model 'flowers' version 3 is not ready")
    assert clients.post(infer_path("flowers", "4"), document(ask())).status_code == 404
    assert {line["version"] for line in clients.server.events("version refused")} == {"2", "3"}
    (ignored,) = clients.server.events("ignored, for its name is no version number")
    assert ignored["directory"] == f"{tmp_path}/flowers/next"


def test_a_model_without_a_good_version_makes_the_server_unready(tmp_path: Path, serve: Serve) -> None:
    publish_flowers(tmp_path, "good")
    edit_manifest(publish_flowers(tmp_path, "changed"), double)
    publish_part(tmp_path, "Rude", "rude")
    (tmp_path / "nothing").mkdir()
    (tmp_path / "no model").mkdir()
    args = ("--model_root", tmp_path)
    problem = "not ready: a model has no version that answers"
    clients = serve(*args, env={"GATES": str(tmp_path)}, until=problem)

    assert ready(clients) == 503
    assert [ready(clients, name) for name in ("good", "changed", "nothing", "rude")] == [200, 503, 503, 503]
    assert ready(clients, "no model") == 404
    assert clients.rest.get("/v2/health/live").status_code == 200
    assert clients.post(infer_path("good"), document(ask(model="good"))).status_code == 200
    states = index(clients)
    assert states["nothing", ""] == ("UNAVAILABLE", "No version in nothing.")
    assert states["rude", "1"] == ("UNAVAILABLE", "Loading failed; the server's log has the cause.")
    state, reason = states["changed", "1"]
    assert state == "UNAVAILABLE"
    assert reason.startswith("changed version 1 answers its golden rows with other values in 'predict_proba' than")
    (line,) = clients.server.events(problem)
    assert line["reasons"].keys() == {"changed:1", "nothing", "rude:1"}
    (failed,) = clients.server.events("version failed to load")
    assert failed["exception"][0]["type"] == "SystemExit"


def test_without_a_model_it_lives_and_is_not_ready(tmp_path: Path, serve: Serve) -> None:
    problem = "not ready: there is no model in the model root"
    clients = serve("--model_root", tmp_path, until=problem)
    assert ready(clients) == 503
    assert clients.rest.get("/v2/health/live").status_code == 200
    assert clients.rest.get("/v1/models").json() == {"models": []}
    answer = clients.post("/predict", {"a": 1})
    assert answer.json() == {"error": "No model is named and there is no default one; expected one of none."}
    assert clients.server.events(problem)[0]["level"] == "error"


def test_the_alias_decides_and_falls_back_to_the_newest(tmp_path: Path, serve: Serve) -> None:
    for name in ("chosen", "gone", "damaged"):
        publish_flowers(tmp_path, name)
        publish_flowers(tmp_path, name)
    set_champion(tmp_path / "chosen", 1)
    set_champion(tmp_path / "gone", 7)
    (tmp_path / "damaged" / "aliases.json").write_text("{")
    clients = serve("--model_root", tmp_path)
    versions = {
        name: clients.post(infer_path(name), document(ask(model=name))).json()["model_version"]
        for name in ("chosen", "gone", "damaged")
    }
    assert versions == {"chosen": "1", "gone": "2", "damaged": "2"}
    assert clients.server.events("aliases ignored")[0]["model"] == "damaged"
    missed = clients.server.events("the alias names a version that does not answer; another does")
    assert [(line["model"], line["version"]) for line in missed] == [("gone", "7")]


def test_without_code_dir_the_module_that_is_missing_is_named(tmp_path: Path) -> None:
    publish_part(tmp_path, "Gated")
    problem = "not ready: a model has no version that answers"
    with ServerProcess.start("--model_root", str(tmp_path), "--drain_seconds", "0", until=problem) as server:
        clients = Clients.of(server)
        assert ready(clients) == 503
        state, reason = index(clients)["gated", "1"]
        assert state == "UNAVAILABLE"
        assert reason == (
            "gated version 1 needs the module 'reliability_parts', which can't be imported here; "
            "add it in an image FROM this one, or give the directory that holds it by --code_dir."
        )
        clients.close()
