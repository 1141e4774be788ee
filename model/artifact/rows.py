"""A sample of a model's input, from a file."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pandas as pd

from model.errors import ArtifactError

_READERS: Final[dict[str, Callable[[Path], pd.DataFrame]]] = {
    ".csv": pd.read_csv,
    ".parquet": pd.read_parquet,
}


def read_rows(path: Path, target: str | None = None) -> pd.DataFrame:
    """
    Read a sample, CSV or Parquet by the name of its file.

    Parameters
    ----------
    path : Path
    target : str, optional
        Column that is no input, and is dropped.

    Raises
    ------
    ArtifactError
        The file can't be read, or has no such column.
    """
    reader = _READERS.get(path.suffix)
    if reader is None:
        raise ArtifactError(
            f"The sample {path} is called {path.suffix or 'without a suffix'}; expected .csv or .parquet."
        )
    frame = _read(reader, path)
    if target is None:
        return frame
    if target not in frame.columns:
        raise ArtifactError(f"The sample {path} has no column {target!r}; it has {', '.join(map(str, frame.columns))}.")
    return frame.drop(columns=target)


def _read(reader: Callable[[Path], pd.DataFrame], path: Path) -> pd.DataFrame:
    try:
        return reader(path)
    except ImportError as error:
        raise ArtifactError(
            f"The sample {path} is Parquet, which needs pyarrow; install sklearn-kserve[parquet], or give a CSV file."
        ) from error
    except OSError as error:
        raise ArtifactError(f"The sample {path} can't be read: {error.strerror or error}; check the path.") from error
    except ValueError as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise ArtifactError(
            f"The sample {path} is no table that can be read: {reason}; expected CSV or Parquet."
        ) from error
