"""``fit``: from typed rows to a fitted pipeline."""

import logging
import warnings
from pathlib import Path
from typing import Any, Final

import joblib
import pandas as pd
from sklearn.pipeline import Pipeline

from training import estimators, pipeline, splitting
from training.errors import FitError
from training.record import readable
from training.splitting import Parts
from training.steps.rows import Rows
from training.steps.step import Job, Step
from training.steps.validate import VALIDATE

_MODEL: Final = "model.joblib"
_SPLIT: Final = "split.parquet"

log = logging.getLogger(__name__)


def _make(job: Job) -> None:
    rows = Rows.read(job.inputs["validate"])
    estimator = estimators.build(job.config.estimator, job.config.task, job.config.split.seed)
    parts = splitting.split(rows.X, rows.y, job.config)
    fitted = _fit(pipeline.build(rows.kinds, estimator), parts)
    joblib.dump(fitted, job.output / _MODEL)
    _write_split(parts, job.output / _SPLIT)
    (job.output / "fit.json").write_bytes(readable({"rows": len(parts.X_train)}))


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


def _write_split(parts: Parts, path: Path) -> None:
    """Write which rows are in which part, in the order that they were drawn in."""
    drawn = {"train": parts.X_train.index, "test": parts.X_test.index}
    pd.concat([pd.DataFrame({"row": rows, "part": part}) for part, rows in drawn.items()]).to_parquet(path, index=False)


FIT = Step("fit", needs=(VALIDATE,), settings=("split", "estimator"), make=_make)


def read_fitted(directory: Path) -> Any:
    """Return the pipeline that the step has fitted; the workspace has held its file to its digest."""
    return joblib.load(directory / _MODEL)


def read_parts(directory: Path, rows: Rows) -> Parts:
    """Return the rows that it was fitted on, and those that it has not seen."""
    drawn = pd.read_parquet(directory / _SPLIT)
    train, test = (drawn["row"][drawn["part"] == part] for part in ("train", "test"))
    return Parts(rows.X.loc[train], rows.X.loc[test], rows.y.loc[train], rows.y.loc[test])
