"""Training anew where that is due: the decision, its record, and then the steps of any run."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from training.config.retrain import Drift
from training.outcome import Outcome
from training.record import readable, write_whole
from training.retrain.decision import Decision
from training.retrain.due import decide
from training.run import Run
from training.steps.workspace import locked

RECORD: Final = "retrain.json"
"""The last decision, and what came of it."""
HISTORY: Final = "decisions.jsonl"
"""Every decision, a line each."""
_TOLD: Final = {True: "yes", False: "no", None: "unknown"}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Result:
    """
    What was decided, and what came of it.

    Parameters
    ----------
    decision : Decision
    outcome : Outcome or None
        None where nothing was trained.
    """

    decision: Decision
    outcome: Outcome | None = None


def retrain(run: Run, watched: Drift | None = None, *, dry_run: bool = False) -> Result:
    """
    Decide whether a model is to be trained anew, and if so train, gate, publish and promote it as any run does.

    The source is read either way, for new data are one of the reasons. Another process that decides about the same
    model in the same work directory waits, and then decides by what this one has left.

    Parameters
    ----------
    run : Run
    watched : Drift, optional
        Who is asked about drift; by default whom the configuration names.
    dry_run : bool
        Whether to leave it at the decision and its record.

    Raises
    ------
    TrainingError, ArtifactError
        It could not be decided, or was refused or failed; what was published before stays.
    """
    directory = run.work.directory / "retrain" / run.config.name
    with locked(directory):
        run.ingest()
        now = datetime.now(UTC)
        decision = decide(run, watched or run.config.retrain.drift, now)
        record = _noted(directory, run, decision, now)
        if dry_run or not decision.retrain:
            return Result(decision)
        log.info("train, for %s", decision.because)
        try:
            outcome = run.complete(f"retrained, for {decision.because}")
        except Exception as error:
            write_whole(directory / RECORD, readable({**record, "failed": str(error)}))
            raise
        write_whole(directory / RECORD, readable({**record, "version": outcome.version.number}))
        return Result(decision, outcome)


def _noted(directory: Path, run: Run, decision: Decision, now: datetime) -> dict[str, Any]:
    """Put a decision on record, and say it."""
    for each in decision.signals:
        log.info("%s: %s (%s)", each.reason.value, _TOLD[each.holds], each.says)
    record = {"model": run.config.name, "at": now.isoformat(), "run": run.origin.id, **decision.as_json()}
    with (directory / HISTORY).open("ab") as history:
        history.write(orjson.dumps(record) + b"\n")
    write_whole(directory / RECORD, readable(record))
    return record
