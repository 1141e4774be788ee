from pathlib import Path

import pytest

from tests.unit.training.registry.fish import publish_fish
from training.registry import Registry


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry on disk with three versions of one model."""
    registry = Registry(tmp_path / "root")
    for _ in range(3):
        registry.publish("fish", publish_fish)
    return registry
