"""What KServe's sklearnserver serves: a directory with a single pickled estimator in it."""

from pathlib import Path
from typing import Final

from model.errors import ArtifactError

SUFFIXES: Final = (".joblib", ".pkl", ".pickle")


def find_estimator(directory: Path) -> Path:
    """
    Return the one file that sklearnserver would load.

    Raises
    ------
    ArtifactError
        There is none, or more than one.
    """
    found = sorted(path for path in directory.iterdir() if path.suffix in SUFFIXES and path.is_file())
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(path.name for path in found)
        raise ArtifactError(f"{directory} holds {names}; expected a single estimator; keep the one to be served.")
    raise ArtifactError(
        f"{directory} holds no artifact; expected a manifest.json, an MLmodel file, "
        f"or a single model{', model'.join(SUFFIXES)}; check the path, or publish a model into it."
    )
