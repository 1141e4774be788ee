"""An estimator from its open file. Nothing calls this before the file was verified, or let in unverified on purpose."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from io import BufferedReader
from typing import Any, Literal

import joblib

from model.artifact.heard import heard
from model.artifact.modules import missing_module
from model.artifact.pins import skew
from model.errors import ArtifactError, UntrustedArtifact
from model.imports import import_sklearn
from model.lookup.found import LooksUp, finding

Serialization = Literal["joblib", "pickle", "skops", "onnx"]
"""How a model's file is written; ONNX is no estimator, and never comes here."""


@dataclass(frozen=True, slots=True)
class Unpickled:
    """
    What came out of a file.

    Parameters
    ----------
    estimator : object
    sklearn_version : str or None
        That it was made with, where this is known to differ from the one that runs here.
    warnings : tuple of str
        What was said on the way, such as that the file comes from another scikit-learn.
    lookups : tuple of LooksUp
        Wherever in the estimator they are.
    """

    estimator: Any
    sklearn_version: str | None
    warnings: tuple[str, ...]
    lookups: tuple[LooksUp, ...] = ()


def read_estimator(
    file: BufferedReader, path: str, serialization: Serialization, trusted: Sequence[str] = ()
) -> Unpickled:
    """
    Make the estimator that a file holds.

    Parameters
    ----------
    file : binary file
        Open at its start.
    path : str
        For messages.
    serialization : {"joblib", "pickle", "skops"}
    trusted : sequence of str
        Types that the operator allows in a skops file besides those that skops itself trusts.

    Raises
    ------
    UntrustedArtifact
        A skops file holds types that nobody trusts.
    ArtifactError
        The file is damaged, or made of what is not installed here.
    """
    import_sklearn()
    from sklearn.exceptions import InconsistentVersionWarning  # noqa: PLC0415 -- networks do without scikit-learn

    with heard(InconsistentVersionWarning) as warnings, finding() as lookups:
        try:
            estimator = _read_skops(file, path, trusted) if serialization == "skops" else joblib.load(file)
        except ArtifactError:
            raise
        except Exception as error:
            raise ArtifactError(_failure(path, error, warnings)) from error
    said = tuple(dict.fromkeys(_sentences(path, warnings)))
    return Unpickled(estimator, _made_with(warnings), said, _distinct(path, lookups))


def _distinct(path: str, lookups: Sequence[LooksUp]) -> tuple[LooksUp, ...]:
    """Return look-ups that are told apart by their names, in metrics and in golden rows."""
    for name, count in Counter(lookup.name for lookup in lookups).items():
        if count > 1:
            raise ArtifactError(f"{path} holds {count} look-ups of the name {name!r}; give each a name of its own.")
    return tuple(lookups)


def _made_with(warnings: Sequence[Warning]) -> str | None:
    """Return the scikit-learn that a pickle comes from, where scikit-learn has warned of another."""
    return next(filter(None, map(_version_in, warnings)), None)


def _version_in(warning: Warning) -> str | None:
    found = getattr(warning, "original_sklearn_version", None)
    return None if found is None else str(found)


def _read_skops(file: BufferedReader, path: str, trusted: Sequence[str]) -> Any:
    try:
        from skops import io  # noqa: PLC0415 -- an extra
    except ModuleNotFoundError as error:
        raise ArtifactError(
            f"{path} is a skops file, and skops is not installed here; install sklearn-kserve[skops]."
        ) from error
    unknown = sorted(set(io.get_untrusted_types(file=file)) - set(trusted))
    if unknown:
        raise UntrustedArtifact(
            f"{path} holds types that are not trusted here: {', '.join(unknown)}; "
            f"if they are known to be harmless, name them in --skops_trusted."
        )
    file.seek(0)
    return io.load(file, trusted=list(trusted))


def _failure(path: str, error: Exception, warnings: Sequence[Warning]) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name and error.name.partition(".")[0] != "sklearn":
        return missing_module(path, error.name.partition(".")[0])
    found = _made_with(warnings)
    advice = f"it was made with scikit-learn {found}, " if found else "copy it again, or "
    return f"{path} can't be loaded: {str(error) or 'it ends too early'}; {advice}publish it again under the versions that run here."


def _sentences(path: str, warnings: Sequence[Warning]) -> Iterator[str]:
    for warning in warnings:
        found = _version_in(warning)
        if found is not None:
            yield skew(path, "scikit-learn", found, version("scikit-learn"))
        elif not isinstance(warning, DeprecationWarning | PendingDeprecationWarning | ResourceWarning):
            yield f"{path}: {' '.join(str(warning).split())}"
