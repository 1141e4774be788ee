"""Directories without a manifest: what KServe's sklearnserver serves, and networks exported to ONNX."""

from pathlib import Path
from typing import Final

from model.errors import ArtifactError

SUFFIXES: Final = (".joblib", ".pkl", ".pickle")
ONNX_SUFFIX: Final = ".onnx"


def find_estimator(directory: Path) -> Path:
    """
    Return the one file that sklearnserver would load, else the one ONNX file.

    Raises
    ------
    ArtifactError
        There is none, or more than one.
    """
    files = sorted(path for path in directory.iterdir() if path.is_file())
    found = [path for path in files if path.suffix in SUFFIXES] or [p for p in files if p.suffix == ONNX_SUFFIX]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(path.name for path in found)
        raise ArtifactError(f"{directory} holds {names}; expected a single estimator; keep the one to be served.")
    raise ArtifactError(
        f"{directory} holds no artifact; expected a manifest.json, an MLmodel file, "
        f"or a single model{', model'.join((*SUFFIXES, ONNX_SUFFIX))}; check the path, or publish a model into it."
    )
