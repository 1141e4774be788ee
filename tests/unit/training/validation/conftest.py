import io
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from training.config import Config
from training.validation import Validated, validate

MakeConfig = Callable[..., Config]
Run = Callable[..., Validated]


def table(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)


@pytest.fixture
def run(config: MakeConfig, tmp_path: Path) -> Run:
    """Validate a table: CSV, or frames; a limit of 1 lets every row fail, and no column is too telling."""

    def run(*chunks: str | pd.DataFrame, aside: tuple[str, ...] = (), **changes: object) -> Validated:
        settings = {"quarantine": {"limit": 1}, "leakage": {"alone": "ignore"}, **changes}
        frames = [table(chunk) if isinstance(chunk, str) else chunk for chunk in chunks]
        return validate(lambda: frames, config(**settings), tmp_path, aside=aside)

    return run


@pytest.fixture
def failures(tmp_path: Path) -> Callable[[], list[tuple[object, ...]]]:
    """Read failures.csv: row, column, check, value, expected."""

    def read() -> list[tuple[object, ...]]:
        written = pd.read_csv(tmp_path / "failures.csv", keep_default_na=False, dtype={"value": str})
        return list(written.itertuples(index=False, name=None))

    return read
