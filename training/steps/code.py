"""The code that decides a result: what is installed by its version, and the user's own modules by their content."""

import functools
import platform
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import Any

import sklearn

from model import __version__
from model.artifact.distributions import distributions_of
from training.imports import own_code


def code_versions(settings: Mapping[str, Any]) -> dict[str, str]:
    """
    Return what of the code decides a result, a scikit-learn that another server could not load included.

    Parameters
    ----------
    settings : mapping
        The part of a configuration that decides the result as well, as JSON values: packages that its classes come
        from, or that search for parameters, count by their versions.
    """
    code = own_code()
    return {
        "sklearn-kserve": __version__,
        **{package: version for package in _packages(settings) if (version := _version(package)) is not None},
        "scikit-learn": sklearn.__version__,
        "python": ".".join(platform.python_version_tuple()[:2]),
        **({} if code is None else {"code_dir": code}),
    }


def _packages(settings: Mapping[str, Any]) -> Iterator[str]:
    search = settings.get("search")
    if search is not None and search["method"] == "optuna":
        yield "optuna"
    packages = [path.partition(".")[0] for path in _classes(settings)]
    yield from packages
    if "skorch" in packages:
        yield "torch"


def _classes(value: Any) -> Iterator[str]:
    """Yield the import paths of all classes that are named, wherever that is."""
    if isinstance(value, Mapping):
        if isinstance(path := value.get("class"), str):
            yield path
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _classes(each)


@functools.cache
def _version(package: str) -> str | None:
    """Return the version of an installed package, whichever distribution it is from; None of the user's own modules."""
    if package == "sklearn":
        return None  # it counts in any case, and to ask for all distributions takes a while
    return ", ".join(sorted({metadata.version(name) for name in distributions_of(package)})) or None
