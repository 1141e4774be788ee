"""Whether a model may be published, and why, as ``decision.json`` holds it."""

from datetime import datetime

from pydantic import Field

from training.evaluation.record import Part

Figure = float | int | str | None


class Check(Part):
    """
    One thing that a model had to show.

    Parameters
    ----------
    name : str
        Such as ``floor`` or ``non_inferiority``.
    passed : bool
    sentence : str
        What was found, and what was expected.
    figures : dict of str to float, int, str or None
        The same as numbers.
    """

    name: str
    passed: bool
    sentence: str
    figures: dict[str, Figure] = Field(default_factory=dict)


class Decision(Part):
    """
    Whether a model may be published.

    Parameters
    ----------
    accepted : bool
    reasons : tuple of str
        The sentences of the checks that were not passed; none of a model that is accepted.
    checks : tuple of Check
        All of them.
    champion : str or None
        The version that the model was held against.
    digests : dict of str to str
        Of what decided: the data, the configuration, the champion's estimator.
    decided : datetime
        UTC.
    """

    accepted: bool
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]
    champion: str | None
    digests: dict[str, str]
    decided: datetime
