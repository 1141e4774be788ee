"""The aliases of one model and their history: changed by one compare-and-swap, so that no change is ever lost."""

import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

from model.artifact.names import ALIASES_FILE
from training.errors import RegistryError
from training.registry.aliases import Aliases
from training.registry.move import Move
from training.registry.root import Content, Root

_MOVES: Final = ".moves"
"""Directory of the history; no server looks into what begins with a dot."""
_RECORD: Final = re.compile(r"/[0-9]+\.json$")
_ATTEMPTS: Final = 50
_LONGEST_PAUSE_SECONDS: Final = 0.5

Change = Callable[[Aliases], Aliases | None]
"""From the aliases as they are to what they are to be; None where nothing is to change."""


class Ledger:
    """
    The aliases of a model.

    Parameters
    ----------
    root : Root
    name : str
        Of the model.
    """

    def __init__(self, root: Root, name: str) -> None:
        self._root = root
        self._directory = f"{name}/{_MOVES}"
        self._key = f"{name}/{ALIASES_FILE}"

    @property
    def place(self) -> str:
        """The file, as sentences call it."""
        return f"{self._root.url}/{self._key}"

    def aliases(self) -> Aliases:
        """Return the aliases; none where there is no file."""
        return self._read()[0]

    def history(self, aliases: Aliases) -> list[Move]:
        """Return the moves that led to the aliases, the oldest first."""
        return sorted(self._moves(aliases), key=lambda move: move.number)

    def next_number(self, aliases: Aliases) -> int:
        """Return the number of the move that comes after the aliases."""
        kept = [int(key.rpartition("/")[2].partition(".")[0]) for key in self._kept()]
        return 1 + max([0 if aliases.last is None else aliases.last.number, *kept])

    def change(self, change: Change) -> None:
        """
        Change the aliases; what is to change is decided anew as often as somebody else was faster.

        A new move is on record by the same write that makes it. A process that is killed right after leaves it to the
        next change to put it into the history.

        Raises
        ------
        RegistryError
            The file is damaged or can't be written, or changes under every attempt.
        """
        wanted: Aliases | None = None
        for attempt in range(_ATTEMPTS):
            aliases, content = self._read()
            if wanted is not None and aliases == wanted:
                return  # It was written, and the answer that said so was lost.
            wanted = change(aliases)
            if wanted is None:
                return
            self._keep(aliases)
            if self._root.write(self._key, wanted.to_json(), content):
                with suppress(RegistryError):  # Made it is; the next change puts it into the history.
                    self._keep(wanted)
                return
            time.sleep(random.uniform(0, min(_LONGEST_PAUSE_SECONDS, 0.01 * 2**attempt)))  # noqa: S311 -- no secret
        raise RegistryError(
            f"{self.place} was changed by others {_ATTEMPTS} times in a row; nothing was moved, "
            f"see who moves aliases all the time."
        )

    def _read(self) -> tuple[Aliases, Content | None]:
        content = self._root.read(self._key)
        return (Aliases() if content is None else Aliases.parse(content.data, self.place)), content

    def _moves(self, aliases: Aliases) -> Iterator[Move]:
        last = aliases.last
        for key in self._kept():
            content = self._root.read(key)
            if content is None or (last is not None and key == self._kept_as(last)):
                continue
            try:
                yield Move.model_validate_json(content.data)
            except ValueError as error:
                raise RegistryError(f"{self._root.url}/{key} is no record of a move; restore or remove it.") from error
        if last is not None:
            yield last

    def _kept(self) -> list[str]:
        return [key for key in self._root.keys(self._directory) if _RECORD.search(key)]

    def _keep(self, aliases: Aliases) -> None:
        """Put the last move into the history, unless it is there."""
        if aliases.last is not None:
            data = aliases.last.model_dump_json(indent=2).encode() + b"\n"
            self._root.write(self._kept_as(aliases.last), data, None)

    def _kept_as(self, move: Move) -> str:
        return f"{self._directory}/{move.number:06}.json"


__all__ = ["Change", "Ledger"]
