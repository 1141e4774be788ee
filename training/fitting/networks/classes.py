"""Classes that a network's parameters name by their import paths."""

import inspect
from collections.abc import Mapping
from typing import Any, Final

import torch

from training.errors import ConfigurationError
from training.imports import resolve

_MADE_OF: Final[Mapping[str, type]] = {
    "module": torch.nn.Module,
    "criterion": torch.nn.Module,
    "optimizer": torch.optim.Optimizer,
}
"""By parameter, what the class has to be made of."""


def classes(parameters: Mapping[str, Any], key: str) -> dict[str, Any]:
    """
    Return parameters with classes in the place of their import paths.

    Raises
    ------
    ConfigurationError
        One can't be had, or is another kind of thing.
    """
    return {
        name: _class(value, _MADE_OF[name], f"{key}.{name}") if name in _MADE_OF and isinstance(value, str) else value
        for name, value in parameters.items()
    }


def _class(path: str, kind: type, key: str) -> type:
    advice = "expected the import path of a class of an installed package, or of a module in --code_dir"
    found = resolve(path, key, advice=advice)
    if not (inspect.isclass(found) and issubclass(found, kind)):
        raise ConfigurationError(f"{key} is {path!r}; expected a class made of {kind.__module__}.{kind.__qualname__}")
    return found
