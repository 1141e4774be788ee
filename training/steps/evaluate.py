"""``evaluate``: how good the fitted pipeline is on rows it has not seen, and whether that is good enough."""

import json
import logging
from pathlib import Path
from typing import Any, Final

from training import evaluation
from training.record import readable
from training.steps.fit import FIT, read_fitted, read_parts
from training.steps.rows import Rows
from training.steps.step import Job, Step
from training.steps.validate import VALIDATE

_EVALUATION: Final = "evaluation.json"
_DECISION: Final = "decision.json"

log = logging.getLogger(__name__)


def _make(job: Job) -> None:
    rows = Rows.read(job.inputs["validate"])
    parts = read_parts(job.inputs["fit"], rows)
    metrics = evaluation.evaluate(read_fitted(job.inputs["fit"]), parts.X_test, parts.y_test, job.config)
    failures = evaluation.below_floor(metrics, job.config)
    (job.output / _EVALUATION).write_bytes(readable({"rows": len(parts.X_test), "metrics": metrics}))
    (job.output / _DECISION).write_bytes(readable({"accepted": not failures, "reasons": failures}))
    log.info("measured on %d rows", len(parts.X_test))


EVALUATE = Step("evaluate", needs=(VALIDATE, FIT), settings=("metrics", "floor"), make=_make)


def read_evaluation(directory: Path) -> Any:
    """Return what was measured."""
    return json.loads((directory / _EVALUATION).read_bytes())


def read_decision(directory: Path) -> Any:
    """Return whether it may be published, and why not."""
    return json.loads((directory / _DECISION).read_bytes())
