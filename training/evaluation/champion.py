"""The version in use, which a new model is held against."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from model.artifact import Artifact, LoadPolicy, load
from model.errors import ArtifactError
from model.signature import Output, Signature
from model.signature.infer import infer_signature
from training.config.evaluation import Intervals, NonInferiority
from training.errors import TrainingError
from training.evaluation.answering import answers_of
from training.evaluation.candidate import Candidate
from training.evaluation.comparison import Comparison, compare
from training.evaluation.decision import Check
from training.metrics import METRICS, Answers

_NAME: Final = "non_inferiority"


@dataclass(frozen=True)
class Champion:
    """
    The version that the alias ``champion`` names.

    Parameters
    ----------
    version : str
    fetch : callable
        Returns a local directory with its files; they are verified before anything is unpickled.
    """

    version: str
    fetch: Callable[[], Path]


class _Incomparable(Exception):
    """Why a model can't be held against the champion."""


def check_champion(
    candidate: Candidate, choice: NonInferiority, intervals: Intervals, champion: Champion | None
) -> Check:
    """
    Hold a model against the champion, on the same rows.

    Parameters
    ----------
    candidate : Candidate
    choice : NonInferiority
    intervals : Intervals
        How often rows are drawn.
    champion : Champion or None
        None where there is none, to which nothing is inferior.
    """
    if champion is None:
        return Check(name=_NAME, passed=True, sentence="there is no champion to be held against")
    try:
        theirs = _answers(_loaded(champion), candidate)
        _check_defined(choice.metric, candidate.answers, theirs)
        _check_drawn(candidate.answers)
    except _Incomparable as error:
        sentence = f"it can't be held against the champion, version {champion.version}: {error}"
        passed = choice.incomparable == "accept"
        return Check(name=_NAME, passed=passed, sentence=sentence, figures={"version": champion.version})
    compared = compare(candidate.answers, theirs, choice, intervals)
    return _verdict(compared, choice, champion, candidate.answers)


def _verdict(compared: Comparison, choice: NonInferiority, champion: Champion, answers: Answers) -> Check:
    rows, groups = len(answers), None if answers.groups is None else answers.independent
    passed = compared.bound > -choice.margin
    sentence = (
        f"{choice.metric} is {compared.candidate:.4g}, of the champion, version {champion.version}, "
        f"{compared.champion:.4g}; at {choice.confidence:.4g} confidence it is worse by no more than "
        f"{max(0.0, -compared.bound):.4g} on {rows} rows{'' if groups is None else f' of {groups} groups'}, "
        f"expected less than {choice.margin:g}"
    )
    figures = {"metric": choice.metric, "candidate": compared.candidate, "champion": compared.champion}
    figures |= {"advantage": compared.advantage, "bound": compared.bound, "margin": choice.margin}
    figures |= {"confidence": choice.confidence, "version": champion.version, "rows": rows}
    figures |= {} if groups is None else {"groups": groups}
    return Check(name=_NAME, passed=passed, sentence=sentence, figures=figures)


def _loaded(champion: Champion) -> Artifact:
    try:
        artifact = load(champion.fetch(), policy=LoadPolicy(require_manifest=True))
    except (ArtifactError, TrainingError) as error:
        raise _Incomparable(str(error).rstrip(".")) from error
    if artifact.network is not None:
        msg = "it is a network, and predicts no labels"
        raise _Incomparable(msg)
    return artifact


def _answers(artifact: Artifact, candidate: Candidate) -> Answers:
    difference = _difference(artifact.signature, infer_signature(candidate.estimator, candidate.sample))
    if difference is not None:
        raise _Incomparable(difference)
    try:
        theirs = answers_of(artifact.estimator, candidate.X[list(artifact.signature.names)], candidate.y)
    except Exception as error:
        raise _Incomparable(f"it fails on these rows: {' '.join(str(error).split())[:200]}") from error
    return replace(theirs, positive=candidate.answers.positive)


def _difference(theirs: Signature, ours: Signature) -> str | None:
    """Say how two signatures differ in what is asked and answered, None where they don't."""
    old, new = ({column.name: column.datatype for column in each.inputs} for each in (theirs, ours))
    for name in old.keys() - new.keys():
        return f"it takes column {name!r}, which the model does not"
    for name in new.keys() - old.keys():
        return f"it does not take column {name!r}, which the model does"
    for name, datatype in new.items():
        if old[name] is not datatype:
            return f"it takes {old[name]} in column {name!r}, and the model {datatype}"
    was, will = (_predicted(each) for each in (theirs, ours))
    return None if was == will else f"it predicts {was}, and the model {will}"


def _predicted(signature: Signature) -> str:
    """Return what is predicted, in words."""
    found: Output = next((each for each in signature.outputs if each.method == "predict"), signature.outputs[0])
    return str(found.datatype) if found.labels is None else f"one of {', '.join(map(str, found.labels))}"


def _check_defined(metric: str, *both: Answers) -> None:
    if any(math.isnan(METRICS[metric].score(answers)) for answers in both):
        raise _Incomparable(f"{metric} is not defined of both on these {len(both[0])} rows")


def _check_drawn(answers: Answers) -> None:
    if answers.groups is not None and answers.independent == 1:
        raise _Incomparable(f"the {len(answers)} test rows are of one group, which shows nothing of others")
