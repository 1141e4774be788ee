"""What servers tell of drift, and how far is too far."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean

from training.config.retrain import Drift


@dataclass(frozen=True, slots=True)
class Told:
    """
    What is told of one version.

    Parameters
    ----------
    rows : float
        Requests' rows that it is told from, of the replica that has seen the most.
    features : mapping of str to float
        Population stability index by column; empty where that is told of none yet.
    predictions : float or None
        Population stability index of the answers.
    """

    rows: float = 0.0
    features: Mapping[str, float] = field(default_factory=dict)
    predictions: float | None = None

    @property
    def conclusive(self) -> bool:
        """Whether enough rows have been seen to tell anything."""
        return bool(self.features) or self.predictions is not None


def mean(replicas: Iterable[Told]) -> Told:
    """Return what replicas tell together, as the alerts have it: the mean of those that tell of a column."""
    every = tuple(replicas)
    names = sorted({name for each in every for name in each.features})
    answers = [each.predictions for each in every if each.predictions is not None]
    return Told(
        max((each.rows for each in every), default=0.0),
        {name: fmean(each.features[name] for each in every if name in each.features) for name in names},
        fmean(answers) if answers else None,
    )


def beyond(told: Told, limits: Drift) -> str | None:
    """
    Say what has drifted.

    Parameters
    ----------
    told : Told
    limits : Drift

    Returns
    -------
    sentence : str or None
        None where nothing has: too few columns are beyond ``limits.input_psi``, and the answers are not.
    """
    far = {name: value for name, value in told.features.items() if value > limits.input_psi}
    found = []
    if len(far) >= limits.features:
        names = ", ".join(f"{name} {value:.2f}" for name, value in sorted(far.items(), key=lambda item: -item[1]))
        found.append(f"{names} of the input (more than {limits.input_psi:g})")
    if told.predictions is not None and told.predictions > limits.prediction_psi:
        found.append(f"{told.predictions:.2f} of the answers (more than {limits.prediction_psi:g})")
    return " and ".join(found) or None
