"""What servers tell of drift on their pages of metrics."""

from collections.abc import Iterable, Mapping
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from training.errors import Unanswered
from training.retrain.drift import Told
from training.retrain.http import get

ROWS: Final = "inference_drift_rows"
INPUT: Final = "inference_drift_psi"
PREDICTIONS: Final = "inference_prediction_drift_psi"

Sample = tuple[str, Mapping[str, str], float]
"""Name, labels and value."""


def ask(url: str, model: str, timeout_seconds: float) -> dict[str, Told]:
    """
    Return what one server tells of the versions of a model.

    Parameters
    ----------
    url : str
        Such as ``http://127.0.0.1:8080/metrics``.
    model : str
    timeout_seconds : float

    Returns
    -------
    told : dict of str to Told
        By version; of those with a profile alone.

    Raises
    ------
    Unanswered
        It does not answer in time, or not with metrics.
    """
    page = get(url, timeout_seconds)
    try:
        families = text_string_to_metric_families(page.decode())
        samples = [(each.name, each.labels, each.value) for family in families for each in family.samples]
    except (ValueError, IndexError, KeyError) as error:
        raise Unanswered(f"{url} answers with something that is no page of metrics") from error
    if not samples:
        raise Unanswered(f"{url} answers with a page without metrics; expected a server's /metrics")
    return by_version(sample for sample in samples if sample[1].get("model") == model)


def by_version(samples: Iterable[Sample]) -> dict[str, Told]:
    """Return what samples of one model tell, by version."""
    rows: dict[str, float] = {}
    features: dict[str, dict[str, float]] = {}
    predictions: dict[str, float] = {}
    for name, labels, value in samples:
        version = labels.get("version", "")
        if name == ROWS:
            rows[version] = value
        elif name == INPUT:
            features.setdefault(version, {})[labels["feature"]] = value
        elif name == PREDICTIONS:
            predictions[version] = value
    every = {*rows, *features, *predictions}
    return {each: Told(rows.get(each, 0.0), features.get(each, {}), predictions.get(each)) for each in every}
