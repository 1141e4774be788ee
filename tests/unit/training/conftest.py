from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.training.project import Project
from training.config import Config


@pytest.fixture
def project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Project:
    return Project(tmp_path, capsys)


@pytest.fixture
def config() -> Callable[..., Config]:
    def make(**changes: Any) -> Config:
        settings = {"name": "fruit", "source": "fruit.csv", "target": "kind", "task": "classification"}
        return Config.model_validate({**settings, **changes})

    return make
