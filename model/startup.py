"""How a serving process comes by its models: which there are, the first load of each, and what there is to say of it."""

import asyncio
import gc
import time
from concurrent.futures import Executor
from pathlib import Path

import structlog

from model.artifact import LoadPolicy, read_keys
from model.metrics import Metrics
from model.repository import ModelRepository
from model.servable import Servable, load_servable
from model.settings import Settings
from model.store import model_directories
from model.workers.group import Group

_log = structlog.get_logger(__name__)


class Startup:
    """
    The models of a process, from its birth to the first load of all of them.

    Parameters
    ----------
    settings : Settings
    metrics : Metrics
    group : Group

    Attributes
    ----------
    repository : ModelRepository
        Knows the models by name from the beginning.

    Raises
    ------
    ArtifactError
        The model root is no directory, or a key can't be read.
    """

    def __init__(self, settings: Settings, metrics: Metrics, group: Group) -> None:
        self._born = time.monotonic()
        self._group = group
        self._default_model = settings.default_model
        keys = read_keys(settings.verify_key)
        self._policy = LoadPolicy(settings.require_manifest, settings.skops_trusted, keys)
        self._default_output = "predict_proba" if settings.predict_proba else None
        directories = _directories(settings)
        # A worker that stands in for another promises no model that the others, which are ready, may be without.
        promised = {} if group.late else directories
        self.repository = ModelRepository(promised, self._load_version, metrics, max_versions=settings.max_versions)
        self.repository.discover(directories)

    async def load_all(self, loader: Executor) -> None:
        """Load one model after the other, but for those that clients have unloaded in the other workers."""
        loop = asyncio.get_running_loop()
        for name in list(self.repository):
            begin = self.repository.unload if name in self._group.unloaded else self.repository.load
            await loop.run_in_executor(loader, begin, name)
        # What is loaded by now stays; looking through all of it for garbage would hold requests up for milliseconds.
        gc.freeze()
        self._group.report(loaded=True)
        self._tell_ready()

    def missing(self) -> list[str]:
        """Return the models that the other workers have, and that do not answer here."""
        return [name for name in self.repository if self._group.model_ready(name) and not self.repository.ready(name)]

    def _tell_ready(self) -> None:
        seconds = round(time.monotonic() - self._born, 3)
        if self.repository.all_ready():
            models = [_label(servable.name, servable.version) for servable in self.repository.servables()]
            self._group.announce("ready", models=models, seconds=seconds)
            if self._default_model and self._default_model not in self.repository:
                _log.warning(
                    "the default model is not there; requests that name none are 404", model=self._default_model
                )
            return
        index = self.repository.index()
        reasons = {_label(line.name, line.version): line.reason for line in index if line.reason}
        problem = "a model has no version that answers" if index else "there is no model in the model root"
        _log.error(f"not ready: {problem}", reasons=reasons, seconds=seconds)

    def _load_version(self, directory: Path, name: str, version: str) -> Servable:
        start = time.monotonic()
        servable = load_servable(
            directory, name, self._policy, version=version or None, default_output=self._default_output
        )
        _log.info("loaded", model=name, version=servable.version, seconds=round(time.monotonic() - start, 3))
        return servable


def _directories(settings: Settings) -> dict[str, Path]:
    if settings.model_root is not None:
        return model_directories(settings.model_root)
    return {settings.model_name or "model": settings.model_dir}


def _label(name: str, version: str) -> str:
    return f"{name}:{version}" if version else name
