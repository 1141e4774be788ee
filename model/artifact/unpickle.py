"""An estimator from its open file. Nothing calls this before the file was verified, or let in unverified on purpose."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from typing import Any, Literal

import joblib
from sklearn.exceptions import InconsistentVersionWarning

from model.artifact.modules import missing_module
from model.artifact.pins import skew
from model.errors import ArtifactError, UntrustedArtifact

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
    """

    estimator: Any
    sklearn_version: str | None
    warnings: tuple[str, ...]


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
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            estimator = _read_skops(file, path, trusted) if serialization == "skops" else joblib.load(file)
        except ArtifactError:
            raise
        except Exception as error:
            raise ArtifactError(_failure(path, error, caught)) from error
    return Unpickled(estimator, _made_with(caught), tuple(dict.fromkeys(_sentences(path, caught))))


def _made_with(caught: Sequence[warnings.WarningMessage]) -> str | None:
    """Return the scikit-learn that a pickle comes from, where scikit-learn has warned of another."""
    for warning in caught:
        if isinstance(warning.message, InconsistentVersionWarning):
            return str(warning.message.original_sklearn_version)
    return None


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


def _failure(path: str, error: Exception, caught: Sequence[warnings.WarningMessage]) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name and error.name.partition(".")[0] != "sklearn":
        return missing_module(path, error.name.partition(".")[0])
    found = _made_with(caught)
    advice = f"it was made with scikit-learn {found}, " if found else "copy it again, or "
    return f"{path} can't be loaded: {str(error) or 'it ends too early'}; {advice}publish it again under the versions that run here."


def _sentences(path: str, caught: Sequence[warnings.WarningMessage]) -> Iterator[str]:
    for warning in caught:
        message = warning.message
        if isinstance(message, InconsistentVersionWarning):
            found, here = message.original_sklearn_version, message.current_sklearn_version
            yield skew(path, "scikit-learn", str(found), str(here))
        elif not issubclass(warning.category, DeprecationWarning | PendingDeprecationWarning | ResourceWarning):
            yield f"{path}: {' '.join(str(message).split())}"
