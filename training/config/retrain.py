"""Section ``retrain``: when a model is to be trained anew."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from training.config.section import Section, check_without_credentials


def _without_credentials(url: str) -> str:
    check_without_credentials(url, ": a key that may read metrics belongs in SKLEARN_KSERVE_METRICS_KEY")
    return url


Url = Annotated[str, Field(pattern=r"^https?://\S+$"), AfterValidator(_without_credentials)]


class Reason(StrEnum):
    """What may speak for training anew."""

    DATA = "data"
    CONFIGURATION = "configuration"
    CODE = "code"
    DRIFT = "drift"
    AGE = "age"


class Drift(Section):
    """
    Who tells of drift, and how far is too far.

    Parameters
    ----------
    metrics_urls : tuple of str
        Pages of metrics of every replica of the server, such as ``http://127.0.0.1:8080/metrics``.
    prometheus_url : str or None
        Prometheus, which knows of all replicas; in the stead of ``metrics_urls``.
    selector : str
        Label matchers by which Prometheus' series are chosen besides the model's name, such as
        ``job="sklearn-kserve"``.
    minutes : int
        For how long, by Prometheus, it has to be too far; of ``metrics_urls`` what is now is all there is.
    input_psi : float
        Population stability index of a column above which it has drifted.
    features : int
        Columns that have to have drifted.
    prediction_psi : float
        Population stability index of the answers above which they have drifted.
    timeout_seconds : float
        For an answer of each address.
    unanswered : {"ignore", "retrain", "fail"}
        What it means if nobody answers, or nothing can be told yet.
    """

    metrics_urls: tuple[Url, ...] = ()
    prometheus_url: Url | None = None
    selector: str = ""
    minutes: Annotated[int, Field(strict=True, ge=0, le=7 * 24 * 60)] = 30
    input_psi: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.2
    features: Annotated[int, Field(strict=True, ge=1)] = 1
    prediction_psi: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.2
    timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 10.0
    unanswered: Literal["ignore", "retrain", "fail"] = "ignore"

    @property
    def asked(self) -> bool:
        """Whether there is anybody to ask."""
        return bool(self.metrics_urls or self.prometheus_url)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.metrics_urls and self.prometheus_url:
            msg = "metrics_urls and prometheus_url are both given; expected one of them"
            raise ValueError(msg)
        return self


class Retrain(Section):
    """
    When a model is to be trained anew; one that has no champion always is.

    Parameters
    ----------
    any : tuple of Reason
        Each of these is reason enough.
    require : tuple of Reason
        Besides, all of these have to hold.
    min_new_rows : int
        By how many rows at least the data have to differ in size, where that is known, to be new.
    max_age_days : float
        Age of the champion above which it is old.
    min_interval_hours : float
        Time that has to pass after a training before the next one.
    drift : Drift
    """

    any: Annotated[tuple[Reason, ...], Field(min_length=1)] = tuple(Reason)
    require: tuple[Reason, ...] = ()
    min_new_rows: Annotated[int, Field(strict=True, ge=0)] = 0
    max_age_days: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 30.0
    min_interval_hours: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    drift: Drift = Drift()
