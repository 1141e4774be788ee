"""Alerts and dashboards: every query can be read, asks for what is exported, and every alert is explained and tested."""

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml

from model.metrics import REASONS, SECONDS, Metrics
from tests.deploy.promql import (
    DASHBOARDS,
    MONITORING,
    PROCESS,
    ROOT,
    alerts,
    exported,
    faults,
    parsed,
    queries,
    recorded,
    rules,
)

TESTS = sorted((ROOT / "tests" / "deploy" / "rules").glob("*.yaml"))
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()


def sections() -> dict[str, str]:
    """Return the text of each section about an alert, by its name."""
    parts = re.split(r"^### (\w+)\n", RUNBOOK, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_reads_what_is_exported_or_recorded(rule: dict[str, Any]) -> None:
    assert not list(faults(rule["expr"], exported() | recorded()))


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_reads_what_is_exported_or_recorded(path: Any) -> None:
    found = list(queries(path))
    assert len(found) > 8
    known = exported() | recorded()
    assert not [(title, fault) for title, query in found for fault in faults(query, known)]


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("rate(inference_requests_totals[5m])", "no series inference_requests_totals"),
        ('inference_queue_depth{pod="a"}', "no label pod in inference_queue_depth"),
        ("sum by (worker) (inference_queue_depth)", "no label worker to group or match by"),
        ("up unless on (pod) model_info", "no label pod to group or match by"),
    ],
)
def test_a_query_for_what_nothing_exports_is_found_out(query: str, fault: str) -> None:
    assert list(faults(query, exported())) == [fault]


@pytest.mark.parametrize("name", PROCESS)
def test_a_process_is_measured_under_the_names_that_are_asked_for(name: str) -> None:
    assert f"\n{name} " in Metrics().page()[0].decode()


def test_a_query_that_is_none_is_found_out() -> None:
    with pytest.raises(ValueError, match="expected type matrix"):
        parsed("rate(inference_requests_total)")


def test_every_query_of_a_rule_names_the_job_so_that_releases_stay_apart() -> None:
    strangers = [
        str(node)
        for rule in rules()
        for node in parsed(rule["expr"])
        if isinstance(node, promql_parser.VectorSelector) and 'job="sklearn-kserve"' not in str(node)
    ]
    assert not strangers


def test_the_labels_of_a_recorded_series_are_those_in_its_name() -> None:
    for rule in rules():
        if "record" in rule:
            level = rule["record"].split(":")[0].replace("_", ", ")
            assert set(re.findall(r"by \((.*?)\)", rule["expr"])) == {level}


def test_the_latency_objective_is_a_bound_of_a_bucket() -> None:
    text = (MONITORING / "rules.yaml").read_text()
    assert {float(bound) for bound in re.findall(r'le="(.*?)"', text)} == {0.1} <= set(SECONDS)


def test_the_reason_that_is_alerted_on_is_one_of_the_servers() -> None:
    assert set(re.findall(r'reason="(.*?)"', (MONITORING / "rules.yaml").read_text())) <= set(REASONS.values())


@pytest.mark.parametrize("name", alerts())
def test_an_alert_says_how_urgent_it_is_and_what_to_read(name: str) -> None:
    rule = alerts()[name]
    assert rule["labels"] in ({"severity": "page"}, {"severity": "ticket"})
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"
    assert rule["annotations"]["description"].endswith(".")


@pytest.mark.parametrize("name", alerts())
def test_the_runbook_says_what_an_alert_means_what_to_look_at_and_what_to_do(name: str) -> None:
    section = sections()[name]
    means, look, do = (section.find(f"**{part}.**") for part in ("Means", "Look", "Do"))
    assert 0 <= means < look < do


def test_the_queries_of_the_runbook_read_what_is_exported() -> None:
    found = re.findall(r"^```promql\n(.*?)^```$|`((?:sum|max|count) by .*?)`", RUNBOOK, re.MULTILINE | re.DOTALL)
    assert len(found) > 5
    assert not [fault for block, inline in found for fault in faults(block or inline, exported())]


def test_the_runbook_knows_no_other_alerts() -> None:
    assert sections().keys() == alerts().keys()


def expectations() -> Iterator[tuple[str, list[str]]]:
    """Yield each query of the rules' tests and the series that it expects."""
    for path in TESTS:
        for test in yaml.safe_load(path.read_text())["tests"]:
            for case in test["promql_expr_test"]:
                yield case["expr"], [sample["labels"] for sample in case.get("exp_samples", ())]


def firing(name: str) -> list[str]:
    """Return the series of an alert that the rules' tests expect."""
    return [labels for _, found in expectations() for labels in found if f'"{name}"' in labels]


@pytest.mark.parametrize("name", alerts())
def test_an_alert_is_tested_while_it_fires_and_while_it_does_not(name: str) -> None:
    quiet = []
    for query, found in expectations():
        pattern = re.search(r'alertname=(~?)"(.*?)"', query)
        asked = pattern is None or re.fullmatch(pattern[2], name)
        if query.startswith("ALERTS") and asked and not any(f'"{name}"' in labels for labels in found):
            quiet.append(query)
    assert firing(name)
    assert quiet


@pytest.mark.parametrize("name", alerts())
def test_an_alert_speaks_of_labels_that_it_has(name: str) -> None:
    said = set(re.findall(r"\$labels\.(\w+)", json.dumps(alerts()[name]["annotations"])))
    assert firing(name)
    assert all(said <= set(re.findall(r"(\w+)=", labels)) for labels in firing(name))


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_can_be_imported_anywhere_and_found_again(path: Any) -> None:
    board = json.loads(path.read_text())
    assert board["uid"] == f"sklearn-kserve-{path.stem}"
    assert "id" not in board
    assert board["templating"]["list"][0]["type"] == "datasource"
    data = [panel for panel in board["panels"] if panel["type"] != "row"]
    sources = [part["datasource"] for panel in data for part in (panel, *panel["targets"])]
    assert {source["uid"] for source in sources} == {"${datasource}"}
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_the_panels_of_a_dashboard_do_not_overlap(path: Any) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(path.read_text())["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert max(x for x, _ in cells) < 24
        assert not cells & taken
        taken |= cells


def test_variables_of_a_dashboard_read_what_is_exported() -> None:
    for path in DASHBOARDS:
        for variable in json.loads(path.read_text())["templating"]["list"][1:]:
            query, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["definition"]).groups()  # type: ignore[union-attr]
            query = query.replace("$job", "sklearn-kserve")
            assert not list(faults(f"count by ({label}) ({query})", exported()))
