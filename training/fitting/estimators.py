"""The estimator that a configuration names."""

import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from training.config.estimator import EstimatorChoice
from training.errors import ConfigurationError
from training.imports import resolve
from training.metrics import Task

Estimator = Any
"""Any object with scikit-learn's methods."""

DEFAULTS: Final[Mapping[Task, EstimatorChoice]] = MappingProxyType(
    {
        Task.CLASSIFICATION: EstimatorChoice.model_validate(
            {"class": "sklearn.linear_model.LogisticRegression", "parameters": {"max_iter": 1000}}
        ),
        Task.REGRESSION: EstimatorChoice.model_validate({"class": "sklearn.linear_model.Ridge"}),
    }
)
"""What is fitted where the configuration names nothing: fast to serve, and at ease with sparse text."""

_MIXINS: Final = {Task.CLASSIFICATION: ClassifierMixin, Task.REGRESSION: RegressorMixin}


_PACKAGED: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        # Without these it picks the order of its sums by which is faster at that moment, and writes to standard output.
        "lightgbm": {"deterministic": True, "force_row_wise": True, "verbose": -1},
    }
)
"""What a package needs so that the same configuration gives the same bits, unless the configuration says otherwise."""

_EXTRAS: Final = {"lightgbm": "lightgbm", "skorch": "torch", "xgboost": "xgboost"}
"""By package."""


def build(choice: EstimatorChoice | None, task: Task, seed: int) -> Estimator:
    """
    Make the estimator of a configuration, not yet fitted.

    Parameters
    ----------
    choice : EstimatorChoice or None
        None for the task's default.
    task : Task
    seed : int
        Given to an estimator that takes a ``random_state`` and was not given one.

    Raises
    ------
    ConfigurationError
        The class can't be had, is no estimator for the task, or takes other parameters.
    """
    choice = choice or DEFAULTS[task]
    found = _resolve(choice.class_, task)
    try:
        estimator = _made(found, choice)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"estimator.parameters do not fit {choice.class_}: {error}") from error
    if "random_state" in estimator.get_params() and "random_state" not in choice.parameters:
        estimator.set_params(random_state=seed)
    return estimator


def _made(found: type[Estimator], choice: EstimatorChoice) -> Estimator:
    package = choice.class_.partition(".")[0]
    if package == "skorch":
        from training.fitting import networks  # noqa: PLC0415 -- needs an extra

        return networks.build(found, choice.parameters)
    return found(**{**_PACKAGED.get(package, {}), **choice.parameters})


def _resolve(path: str, task: Task) -> type[Estimator]:
    found = resolve(path, "estimator.class", advice=_advice(path.partition(".")[0]))
    kinds = (BaseEstimator, _MIXINS[task])
    if not (inspect.isclass(found) and all(issubclass(found, kind) for kind in kinds)):
        raise ConfigurationError(f"estimator.class is {path!r}; expected a scikit-learn estimator for {task}")
    return found


def _advice(package: str) -> str:
    if package in _EXTRAS:
        return f"install it by pip install 'sklearn-kserve[{_EXTRAS[package]}]'"
    usual = DEFAULTS[Task.CLASSIFICATION].class_
    return f"expected the import path of a class of an installed package, such as {usual}"
