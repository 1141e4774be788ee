"""Which versions of a model may go, and how they go without one that an alias names."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from training.registry.aliases import Aliases
from training.registry.ledger import Ledger
from training.registry.move import CHAMPION, way_back
from training.registry.root import Root


@dataclass(frozen=True, slots=True)
class Collected:
    """
    What of a model is kept and what goes.

    Parameters
    ----------
    name : str
    kept : dict of int to tuple of str
        Why each version is kept, by its number: the aliases that name it, ``rollback`` for the champion before, or
        ``newest``.
    removed : tuple of int
        Numbers of versions.
    leftovers : tuple of str
        What publishers have left that were killed.
    """

    name: str
    kept: dict[int, tuple[str, ...]] = field(default_factory=dict)
    removed: tuple[int, ...] = ()
    leftovers: tuple[str, ...] = ()


class Collection:
    """
    The versions of a model, of which some may go.

    Parameters
    ----------
    root : Root
    name : str
        Of the model.
    newest : int
        So many of the newest versions are kept, one at least: a number is never given twice.
    before : datetime
        A publisher to a bucket that began before this is taken for dead unless it has published.
    """

    def __init__(self, root: Root, name: str, *, newest: int, before: datetime) -> None:
        self._root = root
        self._name = name
        self._newest = newest
        self._before = before
        self._ledger = Ledger(root, name)

    def plan(self) -> Collected:
        """Say what ``collect`` would do now, and write nothing."""
        return self._plan(self._ledger.aliases())

    def collect(self) -> Collected:
        """
        Remove what may go.

        The versions are written down as removed by the same compare-and-swap that moves aliases, before the first file
        is touched: a promoter that was faster has its version kept, and one that comes later is refused. What a
        process that is killed has written down is removed by the next.
        """
        plans: list[Collected] = []

        def change(aliases: Aliases) -> Aliases | None:
            plans.append(self._plan(aliases))
            marked = replace(aliases, removed=plans[-1].removed)
            return marked if marked != aliases else None

        self._ledger.change(change)
        plan = plans[-1]
        for number in plan.removed:
            self._root.remove(self._name, number)
        if plan.removed:
            self._ledger.change(lambda aliases: self._forgotten(aliases, plan.removed))
        if plan.leftovers:
            self._root.sweep(self._name, self._before)
        return plan

    def _plan(self, aliases: Aliases) -> Collected:
        numbers = self._root.numbers(self._name)
        kept = self._kept(numbers, aliases)
        marked = {number for number in aliases.removed if number not in kept}
        removed = tuple(sorted({number for number in numbers if number not in kept} | marked))
        leftovers = tuple(self._root.leftovers(self._name, self._before))
        return Collected(self._name, {number: kept[number] for number in sorted(kept)}, removed, leftovers)

    def _kept(self, numbers: Sequence[int], aliases: Aliases) -> dict[int, tuple[str, ...]]:
        reasons = [(int(number), alias) for alias, number in sorted(aliases.named.items())]
        if (back := way_back(self._ledger.history(aliases), CHAMPION)) is not None:
            reasons.append((int(back), "rollback"))
        newest = [number for number in numbers if number not in aliases.removed][-self._newest :]
        reasons.extend((number, "newest") for number in newest)
        there = {number for number, _ in reasons} & set(numbers)
        return {number: tuple(reason for of, reason in reasons if of == number) for number in there}

    @staticmethod
    def _forgotten(aliases: Aliases, removed: Sequence[int]) -> Aliases | None:
        left = tuple(number for number in aliases.removed if number not in removed)
        return replace(aliases, removed=left) if left != aliases.removed else None


__all__ = ["Collected", "Collection"]
