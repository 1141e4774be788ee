"""Versions that an estimator was published under, held against those that run here."""

import platform
import re
from collections.abc import Iterator
from importlib.metadata import version
from typing import Final

from model.artifact.manifest import Environment, Manifest
from model.errors import ArtifactError

RECORDED: Final = ("scikit-learn", "numpy", "scipy", "pandas", "joblib")
"""Distributions whose versions a manifest records in any case."""

_MAJOR: Final = 1
_MINOR: Final = 2
_PINS: Final = {"scikit-learn": _MINOR, "numpy": _MAJOR}
"""How many parts of a version have to be equal."""


def current_environment() -> Environment:
    """Return what runs here."""
    return Environment(python=platform.python_version(), packages={name: version(name) for name in RECORDED})


def check_environment(manifest: Manifest) -> tuple[str, ...]:
    """
    Hold the manifest's versions against those that run here.

    Returns
    -------
    warnings : tuple of str
        One sentence for each version that differs, but not by so much that it is refused.

    Raises
    ------
    ArtifactError
        Another minor release of Python or scikit-learn, or another major release of NumPy; a network needs neither.
    """
    if manifest.estimator.format == "onnx":
        return ()
    here = current_environment()
    published = manifest.environment
    warnings = list(_compared(manifest, "Python", published.python, here.python, _MINOR))
    for name, parts in _PINS.items():
        warnings += _compared(manifest, name, published.packages[name], here.packages[name], parts)
    return tuple(warnings)


def skew(what: str, name: str, found: str, here: str) -> str:
    """Return the sentence about a difference in versions that is borne with."""
    return f"{what} was made with {name} {found}, and {here} runs here, so its answers may differ; publish it again under {here}."


def _compared(manifest: Manifest, name: str, published: str, here: str, parts: int) -> Iterator[str]:
    if published == here:
        return
    what = f"{manifest.name} version {manifest.version}"
    if _release(published)[:parts] != _release(here)[:parts]:
        level = "major" if parts == _MAJOR else "minor"
        raise ArtifactError(
            f"{what} was made with {name} {published}, and {here} runs here: across {level} releases an estimator may "
            f"not load or may answer otherwise; serve it with an image that has {name} {published}, "
            f"or publish it again under {here}."
        )
    yield skew(what, name, published, here)


def _release(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\d+", text))
