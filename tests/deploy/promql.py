"""PromQL taken apart: which series a query reads, and by which labels; and the series there are to read."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import promql_parser
import yaml

ROOT: Final = Path(__file__).resolve().parents[2]
MONITORING: Final = ROOT / "helm" / "sklearn-kserve" / "monitoring"
DASHBOARDS: Final = sorted((MONITORING / "dashboards").glob("*.json"))
TARGET: Final = frozenset({"job", "instance", "track"})
"""Labels that every series gets from the scrape."""
PROCESS: Final = ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_start_time_seconds")
"""What the metrics' client library measures of a process, as far as it is asked for."""
_GRAFANA: Final = {"$__rate_interval": "5m", "$job": "sklearn-kserve", "$model": ".*"}
_SUFFIXES: Final = {"_bucket": {"le"}, "_count": set[str](), "_sum": set[str]()}


def exported() -> dict[str, frozenset[str]]:
    """Return the labels of every series that can be scraped: docs/metrics.md, which a test holds to the server."""
    text = (ROOT / "docs" / "metrics.md").read_text()
    series = dict.fromkeys(("up", *PROCESS), TARGET)
    for name, kind, cell in re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \|", text, re.MULTILINE):
        labels = TARGET | set(re.findall(r"`(\w+)`", cell))
        for suffix, more in _SUFFIXES.items() if kind == "histogram" else [("", set[str]())]:
            series[name + suffix] = labels | more
    return series


def rules() -> list[dict[str, Any]]:
    """Return the rules of all groups, in their order."""
    groups = yaml.safe_load((MONITORING / "rules.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> dict[str, dict[str, Any]]:
    """Return the alerts by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def recorded() -> dict[str, frozenset[str]]:
    """Return the labels of every series that a rule records, which its name begins with."""
    names = [rule["record"] for rule in rules() if "record" in rule]
    return {name: frozenset(name.split(":")[0].split("_")) for name in names}


def queries(dashboard: Path) -> Iterator[tuple[str, str]]:
    """Yield the title and query of each target of a dashboard's panels, as Grafana asks for all models of a job."""
    for panel in json.loads(dashboard.read_text())["panels"]:
        for target in panel.get("targets", ()):
            query = target["expr"]
            for name, value in _GRAFANA.items():
                query = query.replace(name, value)
            yield panel["title"], query


def parsed(query: str) -> list[Any]:
    """Return the nodes of a query; ``ValueError`` if it is none."""
    nodes: list[Any] = []
    promql_parser.walk(promql_parser.parse(query), nodes.append)
    return nodes


def faults(query: str, known: dict[str, frozenset[str]]) -> Iterator[str]:
    """Name what a query asks for and nothing has."""
    nodes = parsed(query)
    read = [node for node in nodes if isinstance(node, promql_parser.VectorSelector)]
    for selector in read:
        if selector.name not in known:
            yield f"no series {selector.name}"
            continue
        yield from (
            f"no label {matcher.name} in {selector.name}"
            for matcher in selector.matchers.matchers
            if matcher.name not in known[selector.name]
        )
    there = frozenset[str]().union(*(known.get(selector.name or "", frozenset()) for selector in read))
    yield from (f"no label {label} to group or match by" for label in grouped(nodes) - there)


def grouped(nodes: list[Any]) -> set[str]:
    """Return the labels that a query groups or matches by."""
    found: set[str] = set()
    for node in nodes:
        modifier = getattr(node, "modifier", None)
        if isinstance(node, promql_parser.AggregateExpr) and modifier:
            found |= set(modifier.labels)
        elif isinstance(node, promql_parser.BinaryExpr) and modifier and modifier.matching:
            found |= set(modifier.matching.labels)
    return found
