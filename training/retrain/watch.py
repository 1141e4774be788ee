"""Whether servers tell of drift: a signal of what they were asked."""

import logging
from collections.abc import Mapping, Sequence
from typing import Final

from training.config.retrain import Drift, Reason
from training.errors import Unanswered
from training.retrain import exposition, prometheus
from training.retrain.champion import Champion
from training.retrain.drift import Told, beyond, mean
from training.retrain.signal import Signal

log = logging.getLogger(__name__)

MIN_ROWS: Final = 500
"""Rows below which a server tells of no drift."""


def drift(model: str, champion: Champion, settings: Drift) -> Signal:
    """
    Tell whether what the champion is asked, or answers, has drifted.

    Raises
    ------
    Unanswered
        It cannot be told, and ``settings.unanswered`` is ``fail``.
    """
    if not settings.asked:
        return Signal(
            Reason.DRIFT, holds=None, says="nobody is asked; name metrics_urls or prometheus_url in retrain.drift"
        )
    try:
        return _judged(_told(model, settings), champion, settings)
    except Unanswered as error:
        if settings.unanswered == "fail":
            raise
        return Signal(Reason.DRIFT, holds=True if settings.unanswered == "retrain" else None, says=str(error))


def _told(model: str, settings: Drift) -> list[dict[str, Told]]:
    """Return what each that answers tells by version; of several replicas one may be away."""
    if settings.prometheus_url is not None:
        known = prometheus.ask(
            settings.prometheus_url,
            model,
            settings.timeout_seconds,
            selector=settings.selector,
            minutes=settings.minutes,
        )
        return [known]
    told, refusals = [], []
    for url in settings.metrics_urls:
        try:
            told.append(exposition.ask(url, model, settings.timeout_seconds))
        except Unanswered as error:
            log.warning("%s", error)
            refusals.append(str(error))
    if not told:
        raise Unanswered("; ".join(refusals))
    return told


def _judged(told: Sequence[Mapping[str, Told]], champion: Champion, settings: Drift) -> Signal:
    found = mean(each[champion.number] for each in told if champion.number in each)
    if not found.conclusive:
        raise Unanswered(_too_little(told, found, champion))
    far = beyond(found, settings)
    seen = f"of {champion}, by {found.rows:.0f} rows"
    if far is None:
        return Signal(
            Reason.DRIFT, holds=False, says=f"the index of no column and no answer is beyond its limit, {seen}"
        )
    return Signal(Reason.DRIFT, holds=True, says=f"the index is {far}, {seen}")


def _too_little(told: Sequence[Mapping[str, Told]], found: Told, champion: Champion) -> str:
    versions = sorted({version for each in told for version in each})
    if champion.number in versions:
        return f"{found.rows:.0f} rows of {champion} have been seen, of the {MIN_ROWS} that drift is told from"
    instead = f"; they tell of {', '.join(versions)}" if versions else ""
    return f"the servers tell nothing of {champion}{instead}"
