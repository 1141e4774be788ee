"""From what was known of a model, and what its directory holds now, to what is known of it next."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

from model.errors import ArtifactError
from model.servable import Servable
from model.store import default_version, fingerprint, version_directories
from model.versions import Model, Version

Load: TypeAlias = Callable[[Path, str], Servable | str]
"""Loads a version directory, (directory, version), or says why not."""

_GONE: Final = "No version in {} answers any more; what was loaded before goes on until one does."


@dataclass(frozen=True, slots=True)
class Survey:
    """
    A look at a model's directory.

    Parameters
    ----------
    load : callable
        See ``Load``.
    max_versions : int
        Versions kept loaded: so many of the newest that answer, and the champion.
    anew : bool
        Load every version at once; else those alone that are new or have changed, and have been found the same twice.
    """

    load: Load
    max_versions: int
    anew: bool = False

    def of(self, old: Model) -> Model:
        """
        Return what is known of a model after the look.

        A model that answers goes on answering: where the directory can't be listed everything stays as it was, and
        where nothing in it answers the versions that did are kept.
        """
        try:
            found = version_directories(old.directory)
        except ArtifactError as error:
            return replace(old, trouble=str(error), loading=False, unloaded=False)
        alias, alias_trouble = _alias(old)
        known = self._known(old, found, alias)
        fresh = Model(
            old.directory,
            known,
            surplus=tuple(version for version in found if version not in known),
            alias=alias,
            alias_trouble=alias_trouble,
            promised=old.promised,
        )
        stays = _is_vacant(known, alias)
        if not fresh.versions and old.versions:
            kept = {directory: version for directory, version in old.known.items() if version.servable is not None}
            trouble = "" if fresh.pending else _GONE.format(old.directory.name)
            fresh = replace(fresh, known=kept | known, trouble=trouble)
            stays = True
        return replace(fresh, default=_default(fresh, old.default if stays else None))

    def _known(self, old: Model, found: dict[str, Path], alias: str | None) -> dict[str, Version]:
        """Return the champion, and from the newest on as many versions as it takes for enough of them to answer."""
        known: dict[str, Version] = {}
        if alias is not None and alias in found:
            known[alias] = self._version(alias, found[alias], old.known.get(alias))
        # The version that answers by default goes on for as long as the champion does not answer: the newest may be one
        # that nobody has promoted.
        default = old.default if _is_vacant(known, alias) else None
        answering = 0
        for version, path in reversed(found.items()):
            if version not in known and (answering < self.max_versions or version == default):
                known[version] = self._version(version, path, old.known.get(version))
            answering += version in known and known[version].servable is not None
        return {version: known[version] for version in found if version in known}

    def _version(self, version: str, path: Path, old: Version | None) -> Version:
        """Return a version as it was where its files are the same, else what comes of loading it."""
        stamp = fingerprint(path)
        if not self.anew:
            if old is None:
                return Version(stamp, pending=True)
            if not old.pending and stamp in (None, old.fingerprint):
                return old
            if stamp != old.fingerprint:
                return replace(old, fingerprint=stamp, pending=True)
        loaded = self.load(path, version)
        if isinstance(loaded, str):
            return Version(stamp, old.servable if old is not None else None, reason=loaded)
        return Version(stamp, loaded)


def _alias(old: Model) -> tuple[str | None, str]:
    """Return the champion and what is wrong with its file, which leaves it as it was: it may be half written."""
    try:
        return default_version(old.directory), ""
    except ArtifactError as error:
        return old.alias, str(error)


def _is_vacant(known: Mapping[str, Version], alias: str | None) -> bool:
    """Whether there is a champion that does not answer, or not yet."""
    return alias is not None and (alias not in known or known[alias].servable is None)


def _default(model: Model, before: str | None) -> str | None:
    """Return the champion if it answers, else the version `before` if that is given, else the newest."""
    answers = (version for version in (model.alias, before) if version in model.versions)
    return next(answers, next(reversed(model.versions), None))


__all__ = ["Load", "Survey"]
