"""Those who promote and publish in processes of their own, at the same time or until they are killed."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.processes import unmeasured
from training.registry import Registry, Version

REPOSITORY: Final = Path(__file__).parents[4]
MOVES: Final = 6
PUBLISHED: Final = 2

MOVER: Final = f"""
import sys
from training.registry import Registry, Version

registry, who = Registry(sys.argv[1]), sys.argv[2]
alias = {{"ada": "champion", "grace": "challenger"}}[who]
for turn in range({MOVES}):
    for number in (1, 2):
        registry.move("fish", alias, Version("fish", number), by=who, why=str(turn))
"""
PUBLISHER: Final = f"""
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
        subprocess.Popen([*command, argument], cwd=REPOSITORY, env=unmeasured(), stdout=subprocess.PIPE, text=True)
        for argument in arguments
    ]
    printed = [process.communicate(timeout=100)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return printed


def promote_at_once(registry: Registry) -> None:
    """Let two move an alias each as fast as they can, and hold that no move of either was lost."""
    at_once(MOVER, registry.root, ["ada", "grace"])
    assert len(registry.history("fish")) == 2 * 2 * MOVES
    check_moves(registry)


def publish_at_once(registry: Registry) -> None:
    """Let two publish as fast as they can, and hold that every version is there, whole, and its publisher's."""
    before = len(registry.versions("fish"))
    printed = at_once(PUBLISHER, registry.root, ["1.0", "2.0"])
    answers = {int(number): answer for answer, text in zip((1.0, 2.0), printed, strict=True) for number in text.split()}
    assert len(registry.versions("fish")) == before + len(answers) == before + 2 * PUBLISHED
    for number, answer in answers.items():
        version = Version("fish", number)
        registry.fetch(version)
        assert registry.manifest(version).metrics == {"mae": answer}


def check_moves(registry: Registry) -> None:
    """Hold that every move followed on the one before, which a lost update would not."""
    history = registry.history("fish")
    assert [move.number for move in history] == list(range(1, len(history) + 1))
    for alias in {move.alias for move in history}:
        moves = [move for move in history if move.alias == alias]
        assert [move.before for move in moves] == [None, *(move.after for move in moves[:-1])]
    assert {move.by for move in history} == {"ada", "grace"}
    assert registry.aliases("fish") == {move.alias: move.after for move in history}
