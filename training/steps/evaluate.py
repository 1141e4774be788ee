"""``evaluate``: how good the fitted pipeline is on rows it has not seen, and whether that is good enough."""

import logging
from functools import partial
from pathlib import Path
from typing import Final

from training.evaluation import Candidate, Champion, Decision, Evaluation, answers_of, decide, evaluate
from training.registry import Version
from training.steps.fit import FIT, read_fitted, read_parts
from training.steps.rows import Rows
from training.steps.step import Job, Step
from training.steps.validate import VALIDATE

EVALUATION: Final = "evaluation.json"
DECISION: Final = "decision.json"

log = logging.getLogger(__name__)


def _make(job: Job) -> None:
    config = job.config
    parts = read_parts(job.inputs["fit"], Rows.read(job.inputs["validate"]))
    fitted = read_fitted(job.inputs["fit"])
    answers = answers_of(fitted, parts.X_test, parts.y_test, config.evaluation.positive)
    evaluation = evaluate(answers, parts.X_test, config)
    log.info("measured on %d rows", evaluation.rows)
    candidate = Candidate(fitted, parts.X_train, parts.X_test, parts.y_test, parts.X_test, answers)
    decision = decide(candidate, evaluation, config, champion=_champion(job), digests={"data": job.snapshot.sha256})
    (job.output / EVALUATION).write_text(evaluation.model_dump_json(indent=2) + "\n")
    (job.output / DECISION).write_text(decision.model_dump_json(indent=2) + "\n")


def _champion(job: Job) -> Champion | None:
    """Return the version that was champion when the step was begun; it is fetched when it is needed."""
    registry, number = job.registry, job.besides.get("champion")
    if registry is None or number is None:
        return None
    return Champion(number, partial(registry.fetch, Version(job.config.name, int(number))))


EVALUATE = Step("evaluate", needs=(VALIDATE, FIT), settings=("metrics", "floor", "evaluation"), make=_make)


def read_evaluation(directory: Path) -> Evaluation:
    """Return what was measured."""
    return Evaluation.model_validate_json((directory / EVALUATION).read_bytes())


def read_decision(directory: Path) -> Decision:
    """Return whether it may be published, and why not."""
    return Decision.model_validate_json((directory / DECISION).read_bytes())
