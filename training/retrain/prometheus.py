"""What Prometheus knows of drift: the same as the servers tell, for so long that it is no passing thing."""

from collections.abc import Iterator
from typing import Final, Literal

from pydantic import BaseModel, ValidationError

from training.errors import Unanswered
from training.retrain.drift import Told
from training.retrain.exposition import INPUT, PREDICTIONS, ROWS, Sample, by_version
from training.retrain.http import get

_PATH: Final = "/api/v1/query"


class _Series(BaseModel):
    metric: dict[str, str]
    value: tuple[float, float]  # the time, and the value: a string, for JSON has no NaN


class _Vector(BaseModel):
    resultType: Literal["vector"]  # noqa: N815 -- Prometheus' name
    result: list[_Series]


class _Answer(BaseModel):
    status: Literal["success"]
    data: _Vector


def queries(model: str, selector: str = "", minutes: int = 0) -> dict[str, str]:
    """
    Return the questions, by the metric that each is about.

    Parameters
    ----------
    model : str
    selector : str
        Further label matchers, such as ``job="sklearn-kserve"``.
    minutes : int
        As ``for`` of an alert: of the mean of the replicas the least within so many minutes. 0 asks for what is now.
    """
    matchers = ",".join(filter(None, (f'model="{model}"', selector)))
    within = f"min_over_time({{}}[{minutes}m:])" if minutes else "{}"
    return {
        ROWS: f"max by (version) ({ROWS}{{{matchers}}})",
        INPUT: within.format(f"avg by (version, feature) ({INPUT}{{{matchers}}})"),
        PREDICTIONS: within.format(f"avg by (version) ({PREDICTIONS}{{{matchers}}})"),
    }


def ask(url: str, model: str, timeout_seconds: float, *, selector: str = "", minutes: int = 0) -> dict[str, Told]:
    """
    Return what a Prometheus knows of the versions of a model.

    Parameters
    ----------
    url : str
        Of Prometheus, such as ``http://prometheus-operated.monitoring:9090``.
    model : str
    timeout_seconds : float
        For each of three questions.
    selector : str
        Further label matchers.
    minutes : int

    Returns
    -------
    told : dict of str to Told
        By version.

    Raises
    ------
    Unanswered
        It does not answer in time, or not as Prometheus does.
    """
    address = url.rstrip("/") + _PATH

    def samples() -> Iterator[Sample]:
        for name, query in queries(model, selector, minutes).items():
            for series in _vector(address, query, timeout_seconds):
                yield name, series.metric, series.value[1]

    return by_version(samples())


def _vector(address: str, query: str, timeout_seconds: float) -> list[_Series]:
    content = get(address, timeout_seconds, {"query": query})
    try:
        return _Answer.model_validate_json(content).data.result
    except ValidationError as error:
        raise Unanswered(f"{address} answers with something that Prometheus does not: {content[:100]!r}") from error
