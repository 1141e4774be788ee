"""``validate``: from a snapshot to typed rows that may be learned from."""

import logging

from training import cleaning, ingest
from training.record import readable
from training.steps.rows import Rows
from training.steps.step import Job, Step

log = logging.getLogger(__name__)


def _make(job: Job) -> None:
    cleaned = cleaning.clean(
        ingest.read(job.snapshot, job.config.missing, longest_row=job.config.source.max_row_bytes), job.config
    )
    Rows(cleaned.X, cleaned.y, cleaned.kinds).write(job.output)
    (job.output / "report.json").write_bytes(readable({"rows": cleaned.counts.as_json()}))
    log.info("%s", cleaned.counts)


VALIDATE = Step(
    "validate", needs=(), settings=("target", "task", "columns", "drop", "duplicates", "missing"), make=_make
)
