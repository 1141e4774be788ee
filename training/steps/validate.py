"""``validate``: from a snapshot to typed rows that may be learned from."""

import logging
from functools import partial

from training import ingest
from training.record import readable
from training.steps.rows import Rows
from training.steps.step import Job, Step
from training.validation import validate

log = logging.getLogger(__name__)


def _make(job: Job) -> None:
    chunks = partial(ingest.chunks, job.snapshot, longest_row=job.config.source.max_row_bytes)
    validated = validate(chunks, job.config, job.output, aside=job.config.aside)
    Rows(validated.X, validated.y, validated.kinds, validated.aside).write(job.output)
    (job.output / "report.json").write_bytes(readable(validated.report))
    log.info("%s", validated.counts)


VALIDATE = Step(
    "validate",
    needs=(),
    settings=(
        "target",
        "task",
        "columns",
        "drop",
        "duplicates",
        "missing",
        "cleaning",
        "quarantine",
        "leakage",
        "split",
        "sample_weight",
    ),
    make=_make,
)
