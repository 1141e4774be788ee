"""Looking for new versions and models while the server runs."""

import asyncio
from concurrent.futures import Executor
from pathlib import Path

import structlog

from model.errors import ArtifactError
from model.repository import ModelRepository
from model.store import model_directories

_log = structlog.get_logger(__name__)


class Watcher:
    """
    Looks at the models at intervals, and has the repository take what has changed.

    Parameters
    ----------
    repository : ModelRepository
    loader : Executor
        The one thread in which models are changed; one model after the other, so that loading and unloading by
        clients come in between.
    seconds : float
        Between two looks.
    root : Path or None
        Where models may come and go; None where there is the one.
    """

    def __init__(self, repository: ModelRepository, loader: Executor, seconds: float, root: Path | None) -> None:
        self._repository = repository
        self._loader = loader
        self._seconds = seconds
        self._root = root
        self._trouble = ""

    async def run(self) -> None:
        """Look again and again until cancelled; what is being loaded then ends by itself."""
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await self.look()
            except Exception:  # noqa: BLE001 -- whatever it was, the next look may be better
                _log.exception("a look at the models failed; the next follows")

    async def look(self) -> None:
        """Look once. A root that can't be listed leaves everything as it is."""
        loop = asyncio.get_running_loop()
        if await loop.run_in_executor(self._loader, self._discover):
            for name in list(self._repository):
                await loop.run_in_executor(self._loader, self._refresh, name)

    def _refresh(self, name: str) -> None:
        try:
            self._repository.refresh(name)
        except Exception:  # noqa: BLE001 -- whatever it was, it must not keep the models after it from being looked at
            _log.exception("a look at a model failed; the next follows", model=name)

    def _discover(self) -> bool:
        if self._root is None:
            return True
        try:
            directories = model_directories(self._root)
        except ArtifactError as error:
            if self._trouble != str(error):
                self._trouble = str(error)
                _log.error("the model root is of no use; what is loaded goes on", reason=self._trouble)
            return False
        if self._trouble:
            self._trouble = ""
            _log.info("the model root is there again")
        self._repository.discover(directories)
        return True


__all__ = ["Watcher"]
