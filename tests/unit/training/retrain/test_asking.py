"""What is asked of servers and of Prometheus, and how their answers are read."""

import json
import re
from typing import Any

import promql_parser
import pytest

from model.drift import MIN_ROWS
from tests.deploy.promql import alerts, exported
from tests.unit.drift.test_monitor import asked as requested
from tests.unit.drift.test_monitor import metrics_of
from tests.unit.training.retrain.answering import answering
from training.config.retrain import Drift
from training.errors import Unanswered
from training.retrain import exposition, prometheus, watch
from training.retrain.drift import Told


def test_a_servers_own_page_is_read() -> None:
    page, _ = metrics_of(*[requested(250, value) for value in (0.5, 9.0, 9.0)]).page()
    with answering(lambda request: (200, page)) as server:
        found = exposition.ask(f"{server.url}/metrics", "penguins", 5.0)
        assert exposition.ask(f"{server.url}/metrics", "other", 5.0) == {}
    (told,) = found.values()
    assert list(found) == ["1"]
    assert told.rows == pytest.approx(750, rel=0.01)
    assert told.features["length"] > 0.2
    assert set(told.features) == {"length", "island"}
    assert told.predictions is not None


def test_of_too_few_rows_their_number_is_read() -> None:
    page, _ = metrics_of(requested(250)).page()
    with answering(lambda request: (200, page)) as server:
        (told,) = exposition.ask(server.url, "penguins", 5.0).values()
    assert round(told.rows) == 250
    assert not told.conclusive


@pytest.mark.parametrize("page", [b"", b"# nothing\n", b"<html>", b'a{b="c} 1\n', b"\xff\xfe", b"a b c d e\n"])
def test_a_page_without_metrics_is_no_answer(page: bytes) -> None:
    with answering(lambda request: (200, page)) as server, pytest.raises(Unanswered, match="metrics"):
        exposition.ask(server.url, "penguins", 5.0)


def vector(*series: tuple[dict[str, str], str]) -> bytes:
    result = [{"metric": labels, "value": [1790000000.123, value]} for labels, value in series]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()


ANSWERS = {
    "max by": vector(({"version": "3"}, "812.5"), ({"version": "2"}, "10")),
    "avg by (version, feature)": vector(({"version": "3", "feature": "length"}, "0.41")),
    "avg by (version) ": vector(({"version": "3"}, "0.05")),
}


def test_prometheus_is_asked_for_each_metric_and_answers_by_version() -> None:
    def answer(request: Any) -> tuple[int, bytes]:
        query = server.queries[-1]["query"][0]
        return 200, next(said for part, said in ANSWERS.items() if part in query)

    with answering(answer) as server:
        found = prometheus.ask(f"{server.url}/", "penguins", 5.0, selector='job="a"', minutes=30)
    assert found == {"3": Told(812.5, {"length": 0.41}, 0.05), "2": Told(10.0)}
    assert [query["query"] for query in server.queries] == [
        ['max by (version) (inference_drift_rows{model="penguins",job="a"})'],
        ['min_over_time(avg by (version, feature) (inference_drift_psi{model="penguins",job="a"})[30m:])'],
        ['min_over_time(avg by (version) (inference_prediction_drift_psi{model="penguins",job="a"})[30m:])'],
    ]


@pytest.mark.parametrize("minutes", [0, 30])
def test_the_questions_are_promql_about_series_that_the_server_exports(minutes: int) -> None:
    for name, query in prometheus.queries("penguins", 'job="a"', minutes).items():
        promql_parser.parse(query)
        assert f"{name}{{" in query
        asked = set(re.findall(r"by \(([\w, ]+)\)", query)[0].split(", ")) | {"model"}
        assert asked <= exported()[name]


def test_by_default_the_limits_are_those_of_the_alerts() -> None:
    inputs, predictions = alerts()["SklearnKserveInputDrift"], alerts()["SklearnKservePredictionDrift"]
    limits = Drift()
    assert inputs["expr"].strip().endswith(f"> {limits.input_psi:g}\n)")
    assert predictions["expr"].strip().endswith(f"> {limits.prediction_psi:g}")
    assert inputs["for"] == predictions["for"] == f"{limits.minutes}m"
    assert watch.MIN_ROWS == MIN_ROWS


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"<html>"),
        (200, b'{"status": "error", "error": "out of memory"}'),
        (200, b'{"status": "success", "data": {"resultType": "scalar", "result": [1, "2"]}}'),
        (200, vector(({"version": "3"}, "far"))),
        (400, b'{"status": "error", "errorType": "bad_data", "error": "parse error"}'),
    ],
)
def test_what_prometheus_does_not_say_is_no_answer(answer: tuple[int, bytes]) -> None:
    with answering(lambda request: answer) as server, pytest.raises(Unanswered, match=r"/api/v1/query answers"):
        prometheus.ask(server.url, "penguins", 5.0)


def test_nan_is_not_far() -> None:
    assert prometheus._Series.model_validate({"metric": {}, "value": [1, "NaN"]}).value[1] != 0
