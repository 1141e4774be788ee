"""Writers on disk, at the same time and killed."""

import subprocess
import sys
from pathlib import Path

from tests.processes import unmeasured
from tests.unit.training.registry.writers import (
    MOVER,
    MOVES,
    REPOSITORY,
    check_moves,
    promote_at_once,
    publish_at_once,
)
from training.registry import CHAMPION, Registry, Version


def test_two_promoters_never_lose_a_move(registry: Registry) -> None:
    promote_at_once(registry)


def test_two_publishers_never_overwrite_a_version(registry: Registry) -> None:
    publish_at_once(registry)
    assert [version.number for version in registry.versions("fish")] == list(range(1, 8))


def test_a_promoter_that_is_killed_leaves_no_lock_and_no_hole(registry: Registry) -> None:
    program = MOVER.replace(f"range({MOVES})", "range(10**9)")
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", program, registry.root, "ada"], cwd=REPOSITORY, env=unmeasured()
        )
        before = len(registry.history("fish"))
        while len(registry.history("fish")) < before + 10:
            assert process.poll() is None
        process.kill()
        process.wait()
        registry.move("fish", CHAMPION, Version("fish", 3), by="grace")
    check_moves(registry)
    directory = Path(registry.root) / "fish"
    assert sorted(path.name for path in directory.iterdir()) == [".moves", "1", "2", "3", "aliases.json"]
