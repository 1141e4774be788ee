"""``fit``: from typed rows to a fitted pipeline."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import joblib
import pandas as pd

from training import features
from training.fitting import TEST, TRAIN, Sample, estimators, fit, split
from training.record import readable
from training.steps.rows import Rows
from training.steps.step import Job, Step
from training.steps.validate import VALIDATE

_MODEL: Final = "model.joblib"
_SPLIT: Final = "split.parquet"
FITTED: Final = "fit.json"
"""File that tells how it was fitted."""
CHECKPOINT: Final = "checkpoint.pt"
"""File with the weights of a network, for whoever has torch and wants to go on from it."""


@dataclass(frozen=True)
class Parts:
    """
    Rows that a pipeline was fitted on, and rows to measure it on; no row is in both.

    Parameters
    ----------
    X_train, X_test : DataFrame of shape (n_samples, n_features)
    y_train, y_test : Series of shape (n_samples,)
    """

    X_train: pd.DataFrame
    X_test: pd.DataFrame
    y_train: "pd.Series[Any]"
    y_test: "pd.Series[Any]"


def _make(job: Job) -> None:
    rows = Rows.read(job.inputs["validate"])
    sample = Sample.of(rows.X, rows.y, rows.aside, job.config)
    estimator = estimators.build(job.config.estimator, job.config.task, job.config.split.seed)
    unfitted = features.build(
        rows.kinds, estimator, job.config.features, job.config.split.seed, lookups=job.config.lookups
    )
    parts = split(sample, job.config)
    fitted = fit(unfitted, sample, parts, job.config)
    joblib.dump(fitted.pipeline, job.output / _MODEL)
    if fitted.checkpoint is not None:
        (job.output / CHECKPOINT).write_bytes(fitted.checkpoint)
    parts.rename_axis("row").reset_index().to_parquet(job.output / _SPLIT, index=False)
    (job.output / FITTED).write_bytes(readable(fitted.record))
    if fitted.search is not None:
        fitted.search.to_csv(job.output / "search.csv", index=False)


FIT = Step(
    "fit",
    needs=(VALIDATE,),
    settings=("features", "lookups", "split", "estimator", "class_weight", "sample_weight", "search", "calibration"),
    make=_make,
)


def read_fitted(directory: Path) -> Any:
    """Return the pipeline that the step has fitted; the workspace has held its file to its digest."""
    return joblib.load(directory / _MODEL)


def read_parts(directory: Path, rows: Rows) -> Parts:
    """Return the rows that it was fitted on, and those that it has not seen."""
    drawn = pd.read_parquet(directory / _SPLIT)
    train, test = (drawn["row"][drawn["part"] == part] for part in (TRAIN, TEST))
    return Parts(rows.X.loc[train], rows.X.loc[test], rows.y.loc[train], rows.y.loc[test])
