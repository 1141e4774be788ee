"""Writers in processes of their own, at the same time and killed."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from training.registry import CHAMPION, Registry, Version

REPOSITORY: Final = Path(__file__).parents[4]
MOVES: Final = 15
PUBLISHED: Final = 3

_MOVER: Final = f"""
import sys
from training.registry import Registry, Version

registry, who = Registry(sys.argv[1]), sys.argv[2]
for turn in range({MOVES}):
    for number in (1, 2):
        registry.move("fish", "champion", Version("fish", number), by=who, why=str(turn))
"""
_PUBLISHER: Final = f"""
import sys
from tests.unit.training.registry.fish import publish_fish
from training.registry import Registry

registry, answer = Registry(sys.argv[1]), float(sys.argv[2])
for _ in range({PUBLISHED}):
    print(registry.publish("fish", lambda root: publish_fish(root, answer=answer)).number)
"""


def at_once(program: str, root: str, arguments: Sequence[str]) -> list[str]:
    """Run a program for each argument at the same time, and return what each has printed."""
    command = [sys.executable, "-c", program, root]
    processes = [
        subprocess.Popen([*command, argument], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        for argument in arguments
    ]
    printed = [process.communicate(timeout=100)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return printed


def check_moves(registry: Registry) -> None:
    """Hold that every move followed on the one before, which a lost update would not."""
    history = registry.history("fish")
    assert [move.number for move in history] == list(range(1, len(history) + 1))
    assert [move.before for move in history] == [None, *(move.after for move in history[:-1])]
    assert {move.by for move in history} == {"ada", "grace"}
    assert registry.aliases("fish") == {"champion": history[-1].after}


def test_two_promoters_never_lose_a_move(registry: Registry) -> None:
    at_once(_MOVER, registry.root, ["ada", "grace"])
    check_moves(registry)


def test_two_publishers_never_overwrite_a_version(registry: Registry) -> None:
    printed = at_once(_PUBLISHER, registry.root, ["1.0", "2.0"])
    answers = {int(number): answer for answer, text in zip((1.0, 2.0), printed, strict=True) for number in text.split()}
    assert sorted(answers) == list(range(4, 4 + 2 * PUBLISHED))
    for number, answer in answers.items():
        version = Version("fish", number)
        registry.fetch(version)
        assert registry.manifest(version).metrics == {"mae": answer}


def test_a_promoter_that_is_killed_leaves_no_lock_and_no_hole(registry: Registry) -> None:
    program = _MOVER.replace(f"range({MOVES})", "range(10**9)")
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", program, registry.root, "ada"], cwd=REPOSITORY)
        before = len(registry.history("fish"))
        while len(registry.history("fish")) < before + 10:
            assert process.poll() is None
        process.kill()
        process.wait()
        registry.move("fish", CHAMPION, Version("fish", 3), by="grace")
    check_moves(registry)
    directory = Path(registry.root) / "fish"
    assert sorted(path.name for path in directory.iterdir()) == [".moves", "1", "2", "3", "aliases.json"]
