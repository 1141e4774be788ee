"""
What stops a training run, one tree.

::

    TrainingError               the run ends with exit code 1
    ├── ConfigurationError      the configuration, or something it names, does not fit
    ├── DataError               the data do not fit the configuration
    ├── FitError                the estimator refuses the data
    ├── BackendError            the cluster that was to fit it can't be used
    ├── Refused                 the model was trained, and is not good enough to be published: exit code 3
    ├── RegistryError           the registry can't be read or written, or does not hold what was asked for
    └── Unanswered              who was asked about drift does not answer, or cannot tell

The message of each is one sentence: what was got, what was expected, and where it helps what to do.
"""


class TrainingError(Exception):
    """A run that ends without a version."""


class ConfigurationError(TrainingError):
    """The configuration, or something it names, does not fit."""


class DataError(TrainingError):
    """The data do not fit the configuration."""


class FitError(TrainingError):
    """The estimator refuses the data."""


class BackendError(TrainingError):
    """The cluster that was to do the work can't be used."""


class Refused(TrainingError):
    """The model is not good enough to be published."""


class RegistryError(TrainingError):
    """The registry can't be read or written, or does not hold what was asked for."""


class Unanswered(TrainingError):
    """Who was asked about drift does not answer, or cannot tell."""


def first_line(message: object) -> str:
    """Return the first line of what a library says, for a sentence of ours."""
    return str(message).strip().partition("\n")[0]


class TrackingError(TrainingError):
    """What the registry holds could not be told to those who follow it."""
