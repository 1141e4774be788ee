"""Fitting: what the configuration says of parameters, weights and calibration, done to one pipeline."""

import logging
import time
import warnings
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from training.config import Config
from training.errors import FitError, TrainingError
from training.fitting.backends import here, running
from training.fitting.calibration import calibrate
from training.fitting.exports import exported
from training.fitting.parts import TEST, TRAIN, VALIDATION
from training.fitting.recipe import STEP, Recipe, stops_early
from training.fitting.sample import Sample
from training.fitting.search import search
from training.fitting.weights import weights

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fitted:
    """
    What fitting came to.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted, of scikit-learn's own parts and the estimator's package.
    record : mapping
        How it was fitted, as JSON values.
    search : DataFrame or None
        The candidates of a search, best first.
    checkpoint : bytes or None
        Of a network, its weights as torch saves them.
    """

    pipeline: Pipeline
    record: Mapping[str, Any] = field(default_factory=dict)
    search: pd.DataFrame | None = None
    checkpoint: bytes | None = None


def fit(pipeline: Pipeline, sample: Sample, parts: "pd.Series[str]", config: Config) -> Fitted:
    """
    Fit a pipeline as a configuration says; the same rows, configuration and software give the same bits.

    Parameters
    ----------
    pipeline : Pipeline
        Not fitted; its last step is called ``estimator``.
    sample : Sample
        All rows.
    parts : Series of str
        Part of each row; see ``split``.
    config : Config

    Raises
    ------
    ConfigurationError
        Something that was asked for is not there, or the estimator does not have it.
    DataError
        There are too few rows for what was asked for.
    FitError
        The estimator refuses the rows.
    BackendError
        The cluster can't be used.
    """
    rows, validation = sample.take(_of(parts, TRAIN)), _of(parts, VALIDATION)
    holdout = sample.take(validation) if len(validation) else None
    recipe = Recipe(clone(pipeline), holdout)
    recipe.check("class_weight" if config.class_weight else config.sample_weight and "sample_weight")
    record: dict[str, Any] = {"rows": {part: len(_of(parts, part)) for part in (TRAIN, VALIDATION, TEST)}}
    with running(config.backend):
        found = search(recipe, rows, holdout, config) if config.search else None
        if found is not None:
            recipe = _with_parameters(recipe, found.parameters)
            record["search"] = found.summary
        began = time.perf_counter()
        fitted = _fitted(recipe, rows, holdout, config)
    record |= {
        "estimator": _described(recipe),
        "iterations": _iterations(fitted) if stops_early(recipe.pipeline.named_steps[STEP]) else None,
        "seconds": round(time.perf_counter() - began, 3),
    }
    pipeline, export = exported(fitted, rows.X)
    if export is not None:
        record["export"] = export.record
    table = None if found is None else found.table
    return Fitted(pipeline, record, table, None if export is None else export.checkpoint)


def _of(parts: "pd.Series[str]", part: str) -> "pd.Index[Any]":
    return parts.index[parts == part]


def _fitted(recipe: Recipe, rows: Sample, holdout: Sample | None, config: Config) -> Pipeline:
    name = type(recipe.pipeline.named_steps[STEP]).__name__
    many = config.calibration is not None and config.backend.address is not None
    log.info("fit %s on %d rows of %d columns", name, *rows.X.shape)
    with nullcontext() if many else here(config.backend), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            pipeline = (
                calibrate(recipe, rows, holdout, config)
                if config.calibration
                else recipe.fit(rows.X, rows.y, **weights(rows, config)).pipeline_
            )
        except TrainingError:
            raise
        except Exception as error:
            raise FitError(f"{name} cannot be fitted: {_first_line(error)}") from error
    for message in dict.fromkeys(_first_line(warning.message) for warning in caught):
        log.warning("%s warns: %s", name, message)
    return pipeline


def _first_line(message: object) -> str:
    return str(message).strip().partition("\n")[0]


def _with_parameters(recipe: Recipe, parameters: Mapping[str, Any]) -> Recipe:
    chosen: Recipe = clone(recipe)
    chosen.pipeline.named_steps[STEP].set_params(**parameters)
    return chosen


def _described(recipe: Recipe) -> dict[str, Any]:
    estimator = recipe.pipeline.named_steps[STEP]
    given = estimator.get_params(deep=False).items()
    parameters = {name: _path(value) if isinstance(value, type) else value for name, value in given if _is_told(value)}
    return {"class": _path(type(estimator)), "parameters": parameters}


def _path(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _is_told(value: object) -> bool:
    return value is None or isinstance(value, (bool, int, float, str, type))


def _iterations(fitted: Pipeline) -> int | None:
    """Return how many rounds a boosted estimator was left with."""
    estimator = fitted.named_steps[STEP]
    estimator = getattr(estimator, "estimator", estimator)  # calibrated
    estimator = getattr(estimator, "estimators_", [estimator])[0] if hasattr(estimator, "voting") else estimator
    if hasattr(estimator, "best_iteration"):
        return int(estimator.best_iteration) + 1  # XGBoost counts from 0
    found = getattr(estimator, "best_iteration_", None) or getattr(estimator, "n_iter_", None)
    return None if found is None else int(found)
