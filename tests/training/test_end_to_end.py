"""From dirty data to a promoted version, and on to the next one when what is asked has drifted: commands and a server."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import pandas as pd
import pytest
import yaml

from tests.protocol.encodings import infer_path
from tests.protocol.wires import Clients
from tests.reliability.conftest import until
from tests.reliability.test_metrics import samples
from tests.servers import ServerProcess
from tests.training.trainer import Ended, Trainer

ROWS: Final = 600
DRIFTED: Final = 4.0
"""How much longer petals are in the next season."""


def drawn(rows: int, seed: int, longer: float = 0.0) -> pd.DataFrame:
    """Draw flowers that two measures tell apart, but for a few."""
    random = np.random.default_rng(seed)
    length, width = random.normal(5 + longer, 1, rows), random.normal(3, 1, rows).clip(0.5)
    kind = np.where(length - width + random.normal(0, 0.2, rows) > 2 + longer, "long", "short")
    return pd.DataFrame({"length": length.round(3), "width": width.round(3), "kind": kind})


def dirty(flowers: pd.DataFrame) -> str:
    """Write flowers as people do: with words for numbers, other units, rows twice, and gaps."""
    cells = flowers.astype(str)
    cells.loc[:9, "length"] = [f"{float(value) * 10:.2f} mm" for value in cells.loc[:9, "length"]]
    cells.loc[10:14, "length"] = "about five"
    cells.loc[15:17, "width"] = "-99"
    cells.loc[18:20, "kind"] = ""
    cells.loc[21:23, "width"] = "NA"
    text: str = pd.concat([cells, cells.iloc[100:104]]).to_csv(index=False)
    return text


@dataclass
class Project:
    """A directory with data, a configuration and a model root."""

    directory: Path
    train: Trainer
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        return self.directory / "models"

    def write(self, flowers: pd.DataFrame, **settings: Any) -> None:
        (self.directory / "flowers.csv").write_text(dirty(flowers))
        bounds = {"kind": "number", "min": 0, "max": 50}
        self.settings |= {
            "name": "flowers",
            "source": "flowers.csv",
            "target": "kind",
            "task": "classification",
            "columns": {"length": {**bounds, "unit": "cm"}, "width": bounds},
            "evaluation": {"non_inferiority": {"metric": "accuracy", "margin": 0.02}, "pictures": False},
            **settings,
        }
        (self.directory / "flowers.yaml").write_text(yaml.safe_dump(self.settings))

    def do(self, command: str, *arguments: str) -> Ended:
        ended = self.train(command, "--config", self.directory / "flowers.yaml", "--root", self.root, *arguments)
        assert "Traceback" not in ended.err
        return ended

    def left(self, step: str, file: str) -> Any:
        """Return the newest file of a step."""
        found = sorted(
            (self.root / ".runs" / "steps" / "flowers" / step).glob(f"*/{file}"), key=lambda p: p.stat().st_mtime
        )
        return json.loads(found[-1].read_bytes())

    def aliases(self) -> dict[str, str]:
        found = json.loads((self.root / "flowers" / "aliases.json").read_bytes())
        return {alias: found[alias] for alias in ("champion", "challenger")}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Trainer() as train:
        yield Project(tmp_path, train)


def ask(clients: httpx.Client, flowers: pd.DataFrame) -> Any:
    inputs = [
        {"name": name, "datatype": "FP64", "shape": [len(flowers)], "data": flowers[name].tolist()}
        for name in ("length", "width")
    ]
    answer = clients.post(infer_path("flowers"), json={"inputs": inputs})
    assert answer.status_code == 200, answer.text
    return answer.json()


def right(clients: Clients, flowers: pd.DataFrame) -> float:
    """Return the share of flowers that the served version tells right."""
    (output,) = ask(clients.rest, flowers)["outputs"]
    return float((flowers["kind"] == output["data"]).mean())


@contextmanager
def asked_meanwhile(clients: Clients) -> Iterator[list[str]]:
    """Ask without a break, and note the versions that answer; no request may fail."""
    versions: list[str] = []
    errors: list[Exception] = []
    stop = threading.Event()

    def work() -> None:
        try:
            with httpx.Client(base_url=clients.rest.base_url, timeout=30) as client:
                while not stop.wait(0.02):
                    versions.append(ask(client, drawn(1, 0))["model_version"])
        except Exception as error:  # noqa: BLE001 -- told below
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield versions
    finally:
        stop.set()
        thread.join()
    assert not errors


def told(clients: Clients, version: str) -> float:
    """Return how far the length of what was asked has drifted, as the server tells it."""
    return samples(clients, model="flowers", version=version, feature="length")["inference_drift_psi", ""]


def test_dirty_data_become_a_version_that_is_replaced_when_what_is_asked_has_drifted(project: Project) -> None:
    project.write(drawn(ROWS, seed=1), floor={"accuracy": 0.999})
    refused = project.do("run")
    assert refused.code == 3
    assert "0.999" in refused.err.splitlines()[-1]
    assert not list(project.root.glob("flowers/*/manifest.json"))

    project.write(drawn(ROWS, seed=1), floor={"accuracy": 0.85})
    first = project.do("run")
    assert first.code == 0, first.err
    counts = project.left("validate", "report.json")["rows"]
    assert (counts["read"], counts["duplicates"], counts["without_target"]) == (ROWS + 4, 4, 3)
    assert counts["quarantined"] == 8  # five of words and three below the least
    assert sum(counts.values()) - counts["read"] == counts["read"]
    assert project.aliases() == {"champion": "1", "challenger": "1"}

    with ServerProcess.start(
        "--model_root", str(project.root), "--watch_seconds", "0.2", "--drain_seconds", "0", "--require_manifest"
    ) as server:
        clients = Clients.of(server)
        url = f"http://127.0.0.1:{server.http_port}/metrics"
        season = drawn(ROWS, seed=2)
        assert right(clients, season) > 0.85
        same = project.do("retrain", "--metrics_url", url)
        assert same.code == 0
        assert project.aliases()["champion"] == "1"

        drifted = drawn(ROWS, seed=3, longer=DRIFTED)
        assert right(clients, drifted) < 0.7
        for seed in range(4, 8):
            ask(clients.rest, drawn(ROWS, seed, longer=DRIFTED))
        until(lambda: told(clients, "1") > 0.2, "the server tells of the drift")

        project.write(drawn(ROWS, seed=9, longer=DRIFTED), floor={"accuracy": 0.85})
        with asked_meanwhile(clients) as versions:
            again = project.do("retrain", "--metrics_url", url)
            assert again.code == 0, again.err
            until(lambda: "2" in versions, "the version that was promoted answers")
        assert versions == sorted(versions)
        assert right(clients, drifted) > 0.85
        clients.close()

    decision = json.loads((project.root / ".runs" / "retrain" / "flowers" / "retrain.json").read_bytes())
    assert decision["version"] == 2
    assert {signal for signal in ("data", "drift") if signal in json.dumps(decision)} == {"data", "drift"}
    assert project.aliases() == {"champion": "2", "challenger": "2"}
    compared = project.left("evaluate", "decision.json")
    assert compared["accepted"]
    assert compared["champion"]
    assert project.do("run").out.startswith("nothing to do")
