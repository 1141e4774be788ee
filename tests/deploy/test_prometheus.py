"""
The rules and configurations in the hands of those they are for: Debian's promtool, Prometheus and Alertmanager.

`make test-system` installs them. A part that is missing fails its tests.
"""

import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any, Final, Self

import httpx
import pytest
import yaml

from tests.deploy.promql import DASHBOARDS, MONITORING, ROOT, alerts, queries, rules
from tests.deploy.rendering import of_kind, values_of
from tests.reliability.parts import publish_flowers
from tests.servers import ServerProcess

# Rules over days are a matter of seconds for promtool, and of minutes on a busy machine.
pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

DOCS: Final = ROOT / "docs" / "monitoring"
TESTS: Final = sorted((ROOT / "tests" / "deploy" / "rules").glob("*.yaml"))


def tool(*names: str) -> str:
    """Return the path of a program that goes by one of these names."""
    found = next(filter(None, map(shutil.which, names)), None)
    assert found, f"{names[0]} is missing: make test-system installs it"
    return found


def run(*command: str | Path, text: str | None = None) -> str:
    done = subprocess.run(list(map(str, command)), input=text, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_prometheus_takes_the_rules() -> None:
    assert f"{len(rules())} rules found" in run(tool("promtool"), "check", "rules", MONITORING / "rules.yaml")


def test_prometheus_takes_the_rules_of_a_release(tmp_path: Path) -> None:
    (found,) = of_kind("PrometheusRule", values_of("monitoring")).values()
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(found["spec"]))
    assert f"{len(rules())} rules found" in run(tool("promtool"), "check", "rules", path)


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_alerts_fire_when_they_should_and_only_then(path: Path) -> None:
    assert "SUCCESS" in run(tool("promtool"), "test", "rules", path)


def test_a_rule_that_is_wrong_fails_its_tests(tmp_path: Path) -> None:
    text = (MONITORING / "rules.yaml").read_text()
    assert "[1h])) >= 10" in text
    (tmp_path / "rules.yaml").write_text(text.replace("[1h])) >= 10", "[1h])) >= 9"))
    test = yaml.safe_load((ROOT / "tests" / "deploy" / "rules" / "objectives.yaml").read_text())
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(test | {"rule_files": ["rules.yaml"]}))
    with pytest.raises(AssertionError, match="SklearnKserveErrorBudgetBurn"):
        run(tool("promtool"), "test", "rules", tmp_path / "test.yaml")


def test_prometheus_and_alertmanager_take_their_configurations() -> None:
    assert "1 rule files found" in run(tool("promtool"), "check", "config", DOCS / "prometheus.yml")
    assert "SUCCESS" in run(tool("amtool"), "check-config", DOCS / "alertmanager.yml")


@pytest.mark.parametrize("name", alerts())
def test_an_alert_goes_where_its_severity_sends_it(name: str) -> None:
    severity = alerts()[name]["labels"]["severity"]
    labels = (f"alertname={name}", f"severity={severity}", "job=sklearn-kserve", "model=penguins")
    route = ("config", "routes", "test", "--config.file", DOCS / "alertmanager.yml")
    assert {"page": "pager", "ticket": "tickets"}[severity] in run(tool("amtool"), *route, *labels)


