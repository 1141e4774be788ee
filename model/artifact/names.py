"""Names that an artifact may bear: of models, versions and files."""

import re
from pathlib import Path
from typing import Final

from model.errors import ArtifactError

MODEL_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
LONGEST_NAME: Final = 253
"""Characters; what Kubernetes allows an object's name."""
VERSION: Final = re.compile(r"[1-9][0-9]*")
ALIASES_FILE: Final = "aliases.json"
"""Beside a model's versions; says which version each alias names."""
DEFAULT_ALIAS: Final = "champion"
"""Of the version that answers where a request names none."""
FILE_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


def is_model_name(name: str) -> bool:
    """Whether a model may be called so; it is then safe as the name of a directory, too."""
    return len(name) <= LONGEST_NAME and MODEL_NAME.fullmatch(name) is not None


def is_file_name(name: str) -> bool:
    """Whether an artifact's file may be called so: no separator, no leading dot, nothing that leads elsewhere."""
    return FILE_NAME.fullmatch(name) is not None


def check_model_name(name: str) -> None:
    """
    Refuse what is no name of a model.

    Raises
    ------
    ArtifactError
        The name has other characters, begins with a dot or dash, or is too long.
    """
    if not is_model_name(name):
        raise ArtifactError(
            f"{name!r} is no model name; expected at most {LONGEST_NAME} letters, digits, '.', '_' and '-', "
            f"the first a letter or a digit."
        )


def next_version(directory: Path) -> int:
    """Return the version after the highest in a model's directory, which need not exist."""
    if not directory.is_dir():
        return 1
    return 1 + max((int(path.name) for path in directory.iterdir() if VERSION.fullmatch(path.name)), default=0)
