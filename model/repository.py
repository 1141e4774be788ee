"""The models being served: which versions of each are loaded, which one answers, and why another does not."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import structlog

from model.codec.wording import shown
from model.errors import ArtifactError, NotFound, NotReady
from model.servable import Servable
from model.store import default_version, version_directories

_log = structlog.get_logger(__name__)

Loader = Callable[[Path, str, str], Servable]
"""Loads a version directory: (directory, model name, version, empty where the directory has no number)."""


class State(StrEnum):
    """
    State of a version.

    References
    ----------
    Model repository extension of the Open Inference Protocol, "Index".
    """

    LOADING = "LOADING"
    READY = "READY"
    UNAVAILABLE = "UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class ModelState:
    """One line of the repository index."""

    name: str
    version: str
    state: State
    reason: str = ""


@dataclass(slots=True)
class Model:
    """
    One model and what is known of its versions.

    Parameters
    ----------
    directory : Path
        Of its versions, or of the one artifact.
    versions : dict of str to Servable
        Those that answer, in numeric order.
    refused : dict of str to str
        Those that do not load, with the reason; one of them may answer still as it was loaded before.
    default : str or None
        The version that answers where a request names none; None where no version does.
    unloaded : bool
        Taken out by the operator.
    loading : bool
    """

    directory: Path
    versions: dict[str, Servable] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    default: str | None = None
    unloaded: bool = False
    loading: bool = True


class ModelRepository:
    """
    Loads models and hands out the version that is to answer.

    Parameters
    ----------
    directories : mapping of str to Path
        Model names and where their versions lie.
    loader : callable
        See ``Loader``.
    """

    def __init__(self, directories: Mapping[str, Path], loader: Loader) -> None:
        self._models = {name: Model(directory) for name, directory in directories.items()}
        self._loader = loader

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the models."""
        return iter(self._models)

    def __contains__(self, name: object) -> bool:
        """Whether there is a model of this name."""
        return name in self._models

    def load(self, name: str) -> bool:
        """
        Load every version of a model anew, then let them answer in place of the old ones.

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
        old = self._model(name)
        fresh = Model(old.directory, loading=False)
        loaded = False
        for version, path in self._version_directories(fresh, name).items():
            self._load_version(fresh, name, version, path)
            loaded = loaded or version not in fresh.refused
            if version in fresh.refused and version in old.versions:
                fresh.versions[version] = old.versions[version]
        if "" in fresh.refused:  # The directory as a whole.
            fresh.versions = dict(old.versions)
        fresh.default = self._default(fresh, name)
        self._models[name] = fresh
        return loaded

    def unload(self, name: str) -> None:
        """Let a model answer no longer."""
        self._models[name] = Model(self._model(name).directory, unloaded=True, loading=False)

    def select(self, name: str, version: str = "") -> Servable:
        """
        Return the version that answers a request.

        Raises
        ------
        NotFound
            No such model or version.
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

    def all_ready(self) -> bool:
        """Whether there is a model, and each that is not unloaded answers."""
        wanted = [name for name, model in self._models.items() if not model.unloaded]
        return bool(wanted) and all(self.ready(name) for name in wanted)

    def servables(self, name: str = "") -> list[Servable]:
        """Return the versions that answer, of one model or of all."""
        models = [self._model(name)] if name else list(self._models.values())
        return [servable for model in models for servable in model.versions.values()]

    def index(self) -> list[ModelState]:
        """Return the state of every version of every model."""
        return [state for name, model in self._models.items() for state in _states(name, model)]

    def _version_directories(self, model: Model, name: str) -> dict[str, Path]:
        try:
            return version_directories(model.directory)
        except ArtifactError as error:
            _refuse(model, name, "", error)
            return {}

    def _load_version(self, model: Model, name: str, version: str, path: Path) -> None:
        try:
            servable = self._loader(path, name, version)
        except ArtifactError as error:
            _refuse(model, name, version, error)
        except (Exception, SystemExit):  # noqa: BLE001 -- one broken version must not keep the others from loading
            model.refused[version] = "Loading failed; the server's log has the cause."
            _log.exception("version failed to load", model=name, version=version)
        else:
            model.versions[servable.version] = servable
            for warning in servable.artifact.warnings:
                _log.warning(warning, model=name, version=servable.version)

    def _default(self, model: Model, name: str) -> str | None:
        """Return the alias's version if it answers, else the newest that does."""
        try:
            alias = default_version(model.directory)
        except ArtifactError as error:
            _log.error("aliases ignored", model=name, reason=str(error))
            alias = None
        if alias is not None and alias not in model.versions:
            _log.error("the alias names a version that does not answer; the newest does", model=name, version=alias)
        return alias if alias in model.versions else next(reversed(model.versions), None)

    def _model(self, name: str) -> Model:
        try:
            return self._models[name]
        except KeyError:
            raise NotFound(f"Model {shown(name)} is unknown; expected {_names(self._models)}.") from None

    def _absence(self, name: str, model: Model, version: str) -> NotFound | NotReady:
        if model.loading:
            return NotReady(f"Model {name!r} is loading; try again later.")
        if model.unloaded:
            return NotReady(f"Model {name!r} is unloaded.")
        if version and version in model.refused:
            return NotReady(f"Model {name!r} version {version} is not ready; the repository index has the reason.")
        if version:
            return NotFound(f"Model {name!r} has no version {shown(version)}; expected {_names(model.versions)}.")
        return NotReady(f"Model {name!r} has no version that is ready; the repository index has the reasons.")


def _states(name: str, model: Model) -> list[ModelState]:
    if model.loading or model.unloaded:
        state = State.LOADING if model.loading else State.UNAVAILABLE
        return [ModelState(name, "", state, "Unloaded." if model.unloaded else "")]
    if not model.versions and not model.refused:
        return [ModelState(name, "", State.UNAVAILABLE, f"No version in {model.directory.name}.")]
    ready = [ModelState(name, version, State.READY, model.refused.get(version, "")) for version in model.versions]
    refused = {version: reason for version, reason in model.refused.items() if version not in model.versions}
    return ready + [ModelState(name, version, State.UNAVAILABLE, reason) for version, reason in refused.items()]


def _refuse(model: Model, name: str, version: str, error: ArtifactError) -> None:
    model.refused[version] = str(error)
    _log.error("version refused", model=name, version=version, reason=str(error))


def _names(names: Iterable[str]) -> str:
    listed = ", ".join(repr(name) for name in names if name)
    return f"one of {listed}" if listed else "none"
