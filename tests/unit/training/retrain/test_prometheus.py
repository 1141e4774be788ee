"""The questions in the hands of whom they are for: Debian's Prometheus, with an hour of what it would have scraped."""

import time
from collections.abc import Iterator

import httpx
import pytest

from tests.deploy.test_prometheus import free_port, run, running, tool
from training.errors import Unanswered
from training.retrain import prometheus
from training.retrain.drift import Told

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

REPLICAS = {"a": 0.3, "b": 0.5}
"""Population stability index of the column `length`, by replica."""


def scraped(now: int) -> Iterator[str]:
    """Yield an hour of samples: of `length` it was far all the time, of `width` with a break ten minutes ago."""
    times = range(now - 3600, now + 1, 15)
    scrapes: dict[str, list[tuple[dict[str, str], float, float | None]]] = {
        "inference_drift_rows": [({"instance": each}, 900 if each == "a" else 700, None) for each in REPLICAS],
        "inference_drift_psi": [
            *(({"instance": each, "feature": "length"}, value, None) for each, value in REPLICAS.items()),
            ({"instance": "a", "feature": "width"}, 0.6, 0.05),
        ],
        "inference_prediction_drift_psi": [({"instance": "a"}, 0.02, None)],
    }
    for name, series in scrapes.items():
        yield f"# TYPE {name} gauge"
        for own, value, before in series:
            labels = {"job": "sklearn-kserve", "model": "fruit", "version": "3", **own}
            pairs = ",".join(f'{key}="{each}"' for key, each in labels.items())
            for at in times:
                told = before if before is not None and now - at in range(600, 660) else value
                yield f"{name}{{{pairs}}} {told} {at}"
    yield "# EOF"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("prometheus")
    (directory / "scraped.txt").write_text("\n".join(scraped(int(time.time()))) + "\n")
    run(tool("promtool"), "tsdb", "create-blocks-from", "openmetrics", directory / "scraped.txt", directory / "data")
    (directory / "prometheus.yml").write_text("{}")
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        *(tool("prometheus"), f"--config.file={directory / 'prometheus.yml'}"),
        *(f"--storage.tsdb.path={directory / 'data'}", f"--web.listen-address={url.removeprefix('http://')}"),
    ]
    with running(directory / "log", *command):
        for _ in range(600):
            try:
                if httpx.get(f"{url}/-/ready").is_success:
                    break
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        yield url


def test_what_was_far_all_the_time_is_far_by_the_mean_of_the_replicas(address: str) -> None:
    (version, told), *others = prometheus.ask(
        address, "fruit", 20.0, selector='job="sklearn-kserve"', minutes=30
    ).items()
    assert (version, others) == ("3", [])
    assert told.rows == 900
    assert told.features == {"length": pytest.approx(0.4), "width": pytest.approx(0.05)}
    assert told.predictions == pytest.approx(0.02)


@pytest.mark.parametrize("minutes", [0, 5])
def test_a_break_that_is_over_is_forgotten(address: str, minutes: int) -> None:
    told = prometheus.ask(address, "fruit", 20.0, minutes=minutes)["3"]
    assert told.features["width"] == pytest.approx(0.6)


def test_of_another_model_or_job_nothing_is_known(address: str) -> None:
    assert prometheus.ask(address, "vegetable", 20.0, minutes=30) == {}
    assert prometheus.ask(address, "fruit", 20.0, selector='job="other"', minutes=30) == {}
    assert not Told().conclusive


def test_a_wrong_selector_is_said(address: str) -> None:
    with pytest.raises(Unanswered, match=r"/api/v1/query answers 400: .*parse error"):
        prometheus.ask(address, "fruit", 20.0, selector="job=")
