"""One run, from the source to the version."""

import logging
import platform
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sklearn
from sklearn.pipeline import Pipeline

from model import __version__
from model.artifact import publish
from training import cleaning, estimators, evaluation, pipeline, source, splitting, table
from training.cleaning import Cleaned
from training.config import Config
from training.errors import FitError
from training.record import MARK, RunRecord, readable
from training.source import Snapshot
from training.splitting import Parts

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """
    What a run came to.

    Parameters
    ----------
    version : Path
        Directory of the version.
    metrics : mapping of str to float
        Measured in this run; empty where there was nothing to do.
    published : bool
        False where an earlier run of the same data and configuration had published it already.
    """

    version: Path
    metrics: Mapping[str, float]
    published: bool


def run(config: Config, root: Path, *, base: Path) -> Outcome:
    """
    Train and publish, unless the same data, configuration and code have been published already.

    Parameters
    ----------
    config : Config
    root : Path
        Model root.
    base : Path
        Directory that a relative source starts from.

    Raises
    ------
    TrainingError, ArtifactError
        Nothing is published.
    """
    snapshot = source.read(config.source, base)
    log.info("read %s, sha256 %s", snapshot, snapshot.sha256)
    record = RunRecord(root, config.name, _ingredients(snapshot, config))
    with record.opened():
        earlier = record.published()
        if earlier is not None:
            return Outcome(earlier, {}, published=False)
        return _train(snapshot, config, root, record)


def _ingredients(snapshot: Snapshot, config: Config) -> dict[str, Any]:
    """Return all that decides a result, a scikit-learn that another server could not load included."""
    return {
        "snapshot": {"source": snapshot.source, "sha256": snapshot.sha256, "bytes": len(snapshot.content)},
        "configuration": config.as_json(),
        "code": {
            "sklearn-kserve": __version__,
            "scikit-learn": sklearn.__version__,
            "python": ".".join(platform.python_version_tuple()[:2]),
        },
    }


def _train(snapshot: Snapshot, config: Config, root: Path, record: RunRecord) -> Outcome:
    record.write("run", record.mark)
    estimator = estimators.build(config.estimator, config.task, config.split.seed)
    cleaned = _clean(snapshot, config, record)
    parts = splitting.split(cleaned.X, cleaned.y, config)
    fitted = _fit(pipeline.build(cleaned.kinds, estimator), parts)
    metrics = _evaluate(fitted, parts, config, record)
    evaluation.check_floor(metrics, config)
    mark = {MARK: readable(record.mark)}
    version = publish(fitted, parts.X_train, name=config.name, root=root, metrics=metrics, extra_files=mark)
    record.write("published", {"version": version.name})
    return Outcome(version, metrics, published=True)


def _clean(snapshot: Snapshot, config: Config, record: RunRecord) -> Cleaned:
    cleaned = cleaning.clean(table.parse(snapshot, config.missing), config)
    record.write("cleaning", {"rows": cleaned.counts.as_json(), "columns": cleaned.kinds})
    log.info("%s", cleaned.counts)
    return cleaned


def _fit(unfitted: Pipeline, parts: Parts) -> Pipeline:
    name = type(unfitted.named_steps["estimator"]).__name__
    log.info("fit %s on %d rows of %d columns", name, *parts.X_train.shape)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            fitted: Pipeline = unfitted.fit(parts.X_train, parts.y_train)
        except Exception as error:
            raise FitError(f"{name} cannot be fitted: {_first_line(error)}") from error
    for message in dict.fromkeys(_first_line(warning.message) for warning in caught):
        log.warning("%s warns: %s", name, message)
    return fitted


def _first_line(message: object) -> str:
    return str(message).strip().partition("\n")[0]


def _evaluate(fitted: Pipeline, parts: Parts, config: Config, record: RunRecord) -> dict[str, float]:
    metrics = evaluation.evaluate(fitted, parts.X_test, parts.y_test, config)
    record.write("evaluation", {"rows": len(parts.X_test), "metrics": metrics})
    log.info("measured on %d rows", len(parts.X_test))
    return metrics
