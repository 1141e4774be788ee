from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from training.cli import main

FRUIT = "weight,colour,kind\n" + "".join(
    f"{100 + i},{'green' if i % 2 else 'yellow'},pear\n{200 + i},{'red' if i % 3 else 'green'},apple\n"
    for i in range(20)
)
"""Forty fruits that a weight alone tells apart."""


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The last line on standard error: why a run failed."""
        assert "Traceback" not in self.err
        return self.err.splitlines()[-1]


class Project:
    """A directory with data, a configuration and a model root."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str] | None = None) -> None:
        self.directory = directory
        self.root = directory / "root"
        self.config = directory / "fruit.yaml"
        self.data = directory / "fruit.csv"
        self._capsys = capsys
        self.write_data(FRUIT)
        self.write_config()

    def write_data(self, content: str | bytes) -> None:
        self.data.write_bytes(content if isinstance(content, bytes) else content.encode())

    def write_config(self, **changes: Any) -> None:
        settings: dict[str, Any] = {"name": "fruit", "source": "fruit.csv", "target": "kind", "task": "classification"}
        # Pictures take longer than all the rest, and have tests of their own.
        settings |= {"evaluation": {"pictures": False}, **changes}
        self.config.write_text(yaml.safe_dump({key: value for key, value in settings.items() if value is not None}))

    def train(
        self,
        root: Path | str | None = None,
        *,
        command: str = "run",
        work: Path | None = None,
        more: Sequence[str] = (),
    ) -> Result:
        arguments = [command, "--config", str(self.config), "--root", str(root or self.root)]
        code = main([*arguments, *(["--work", str(work)] if work else []), *more])
        assert self._capsys is not None
        return Result(code, *self._capsys.readouterr())

    def versions(self) -> list[str]:
        return sorted(path.parent.name for path in self.root.glob("*/*/manifest.json"))
