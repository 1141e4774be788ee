"""``evaluate``: how good the fitted pipeline is on rows it has not seen, and whether that is good enough."""

import logging
from functools import partial
from pathlib import Path
from typing import Final

from training.evaluation import Candidate, Champion, Decision, Evaluation, answers_of, decide, evaluate
from training.evaluation.pictures import pictures_of
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
    rows = Rows.read(job.inputs["validate"])
    parts = read_parts(job.inputs["fit"], rows)
    columns = parts.X_test.join(rows.aside.drop(columns=[*rows.X], errors="ignore"))
    fitted = read_fitted(job.inputs["fit"])
    groups = None if config.split.group is None else columns[config.split.group]
    answers = answers_of(fitted, parts.X_test, parts.y_test, config.evaluation.positive, groups)
    evaluation = evaluate(answers, columns, config)
    log.info("measured on %d rows", evaluation.rows)
    candidate = Candidate(fitted, parts.X_train, parts.X_test, parts.y_test, columns, answers)
    decision = decide(candidate, evaluation, config, champion=_champion(job), digests={"data": job.snapshot.sha256})
    if config.evaluation.pictures:
        for picture in pictures_of(evaluation):
            (job.output / picture.name).write_bytes(picture.svg())
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
