"""The parameters that a search draws from: as the configuration has them, as scikit-learn does, and as optuna."""

from collections.abc import Mapping
from typing import Any

from scipy import stats
from sklearn.base import BaseEstimator

from training.config.search import Search
from training.errors import ConfigurationError


def check_names(search: Search, estimator: BaseEstimator) -> None:
    """
    Refuse parameters that an estimator does not have.

    Raises
    ------
    ConfigurationError
        The sentence names those that it has.
    """
    known = estimator.get_params()
    for name in search.space:
        # What a network's module takes, as module__width, only the module knows.
        if name not in known and name.partition("__")[0] not in (known if "__" in name else ()):
            raise ConfigurationError(
                f"search.space names {name!r}, which {type(estimator).__name__} does not have; "
                f"expected some of {', '.join(sorted(known))}"
            )


def distributions(search: Search, prefix: str) -> dict[str, Any]:
    """
    Return the space for scikit-learn.

    Parameters
    ----------
    search : Search
    prefix : str
        What a parameter's name begins with there.

    Returns
    -------
    distributions : dict of str to list or scipy distribution
    """
    return {prefix + name: _distribution(value) for name, value in search.space.items()}


def size(search: Search) -> int | None:
    """Return how many candidates there are; None where a parameter is drawn from a range."""
    sizes = [len(value) if isinstance(value, list) else None for value in search.space.values()]
    total = 1
    for one in sizes:
        if one is None:
            return None
        total *= one
    return total


def suggest(search: Search, trial: Any) -> dict[str, Any]:
    """Let a trial of optuna's draw a candidate."""
    return {name: _suggested(trial, name, value) for name, value in search.space.items()}


def _distribution(value: Any) -> Any:
    if isinstance(value, list):
        return value
    ((kind, (low, high)),) = value.items()
    if kind == "integers":
        return stats.randint(low, high + 1)
    return stats.uniform(low, high - low) if kind == "uniform" else stats.loguniform(low, high)


def _suggested(trial: Any, name: str, value: Any) -> Any:
    if isinstance(value, list):
        # Drawn by its place, for optuna takes neither lists nor mappings as values.
        return value[trial.suggest_categorical(name, range(len(value)))]
    ((kind, (low, high)),) = value.items()
    if kind == "integers":
        return trial.suggest_int(name, low, high)
    return trial.suggest_float(name, low, high, log=kind == "loguniform")


def plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as JSON has them, without NumPy's numbers."""
    return {name: value.item() if hasattr(value, "item") else value for name, value in parameters.items()}
