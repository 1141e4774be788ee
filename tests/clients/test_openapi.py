"""schemathesis holds a running server to its own OpenAPI document: what it takes, what it refuses, and how."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from model.artifact import publish
from tests.families import by_id, fitted
from tests.keys import make_key
from tests.processes import unmeasured
from tests.servers import ServerProcess

pytestmark = pytest.mark.timeout(300)  # one run of schemathesis, which is asked several questions

FAMILIES: Final = (
    "hist_gradient_boosting",  # named numbers, missing ones among them; it takes whatever fits the schema
    "k_neighbors",  # a matrix without names
    "text_pipeline",
    "mixed_columns",  # strings, booleans, integers and floats
    "dates",
)
PHASES: Final = {"examples", "coverage", "fuzzing", "stateful"}


class Guarded(NamedTuple):
    """A server, and a key that it takes."""

    server: ServerProcess
    key: str


class Run(NamedTuple):
    """
    What schemathesis found.

    Parameters
    ----------
    report : dict
        Its report in JSON.
    text : str
        What it tells people, requests that fail included.
    """

    report: dict[str, Any]
    text: str


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A server with a key, so that it can be seen to ask for it."""
    root = tmp_path_factory.mktemp("models")
    for name in FAMILIES:
        publish(fitted(name), by_id(name).X, name=name, root=root)
    key_file = tmp_path_factory.mktemp("keys") / "keys.json"
    key = make_key(key_file)
    args = ("--model_root", str(root), "--default_model", FAMILIES[0], "--drain_seconds", "0")
    with ServerProcess.start(*args, "--api_key_file", str(key_file)) as server:
        yield Guarded(server, key)
    assert server.stray == []


@pytest.fixture(scope="module")
def run(guarded: Guarded, tmp_path_factory: pytest.TempPathFactory) -> Run:
    directory = tmp_path_factory.mktemp("schemathesis")
    report = directory / "report.json"
    config = Path(__file__).with_name("schemathesis.toml")
    options = ["--continue-on-failure", "--no-color", "--header", f"Authorization: Bearer {guarded.key}"]
    url = f"http://127.0.0.1:{guarded.server.http_port}/openapi.json"
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", url, *options]
    command += ["--report", "json", "--report-json-path", str(report)]
    done = subprocess.run(
        command, cwd=directory, env=unmeasured(), capture_output=True, text=True, timeout=240, check=False
    )
    assert report.exists(), done.stdout + done.stderr
    return Run(json.loads(report.read_text()), done.stdout + done.stderr)


def test_no_request_finds_the_server_at_odds_with_its_document(run: Run) -> None:
    assert (run.report["failures"], run.report["errors"], run.report["exit_code"]) == ([], [], 0), run.text


def test_every_operation_is_tried_in_every_way(run: Run) -> None:
    operations = run.report["operations"]
    assert operations["total"] == operations["selected"] == operations["tested"] > len(FAMILIES)
    assert operations["errored"] == operations["skipped"] == 0
    assert {name for name, phase in run.report["phases"].items() if phase["status"] == "success"} == PHASES, run.text


@pytest.mark.parametrize("family", FAMILIES)
def test_the_examples_of_the_document_are_answered(run: Run, family: str) -> None:
    rates = {name: phases.get("examples") for name, phases in run.report["valid_rates"].items() if f"/{family}" in name}
    assert f"POST /v2/models/{family}/infer" in rates
    assert [name for name, rate in rates.items() if rate is None or rate["rejected"] or not rate["accepted"]] == []
