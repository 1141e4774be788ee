"""Whether training anew is due: what the registry, the work directory and the servers say."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from training.config.retrain import Drift, Reason
from training.registry import Version
from training.retrain import signal
from training.retrain.champion import Champion, champion_of, has_been_champion
from training.retrain.decision import Decision, too_soon, weigh
from training.retrain.signal import Signal
from training.retrain.watch import drift
from training.run import Run
from training.steps import EVALUATE, VALIDATE
from training.steps.evaluate import read_decision
from training.steps.rows import count


def decide(run: Run, watched: Drift, now: datetime) -> Decision:
    """
    Decide whether to train on the snapshot that was taken.

    What is the same would come to the same: data and configuration that a version holds, or that the gate has refused,
    are not tried again, whatever speaks for it. What was begun is ended.

    Parameters
    ----------
    run : Run
        With a snapshot.
    watched : Drift
        Who is asked about drift.
    now : datetime

    Raises
    ------
    TrainingError, ArtifactError
        It can't be decided.
    """
    champion = champion_of(run.registry, run.config.name)
    if champion is None:
        return Decision(retrain=True, because=f"{run.config.name} has no version yet")
    signals = tuple(_signals(run, champion, watched, now))
    version = run.published()
    if (against := _tried(run, champion, version)) is not None:
        return Decision(retrain=False, because=_all_the_same(against, signals), signals=signals)
    if version is not None:
        return Decision(retrain=True, because=f"{version} was published and not promoted", signals=signals)
    if run.done(EVALUATE) is not None:
        return Decision(retrain=True, because="the model was accepted and not published", signals=signals)
    last = max(filter(None, (champion.created, run.last(EVALUATE))))
    if (against := too_soon(last, now, run.config.retrain)) is not None:
        return Decision(retrain=False, because=against, signals=signals)
    return weigh(signals, run.config.retrain)


def _signals(run: Run, champion: Champion, watched: Drift, now: datetime) -> Iterator[Signal]:
    settings = run.config.retrain
    yield signal.data(champion, run.origin.made_of["snapshot"], _rows(run), settings)
    yield signal.configuration(champion, run.origin.made_of)
    yield signal.code(champion, run.origin.made_of)
    yield drift(run.config.name, champion, watched)
    yield signal.age(champion, now, settings)


def _rows(run: Run) -> int | None:
    """Count the rows where that decides anything: for it they have to be read, and cleaned."""
    return count(run.make(VALIDATE)) if run.config.retrain.min_new_rows else None


def _tried(run: Run, champion: Champion, same: Version | None) -> str | None:
    """Say what the same data, configuration and code have come to, if that is an end."""
    if same is not None:
        if same == champion.version:
            return f"{same} holds the same data and configuration"
        if has_been_champion(run.registry, same):
            return (
                f"{same} holds the same data and configuration, and was champion before {champion}; "
                f"promote it if it is to be so again"
            )
        return f"{same} waits to be promoted by hand" if run.config.promotion == "manual" else None
    evaluated = run.done(EVALUATE)
    if evaluated is None or (decision := read_decision(evaluated)).accepted:
        return None
    return f"the same data and configuration were refused: {'; '.join(decision.reasons)}"


def _all_the_same(against: str, signals: Sequence[Signal]) -> str:
    """Say, too, what asks for a model that other data alone could give."""
    waiting = [each.says for each in signals if each.reason in (Reason.DRIFT, Reason.AGE) and each.holds]
    return f"{against}; other data are wanted, for {' and '.join(waiting)}" if waiting else against
