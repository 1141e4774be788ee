"""The models being served: loading their versions, swapping them, and handing out the one that is to answer."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import structlog

from model.codec.wording import shown
from model.errors import ArtifactError, NotFound, NotReady
from model.metrics import Metrics
from model.servable import Servable
from model.survey import Survey
from model.versions import Model, ModelState, State, states

_log = structlog.get_logger(__name__)

Loader = Callable[[Path, str, str], Servable]
"""Loads a version directory: (directory, model name, version, empty where the directory has no number)."""


class ModelRepository:
    """
    Loads models and hands out the version that is to answer.

    What changes the models is for one thread at a time; asking for them is for any. A request goes on with the
    servable that it was given, whatever takes its place meanwhile.

    Parameters
    ----------
    directories : mapping of str to Path
        Model names and where their versions lie.
    loader : callable
        See ``Loader``.
    metrics : Metrics
        Where loads and swaps are counted, and what leaves is dropped.
    max_versions : int
        Versions kept loaded: so many of the newest that answer, and the champion.
    """

    def __init__(self, directories: Mapping[str, Path], loader: Loader, metrics: Metrics, *, max_versions: int) -> None:
        self._models = {name: Model(directory, loading=True) for name, directory in directories.items()}
        self._loader = loader
        self._metrics = metrics
        self._max_versions = max_versions

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the models."""
        return iter(self._models)

    def __contains__(self, name: object) -> bool:
        """Whether there is a model of this name."""
        return name in self._models

    def discover(self, directories: Mapping[str, Path]) -> None:
        """
        Take note of the models that lie below a root now.

        A new one is loaded when it is looked at. One that has gone is forgotten only if it does not answer.
        """
        kept = {n: m for n, m in self._models.items() if n in directories or m.versions or m.unloaded}
        new = {n: Model(path, promised=False) for n, path in directories.items() if n not in kept}
        self._models = kept | new  # Another dictionary, for requests may be going through this one.

    def load(self, name: str) -> bool:
        """
        Load a model's versions anew, then let them answer in place of the old ones.

        Whatever is wrong with a version is logged and kept as its reason in the index; as it was loaded before, it
        goes on answering. Blocking; not for the event loop.

        Returns
        -------
        bool
            Whether any version was loaded.

        Raises
        ------
        NotFound
            No such model.
        """
        return self._renew(name, anew=True)

    def refresh(self, name: str) -> None:
        """
        Load the versions of a model that are new or have changed; the others stay as they are.

        A version is loaded when two looks in a row have found it the same, so that one still being written is let
        alone; one that was refused is tried again when its files have changed. Blocking; not for the event loop.

        Raises
        ------
        NotFound
            No such model.
        """
        if not self._model(name).unloaded:
            self._renew(name, anew=False)

    def unload(self, name: str) -> None:
        """Let a model answer no longer, until it is loaded by name."""
        self._swap(name, Model(self._model(name).directory, unloaded=True))

    def select(self, name: str, version: str = "") -> Servable:
        """
        Return the version that answers a request.

        Raises
        ------
        NotFound
            No such model or version, or one that is too old to be kept.
        NotReady
            It is there, but does not answer (yet).
        """
        model = self._model(name)
        servable = model.versions.get(version or model.default or "")
        if servable is not None:
            return servable
        raise self._absence(name, model, version)

    def ready(self, name: str, version: str = "") -> bool:
        """Whether a version, or the model at all, answers."""
        try:
            self.select(name, version)
        except NotReady:
            return False
        return True

    def promised(self) -> list[str]:
        """Return the models that clients count on: those that were there at first, and later ones that answered."""
        return [name for name, model in self._models.items() if model.promised]

    def all_ready(self) -> bool:
        """Whether there is a model, and each that is promised and not unloaded answers."""
        wanted = [model for model in self._models.values() if model.promised and not model.unloaded]
        return bool(wanted) and all(model.versions for model in wanted)

    def servables(self, name: str = "") -> list[Servable]:
        """Return the versions that answer, of one model or of all."""
        models = [self._model(name)] if name else list(self._models.values())
        return [servable for model in models for servable in model.versions.values()]

    def index(self) -> list[ModelState]:
        """Return the state of every version of every model."""
        return [line for name, model in self._models.items() for line in states(name, model, self._max_versions)]

    def _renew(self, name: str, *, anew: bool) -> bool:
        survey = Survey(partial(self._loaded, name), self._max_versions, anew)
        return self._swap(name, survey.of(self._model(name)))

    def _loaded(self, name: str, path: Path, version: str) -> Servable | str:
        try:
            with self._metrics.loading(name):
                servable = self._loader(path, name, version)
        except ArtifactError as error:
            _log.error("version refused", model=name, version=version, reason=str(error))
            return str(error)
        except (Exception, SystemExit, KeyboardInterrupt):  # noqa: BLE001 -- one broken version leaves the others
            _log.exception("version failed to load", model=name, version=version)
            return "Loading failed; the server's log has the cause."
        for warning in servable.artifact.warnings:
            _log.warning(warning, model=name, version=servable.version)
        return servable

    def _swap(self, name: str, fresh: Model) -> bool:
        """Put a model in the place of what it was, in one assignment, and return whether any version was loaded."""
        old, self._models[name] = self._models[name], fresh
        for version in old.versions.keys() - fresh.versions.keys():
            self._metrics.remove(name, version)
            _log.info("unloaded", model=name, version=version)
        new = [servable for version, servable in fresh.versions.items() if old.versions.get(version) is not servable]
        for servable in new:
            artifact = servable.artifact
            self._metrics.loaded(
                name,
                servable.version,
                sha256=artifact.sha256,
                sklearn=artifact.sklearn_version or "",
                engine=servable.engine.name,
                verified=artifact.verified,
                created=artifact.manifest.created.timestamp() if artifact.manifest else None,
                profile=artifact.profile,
            )
            for lookup in artifact.lookups:
                lookup.watch(self._metrics.lookups(name, servable.version, lookup.name))
        self._count(name, old, fresh)
        _report_trouble(name, old, fresh)
        return bool(new)

    def _count(self, name: str, old: Model, fresh: Model) -> None:
        """Count what became of the versions that were found, if there was one to be swapped or to go on."""
        before, after = old.answers(), fresh.answers()
        swapped = before is not None and after is not None and _identity(before) != _identity(after)
        if swapped:
            _log.info("another version answers", model=name, version=fresh.default, before=old.default)
        refused = [d for d, v in fresh.known.items() if v.reason and not v.pending and old.known.get(d) is not v]
        self._metrics.swapped(name, success=int(swapped), failure=len(refused) if before is not None else 0)

    def _model(self, name: str) -> Model:
        try:
            return self._models[name]
        except KeyError:
            raise NotFound(f"Model {shown(name)} is unknown; expected {_names(self._models)}.") from None

    def _absence(self, name: str, model: Model, version: str) -> NotFound | NotReady:
        if model.unloaded:
            return NotReady(f"Model {name!r} is unloaded.")
        known = model.known.get(version)
        if model.loading or (model.pending if not version else known is not None and known.pending):
            return NotReady(f"Model {name!r} is loading; try again later.")
        if known is not None:
            return NotReady(f"Model {name!r} version {version} is not ready; the repository index has the reason.")
        if version in model.surplus:
            return NotFound(
                f"Model {name!r} version {version} is no longer loaded; expected {_names(model.versions)}, "
                f"for no more are kept."
            )
        if version:
            return NotFound(f"Model {name!r} has no version {shown(version)}; expected {_names(model.versions)}.")
        return NotReady(f"Model {name!r} has no version that is ready; the repository index has the reasons.")


def _identity(servable: Servable) -> tuple[str, str]:
    return servable.version, servable.artifact.sha256


def _report_trouble(name: str, old: Model, fresh: Model) -> None:
    """Log what is newly wrong with a model's directory, and that it is so no longer."""
    if fresh.trouble and fresh.trouble != old.trouble:
        _log.error("the model's directory is of no use", model=name, reason=fresh.trouble)
    if old.trouble and not fresh.trouble:
        _log.info("the model's directory is there again", model=name)
    if fresh.alias_trouble and fresh.alias_trouble != old.alias_trouble:
        _log.error("aliases ignored", model=name, reason=fresh.alias_trouble)
    if fresh.vacant is not None and fresh.vacant != old.vacant:
        _log.error("the alias names a version that does not answer; another does", model=name, version=fresh.vacant)


def _names(names: Iterable[str]) -> str:
    listed = ", ".join(repr(name) for name in names if name)
    return f"one of {listed}" if listed else "none"


__all__ = ["Loader", "ModelRepository", "ModelState", "State"]