class Webhook:
    """Keeps what Alertmanager posts, by path."""

    def __init__(self) -> None:
        self.posts: Queue[tuple[str, dict[str, Any]]] = Queue()
        posts = self.posts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                posts.put((self.path, json.loads(body)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Stay quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    @property
    def port(self) -> int:
        return int(self.server.server_port)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def running(log: Path, *command: str | Path) -> Iterator[None]:
    with log.open("w") as output:
        process = subprocess.Popen(list(map(str, command)), stdout=output, stderr=subprocess.STDOUT)
        try:
            yield
            assert process.poll() is None, log.read_text()
        finally:
            process.terminate()
            process.wait(30)


def edited(path: Path, target: Path, texts: Mapping[str, str]) -> Path:
    """Copy a configuration with some texts in place of others, each of which has to be there."""
    content = path.read_text()
    for before, after in texts.items():
        assert before in content
        content = content.replace(before, after)
    target.write_text(content)
    return target


def until(condition: Callable[[], object], log: Path) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.2)


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server of which the newest version was refused."""
    root = tmp_path / "models"
    publish_flowers(root)
    newest = publish_flowers(root)
    (newest / "model.joblib").write_bytes(b"not what the manifest says")
    with ServerProcess.start("--model_root", str(root), "--drain_seconds", "0") as server:
        yield server


def test_what_the_server_exports_is_clean_metrics(broken: ServerProcess) -> None:
    text = httpx.get(f"http://127.0.0.1:{broken.http_port}/metrics").text
    assert run(tool("promtool"), "check", "metrics", text=text) == ""


@dataclass(frozen=True)
class Watched:
    """A server watched by Prometheus, whose alerts Alertmanager carries to a webhook."""

    server: ServerProcess
    webhook: Webhook
    prometheus: str

    def asked(self, query: str) -> list[dict[str, Any]]:
        """Return the series that Prometheus answers with."""
        answer = httpx.get(f"{self.prometheus}/api/v1/query", params={"query": query}).json()
        assert answer["status"] == "success", answer
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found


@pytest.fixture
def watched(broken: ServerProcess, tmp_path: Path) -> Iterator[Watched]:
    """The server under two addresses, one of them as a canary, by the configurations that the documentation gives."""
    ours, theirs = free_port(), free_port()
    prometheus_log, alertmanager_log = tmp_path / "prometheus.log", tmp_path / "alertmanager.log"
    scrape = {
        "scrape_interval: 15s": "scrape_interval: 1s",
        "evaluation_interval: 15s": "evaluation_interval: 1s",
        "../../helm/sklearn-kserve/monitoring/rules.yaml": str(MONITORING / "rules.yaml"),
        "[127.0.0.1:9093]": f"[127.0.0.1:{theirs}]",
        "[127.0.0.1:8080]": f"[127.0.0.1:{broken.http_port}]",
        "# - targets: [127.0.0.1:8090]": f"- targets: [localhost:{broken.http_port}]",
        "#   labels: {track: canary}": "  labels: {track: canary}",
    }
    with ExitStack() as stack:
        webhook = stack.enter_context(Webhook())
        route = {"127.0.0.1:9095": f"127.0.0.1:{webhook.port}", "group_wait: 30s": "group_wait: 0s"}
        alertmanager = edited(DOCS / "alertmanager.yml", tmp_path / "alertmanager.yml", route)
        prometheus = edited(DOCS / "prometheus.yml", tmp_path / "prometheus.yml", scrape)
        stack.enter_context(
            running(
                alertmanager_log,
                tool("prometheus-alertmanager", "alertmanager"),
                f"--config.file={alertmanager}",
                f"--storage.path={tmp_path / 'alerts'}",
                f"--web.listen-address=127.0.0.1:{theirs}",
                "--cluster.listen-address=",
            )
        )
        until(lambda: answers(f"http://127.0.0.1:{theirs}/-/ready"), alertmanager_log)
        stack.enter_context(
            running(
                prometheus_log,
                tool("prometheus"),
                f"--config.file={prometheus}",
                f"--storage.tsdb.path={tmp_path / 'series'}",
                f"--web.listen-address=127.0.0.1:{ours}",
            )
        )
        until(lambda: answers(f"http://127.0.0.1:{ours}/-/ready"), prometheus_log)
        yield Watched(broken, webhook, f"http://127.0.0.1:{ours}")


def test_an_alert_about_a_real_server_reaches_the_webhook_for_its_severity(watched: Watched) -> None:
    path, post = watched.webhook.posts.get(timeout=90)
    (alert,) = post["alerts"]
    assert path == "/ticket"
    assert alert["status"] == "firing"
    labels = {"job": "sklearn-kserve", "model": "flowers", "severity": "ticket"}
    assert alert["labels"] == {"alertname": "SklearnKserveVersionRefused", **labels}
    assert alert["annotations"]["summary"] == 'A version of model "flowers" was refused'
    assert alert["annotations"]["runbook_url"] == "docs/runbook.md#sklearnkserveversionrefused"
    assert "<no value>" not in alert["annotations"]["description"]


def test_rules_and_dashboards_have_something_to_show_of_a_real_server(watched: Watched, tmp_path: Path) -> None:
    def ask() -> bool:
        """Ask the server as long as it takes to be seen in two scrapes of both addresses."""
        row = {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [0.0, 0.5]}]}
        for wanted in (row, {}):
            httpx.post(f"http://127.0.0.1:{watched.server.http_port}/v2/models/flowers/infer", json=wanted)
        by_track = 'sum by (track, code) (rate(inference_requests_total{job="sklearn-kserve"}[5m])) > 0'
        return len(watched.asked(by_track)) == 4 and bool(
            watched.asked("job_model_track:inference_requests_failed:ratio_rate10m")
        )

    until(ask, tmp_path / "prometheus.log")
    groups = httpx.get(f"{watched.prometheus}/api/v1/rules").json()["data"]["groups"]
    assert [rule for group in groups for rule in group["rules"] if rule["health"] != "ok"] == []
    empty = {title for path in DASHBOARDS for title, query in queries(path) if not watched.asked(query)}
    # A server without --workers counts none, from a sample of twenty rows there is no profile to tell drift by, and this
    # model looks nothing up.
    lookups = {"Queries of the sources", "Where rows came from", "Durations of the queries, 99 %"}
    assert empty == {"Workers", "Drift of the input", "Drift of the answers", "Out of range"} | lookups


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
