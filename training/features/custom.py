"""Transformers of the user's own, by import path."""

import inspect
from typing import Any

from sklearn.base import BaseEstimator

from training.config.features import TransformerChoice
from training.errors import ConfigurationError
from training.imports import resolve


def make(choice: TransformerChoice, key: str) -> Any:
    """
    Make a transformer, not yet fitted.

    The version that is published records its package and needs it where it is served.

    Parameters
    ----------
    choice : TransformerChoice
    key : str
        Of the configuration, for sentences.

    Raises
    ------
    ConfigurationError
        The class can't be had, is no transformer, or takes other parameters.
    """
    found = _resolve(choice.class_, f"{key}.class")
    try:
        return found(**choice.parameters)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"{key}.parameters do not fit {choice.class_}: {error}") from error


def _resolve(path: str, key: str) -> Any:
    advice = "expected the import path of a class of an installed package, or of a module in --code_dir"
    found = resolve(path, key, advice=advice)
    if not (inspect.isclass(found) and issubclass(found, BaseEstimator) and hasattr(found, "transform")):
        raise ConfigurationError(f"{key} is {path!r}; expected a class with scikit-learn's fit and transform")
    return found
