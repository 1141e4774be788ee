"""The registry of a model root: its versions, and who is champion."""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from model.artifact import Manifest
from model.artifact.manifest import MANIFEST_FILE, manifest_of
from model.artifact.names import VERSION, check_model_name
from training.errors import RegistryError
from training.registry.aliases import Aliases
from training.registry.cache import CACHE
from training.registry.collection import Collection
from training.registry.directory import DirectoryRoot
from training.registry.ledger import Ledger
from training.registry.move import ALIASES, CHAMPION, Move, way_back
from training.registry.root import Root, Write
from training.registry.version import Version, checked

MaybeMove = TypeVar("MaybeMove", bound=Move | None)


class Registry:
    """
    Versions and aliases of the models below a root.

    Reading needs no right to write. Whatever writes may run at any time beside other writers and be killed at any
    time: a version or a move is there whole, or not at all.

    Parameters
    ----------
    root : str or Path
        A directory, ``s3://bucket/prefix`` or ``gs://bucket/prefix``; a bucket is asked with the credentials and the
        endpoint that the environment names.
    cache : Path
        Where versions fetched from a bucket are kept.

    Raises
    ------
    RegistryError
        The URL is of another scheme, or names no bucket.
    """

    def __init__(self, root: str | Path, *, cache: Path = CACHE) -> None:
        self._root = _opened(str(root), cache)

    @property
    def root(self) -> str:
        """The root, as it was given."""
        return self._root.url

    def names(self) -> list[str]:
        """Return the names of the models that have a version."""
        return [name for name in self._root.names() if self._root.numbers(name)]

    def versions(self, name: str) -> list[Version]:
        """
        Return the versions of a model, the oldest first; none of an unknown model.

        Raises
        ------
        RegistryError, ArtifactError
            The root can't be read, or the name is none.
        """
        check_model_name(name)
        return [Version(name, number) for number in self._root.numbers(name)]

    def version(self, name: str, called: str) -> Version:
        """
        Return the version that a number or an alias names.

        Raises
        ------
        RegistryError
            There is none; the sentence names those that there are.
        """
        aliases = self.aliases(name)
        number = aliases.get(called, called)
        versions = self.versions(name)
        found = next((version for version in versions if str(version.number) == number), None)
        if found is not None:
            return found
        wanted = f"version {number}" if VERSION.fullmatch(number) else f"alias {called!r}"
        known = ", ".join(str(version.number) for version in versions) or "none"
        named = ", ".join(f"{alias}: {version}" for alias, version in sorted(aliases.items())) or "none"
        raise RegistryError(f"{name} has no {wanted} in {self.root}; its versions are {known}, its aliases {named}.")

    def manifest(self, version: Version) -> Manifest:
        """
        Return the manifest of a version.

        Raises
        ------
        RegistryError, UntrustedArtifact
            There is no such version, or its manifest is damaged.
        """
        data = self._content(version, MANIFEST_FILE)
        return manifest_of(data, Path(self.root) / str(version) / MANIFEST_FILE)

    def aliases(self, name: str) -> Mapping[str, str]:
        """
        Return the version that each alias of a model names, such as ``{"champion": "3"}``.

        Raises
        ------
        RegistryError
            ``aliases.json`` is damaged.
        """
        return self._ledger(name).aliases().named

    def history(self, name: str) -> list[Move]:
        """
        Return every move of a model's aliases, the oldest first.

        Raises
        ------
        RegistryError
            A record is damaged.
        """
        ledger = self._ledger(name)
        return ledger.history(ledger.aliases())

    def move(self, name: str, alias: str, version: Version, *, why: str = "", by: str | None = None) -> Move | None:
        """
        Let an alias name a version.

        Parameters
        ----------
        name : str
            Of the model.
        alias : {"champion", "challenger"}
        version : Version
        why, by : str, optional
            For the record; by default the user of this process.

        Returns
        -------
        move : Move or None
            None where the alias names the version already.

        Raises
        ------
        RegistryError
            There is no such version, it is being removed, or the root can't be written.
        """
        if alias not in ALIASES:
            raise RegistryError(f"{alias!r} is no alias; expected one of {', '.join(ALIASES)}.")
        if version.name != name:
            raise RegistryError(f"{version} is no version of {name}; expected one of its own.")
        ledger = self._ledger(name)

        def decide(aliases: Aliases) -> Move | None:
            before, after = aliases.named.get(alias), str(version.number)
            if before == after:
                return None
            self._check_there(version, aliases)
            number = ledger.next_number(aliases)
            return Move.of(number, alias, before, after, why=why, by=by)

        return _moved(ledger, decide)

    def rollback(self, name: str, *, why: str = "", by: str | None = None) -> Move:
        """
        Let the alias ``champion`` name the version again that it named before; done again, the one before that.

        Parameters
        ----------
        name : str
            Of the model.
        why, by : str, optional
            For the record; by default the user of this process.

        Raises
        ------
        RegistryError
            There is no way back, or the last champion was not named by this registry.
        """
        ledger = self._ledger(name)

        def decide(aliases: Aliases) -> Move:
            moves = ledger.history(aliases)
            now = aliases.named.get(CHAMPION)
            last = next((move.after for move in reversed(moves) if move.alias == CHAMPION), None)
            if now != last:
                raise RegistryError(
                    f"{name}'s champion is {now}, and the last move on record was to {last}: somebody has edited "
                    f"{ledger.place}; promote the version that is to be champion."
                )
            back = way_back(moves, CHAMPION)
            if back is None:
                raise RegistryError(
                    f"{name} has no earlier champion to go back to; promote the version that is to be champion."
                )
            self._check_there(Version(name, int(back)), aliases)
            return Move.of(ledger.next_number(aliases), CHAMPION, now, back, kind="rollback", why=why, by=by)

        return _moved(ledger, decide)

    def publish(self, name: str, write: Write) -> Version:
        """
        Add a version.

        Parameters
        ----------
        name : str
            Of the model.
        write : callable
            Given a local root, publishes there by ``model.artifact.publish``, and returns the version's directory.

        Returns
        -------
        version : Version
            Higher than every other; there for everybody once it is whole.

        Raises
        ------
        RegistryError, ArtifactError
            Nothing was published.
        """
        check_model_name(name)
        return Version(name, self._root.publish(name, write))

    def collection(self, name: str, *, newest: int, before: datetime) -> Collection:
        """
        Return what may be removed of a model, and removes it if it is asked to.

        Parameters
        ----------
        name : str
        newest : int
            So many of the newest versions are kept, besides those that an alias names or a rollback would lead to.
        before : datetime
            Publishers to a bucket that began before this are taken for dead.

        Raises
        ------
        RegistryError
            Not even the newest version would be kept.
        """
        check_model_name(name)
        if newest < 1:
            raise RegistryError(f"{newest} of the newest versions were to be kept; expected 1 at least.")
        return Collection(self._root, name, newest=newest, before=before)

    def fetch(self, version: Version) -> Path:
        """
        Return a local directory with the files of a version, each of which has the digest that the manifest says.

        Raises
        ------
        RegistryError, ArtifactError
            There is no such version, or a file is damaged or missing.
        """
        return self._root.fetch(version.name, version.number)

    def read(self, version: Version, file: str) -> bytes:
        """
        Return a small file of a version, such as ``run.json``, which is held against the manifest.

        Raises
        ------
        RegistryError, UntrustedArtifact
            There is no such version or file, or it is damaged.
        """
        expected = self.manifest(version).files.get(file)
        if expected is None:
            raise RegistryError(f"{version} has no {file}; expected one of the files that its manifest names.")
        return checked(self._content(version, file), f"{self.root}/{version}/{file}", expected)

    def _content(self, version: Version, file: str) -> bytes:
        content = self._root.read(f"{version}/{file}")
        if content is None:
            raise RegistryError(f"{self.root}/{version} has no {file}; expected a version that was published.")
        return content.data

    def _ledger(self, name: str) -> Ledger:
        check_model_name(name)
        return Ledger(self._root, name)

    def _check_there(self, version: Version, aliases: Aliases) -> None:
        """Refuse a version that is not there; to remove one from now on is to change the aliases."""
        if version.number in aliases.removed:
            raise RegistryError(f"{version} is being removed; no alias was moved, name another version.")
        if version.number not in self._root.numbers(version.name):
            known = ", ".join(map(str, self._root.numbers(version.name))) or "none"
            raise RegistryError(f"{self.root} has no {version}; no alias was moved, its versions are {known}.")


def _moved(ledger: Ledger, decide: Callable[[Aliases], MaybeMove]) -> MaybeMove:
    """Make the move that is decided upon, and return it."""
    decided: list[MaybeMove] = []

    def change(aliases: Aliases) -> Aliases | None:
        decided.append(decide(aliases))
        return None if decided[-1] is None else aliases.after(decided[-1])

    ledger.change(change)
    return decided[-1]


def _opened(root: str, cache: Path) -> Root:
    scheme, separator, place = root.partition("://")
    if not separator:
        return DirectoryRoot(Path(root))
    if "@" in place.partition("/")[0]:  # said without the root, which is recorded in other places as well
        raise RegistryError("The root has a name or password in its URL; expected both in the environment.")
    if scheme not in {"s3", "gs"} or not place.partition("/")[0]:
        raise RegistryError(f"{root} is no model root; expected a directory, s3://bucket/prefix or gs://bucket/prefix.")
    from training.registry.bucket import BucketRoot  # noqa: PLC0415 -- most roots are directories

    return BucketRoot(root, cache)


__all__ = ["Registry"]
