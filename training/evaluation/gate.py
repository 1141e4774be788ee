"""What a model has to show before it is published, all of it, so that a refusal names every reason."""

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from training.config import Config
from training.evaluation.budget import check_budget
from training.evaluation.candidate import Candidate
from training.evaluation.champion import Champion, check_champion
from training.evaluation.decision import Check, Decision
from training.evaluation.fairness import check_fairness
from training.evaluation.floor import check_floor
from training.evaluation.record import Evaluation


def decide(
    candidate: Candidate,
    evaluation: Evaluation,
    config: Config,
    *,
    champion: Champion | None = None,
    digests: Mapping[str, str] | None = None,
) -> Decision:
    """
    Decide whether a model may be published.

    Parameters
    ----------
    candidate : Candidate
    evaluation : Evaluation
        Of the candidate.
    config : Config
    champion : Champion or None
        None where there is none.
    digests : mapping of str to str, optional
        Of the data and of whatever else decided.

    Raises
    ------
    ConfigurationError
        A check names a column or a label that there is none of.
    ArtifactError
        The model can't be published at all.
    """
    checks = tuple(_checks(candidate, evaluation, config, champion))
    return Decision(
        accepted=all(check.passed for check in checks),
        reasons=tuple(check.sentence for check in checks if not check.passed),
        checks=checks,
        champion=champion.version if champion else None,
        digests={
            **(digests or {}),
            "configuration": hashlib.sha256(config.model_dump_json(by_alias=True).encode()).hexdigest(),
        },
        decided=datetime.now(UTC),
    )


def _checks(candidate: Candidate, evaluation: Evaluation, config: Config, champion: Champion | None) -> Iterator[Check]:
    choice = config.evaluation
    yield from check_floor(evaluation.metrics, config)
    yield from check_fairness(candidate.answers, candidate.columns, choice)
    if choice.non_inferiority is not None:
        yield check_champion(candidate, choice.non_inferiority, choice.intervals, champion)
    if choice.budget is not None:
        with tempfile.TemporaryDirectory() as directory:
            yield from check_budget(candidate, choice.budget, Path(directory))
